/**
 * `mergeVariables` counts bytes exactly where that decides, and makes no text
 * where it does not.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { TaskLimitError } from "../../mod.ts";
import { resolveLimits } from "../../src/task/limits.ts";
import { mergeVariables } from "../../src/task/variables.ts";

Deno.test("mergeVariables() allows just as many bytes as are stored", () => {
  const variables = fc.dictionary(
    fc.string({ unit: "binary" }),
    fc.jsonValue({ depthSize: "small", stringUnit: "binary" }),
  );
  fc.assert(
    fc.property(variables, variables, (before, changes) => {
      const merged = mergeVariables(bounded(1e9), before, changes);
      const bytes = new TextEncoder().encode(JSON.stringify(merged)).length;
      assertEquals(mergeVariables(bounded(bytes), before, changes), merged);
      const error = assertThrows(
        () => mergeVariables(bounded(bytes - 1), before, changes),
        TaskLimitError,
      );
      assertEquals([error.limit, error.actual], ["maxVariablesBytes", bytes]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("mergeVariables() makes no text far below the limit", () => {
  const limits = resolveLimits({});
  const before = { list: [1, "ä", { deep: true }], text: "x".repeat(10_000) };
  const changes = { list: [2], name: { first: "a", second: null }, text: null };
  assertEquals(textsOf(() => mergeVariables(limits, before, changes)), 0);
  // Near it, one: the very one that is counted.
  const large = { text: "x".repeat(60_000), more: times(10, "y") };
  const near = bounded(90_000);
  assertEquals(textsOf(() => mergeVariables(near, {}, large)), 1);
});

function bounded(maxVariablesBytes: number) {
  return {
    ...resolveLimits({ maxVariableDepth: 1000, maxStringBytes: 1e9 }),
    maxVariablesBytes,
  };
}

function times(n: number, value: unknown): unknown[] {
  return Array.from({ length: n }, () => value);
}

/** How often text of JSON is made meanwhile. */
function textsOf(body: () => unknown): number {
  const stringify = JSON.stringify;
  let texts = 0;
  JSON.stringify = ((...args: Parameters<typeof stringify>) => {
    texts++;
    return stringify(...args);
  }) as typeof stringify;
  try {
    body();
  } finally {
    JSON.stringify = stringify;
  }
  return texts;
}
