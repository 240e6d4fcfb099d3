/** Pages of a sorted index, behind `MemoryBackend.listPage`. */

import type { PageOrder } from "../storage/record.ts";
import { encodeCursor, type Position } from "../storage/cursor.ts";
import type { SortedIndex } from "./sorted_index.ts";

/** The options of a page, checked. */
export interface PageRequest {
  readonly limit: number;
  readonly order: PageOrder;
  readonly after: Position | undefined;
}

/** The members of a page. */
export interface IndexPage {
  readonly members: readonly string[];
  /** Left out on the last page. */
  readonly nextCursor?: string;
}

/** Reads one page of an index. */
export function readPage(
  index: SortedIndex,
  { limit, order, after }: PageRequest,
): IndexPage {
  const step = order === "oldest" ? 1 : -1;
  const members: string[] = [];
  let rank = firstRank(index, order, after);
  for (; members.length < limit; rank += step) {
    const entry = index.at(rank);
    if (entry === undefined) return { members };
    members.push(entry.member);
  }
  if (index.at(rank) === undefined) return { members };
  const { score, member } = index.at(rank - step)!;
  const position = { createdAt: String(score), task: member };
  return { members, nextCursor: encodeCursor(order, position) };
}

/** The rank of the first member behind a place, or at that end. */
function firstRank(
  index: SortedIndex,
  order: PageOrder,
  after: Position | undefined,
): number {
  if (after === undefined) return order === "oldest" ? 0 : index.size - 1;
  const place = { score: Number(after.createdAt), member: after.task };
  const rank = index.rank(place);
  if (order === "newest") return rank - 1;
  const at = index.at(rank);
  return at?.score === place.score && at.member === place.member
    ? rank + 1
    : rank;
}
