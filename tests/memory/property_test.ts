/**
 * Random operation sequences on `MemoryBackend` against a model of plain
 * lists: the contract, said a second time.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryBackend } from "../../mod.ts";
import { Model } from "../support/property/model.ts";
import { type Operation, operations } from "../support/property/operations.ts";
import { Session } from "../support/property/session.ts";

Deno.test("memory_answers_as_the_model_does", async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (sequence: Operation[]) => {
      let now = 1_000_000;
      const clock = () => now;
      const model = new Session(new Model(clock));
      await using backend = new MemoryBackend({ clock });
      const memory = new Session(backend);
      for (const operation of sequence) {
        if (operation.kind === "wait") now += operation.ms;
        assertEquals(
          await memory.answer(operation, now),
          await model.answer(operation, now),
        );
        // The clock moves between two writes of records without a creation
        // time: their order would be the ids' otherwise.
        now += 1;
      }
    }),
    { numRuns: 2000 },
  );
});
