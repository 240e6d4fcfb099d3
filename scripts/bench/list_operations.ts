/** Pages of a small and of a large owner: what the owner's size costs. */

import { makePrefix } from "../../mod.ts";
import { type Bed, forEach, place } from "./bed.ts";
import type { Operation } from "./operation.ts";

/** Names of the operations. */
export const LISTS = {
  small: "page of 50 of 1,000",
  large: "page of 50 of 100,000",
} as const;

/** The operations; the larger owner only in full runs. */
export function listOperations(bed: Bed): Operation[] {
  const sizes: [string, number][] = [[LISTS.small, 1_000]];
  if (!bed.settings.short) sizes.push([LISTS.large, 100_000]);
  return sizes.map(([name, size]): Operation => {
    const owner = `owner-of-${size}`;
    return {
      name,
      slower: 100,
      inflight: 1,
      prepare: async () => {
        await fill(bed, owner, size);
        return () => bed.backend.listPage(makePrefix(owner), { limit: 50 });
      },
    };
  });
}

async function fill(bed: Bed, owner: string, size: number): Promise<void> {
  const last = place(owner, `t-${size - 1}`);
  if (await bed.tuned.exists(last.hash) === 1) return;
  await forEach(
    size,
    (i) =>
      bed.backend.create(place(owner, `t-${i}`).key, bed.data, {
        meta: { expiresAt: bed.expiresAt, createdAt: bed.createdAt + i },
      }),
  );
}
