/**
 * Page cursors: a place in an owner's order (creation time, then task id) as
 * opaque text. The same for every backend.
 */

import type { PageOrder } from "./record.ts";
import { decodeBase64Url, encodeBase64Url } from "../util/base64url.ts";
import { InvalidCursorError } from "./errors.ts";

/** A place in an owner's order: just behind this record. */
export interface Position {
  /** Epoch milliseconds, as text: exact, with a fraction where it has one. */
  readonly createdAt: string;
  readonly task: string;
}

/**
 * The text of a cursor. Its time is a number as JavaScript writes it, or as a
 * server does in a cursor of an earlier version: with up to 17 digits, where
 * fewer name the same number.
 */
const CURSOR = /^([no])(\d{1,16}(?:\.\d{1,24})?(?:e-\d{1,3})?):(.+)$/s;

/** Writes a cursor: the same text for one place, whatever the engine. */
export function encodeCursor(order: PageOrder, position: Position): string {
  const text = `${order[0]}${Number(position.createdAt)}:${position.task}`;
  return encodeBase64Url(new TextEncoder().encode(text));
}

/** Reads a cursor of the order asked for. */
export function decodeCursor(order: PageOrder, cursor: string): Position {
  if (typeof cursor !== "string") {
    throw new InvalidCursorError(
      String(cursor),
      `it is a ${typeof cursor}: expected the nextCursor of a page`,
    );
  }
  const [, initial, createdAt, task] = CURSOR.exec(decodeText(cursor)) ?? [];
  if (createdAt === undefined || task === undefined) {
    throw new InvalidCursorError(cursor, "expected the nextCursor of a page");
  }
  if (initial !== order[0]) {
    throw new InvalidCursorError(
      cursor,
      `it belongs to the other order: expected one of ${order} first`,
    );
  }
  return { createdAt, task };
}

function decodeText(cursor: string): string {
  const bytes = decodeBase64Url(cursor);
  if (bytes === undefined) return "";
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "";
  }
}
