import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline, DeadlineError } from "../../src/util/deadline.ts";

Deno.test("deadline() returns what comes in time, and leaves no timer", async () => {
  assertEquals(await deadline(Promise.resolve(1), 60_000), 1);
  const failed = Promise.reject(new RangeError("no"));
  await assertRejects(() => deadline(failed, 60_000), RangeError, "no");
});

Deno.test("deadline() throws when the time is over, and ignores what is late", async () => {
  const { promise, reject } = Promise.withResolvers<number>();
  const start = performance.now();
  const error = await assertRejects(
    () => deadline(promise, 20),
    DeadlineError,
    "no answer within 20 ms",
  );
  assert(performance.now() - start >= 19);
  assertEquals(error.name, "DeadlineError");
  reject(new Error("late")); // unhandled, it would fail the test
  await new Promise((resolve) => setTimeout(resolve));
});
