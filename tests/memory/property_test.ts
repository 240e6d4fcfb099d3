/**
 * Random operation sequences on `MemoryBackend` against a model of a few
 * lines: the contract, said a second time.
 *
 * @module
 */

import fc from "fast-check";
import { MemoryBackend } from "../../mod.ts";
import {
  answerOf,
  type Operation,
  operations,
} from "../support/property/operations.ts";
import { Model } from "../support/property/model.ts";
import { assertEquals } from "@std/assert";

Deno.test("memory_answers_as_the_model_does", async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (sequence: Operation[]) => {
      let now = 1_000_000;
      const clock = () => now;
      const model = new Model(clock);
      await using backend = new MemoryBackend({ clock });
      for (const operation of sequence) {
        if (operation.kind === "wait") now += operation.ms;
        else {
          assertEquals(
            await answerOf(backend, operation, now),
            model.answer(operation, now),
          );
        }
        // Time never stands still between two writes of a record without a
        // creation time: their order would be the ids' then.
        now += 1;
      }
    }),
    { numRuns: 300 },
  );
});
