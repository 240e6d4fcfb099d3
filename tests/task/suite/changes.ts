/**
 * What a mutation changes, what it leaves, and that all of it is one write.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  TaskNotReadyError,
  type TaskRecord,
  type TaskUpdate,
} from "../../../mod.ts";
import { METHOD, OWNER, stored, type TaskTest } from "./env.ts";

export function changeTests(test: TaskTest): void {
  test("complete_writes_state_message_and_result_at_once", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    const result = { content: [{ type: "text", text: "grüße 👋" }] };
    const done = await store.completeWithResult(
      task.taskId,
      OWNER,
      result,
      "done",
    );
    assertEquals(done.version, 2);
    const { json } = await stored(store.backend, task.taskId);
    assertEquals(
      [json.task.status, json.task.statusMessage, json.result],
      ["completed", "done", result],
    );
    assertEquals(await store.getResult(task.taskId, OWNER), result);
  });

  test("fail_keeps_the_error_and_its_message", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    const error = { code: -32000, message: "no disk", data: { free: 0 } };
    const failed = await store.fail(task.taskId, OWNER, error);
    assertEquals(failed.error, error);
    assertEquals(failed.task.statusMessage, "no disk");
    assertEquals(await store.getResult(task.taskId, OWNER), null);
    const other = await store.create(OWNER, METHOD);
    const named = await store.fail(other, OWNER, error, "the disk is full");
    assertEquals(named.task.statusMessage, "the disk is full");
    assertEquals(named.error, error);
  });

  test("result_waits_for_a_final_state", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    await store.setResult(task.taskId, OWNER, { early: true });
    for (const status of ["working", "input_required"] as const) {
      if (status !== "working") {
        await store.updateStatus(task.taskId, OWNER, status);
      }
      const error = await assertRejects(
        () => store.getResult(task.taskId, OWNER),
        TaskNotReadyError,
      );
      assertEquals([error.code, error.taskId, error.status], [
        -32602,
        task.taskId,
        status,
      ]);
    }
    await store.updateStatus(task.taskId, OWNER, "completed");
    assertEquals(await store.getResult(task.taskId, OWNER), { early: true });
  });

  test("variables_merge_and_null_deletes_a_name", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD, {
      variables: { a: 1, b: { deep: [1] }, c: "x" },
    });
    const merged = await store.setVariables(task.taskId, OWNER, {
      a: null,
      b: { other: 2 },
      d: false,
      missing: null,
    });
    // A name is replaced as a whole, not merged into.
    const expected = { b: { other: 2 }, c: "x", d: false };
    assertEquals(merged.variables, expected);
    const { json } = await stored(store.backend, task.taskId);
    assertEquals(json.variables, expected);
  });

  test("any_name_may_be_a_variable", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    const names = ["__proto__", "constructor", "", "a.b", "ä 👋", "toString"];
    for (const name of names) {
      const one = Object.fromEntries([[name, `value of ${name}`]]);
      await store.setVariables(task.taskId, OWNER, one);
    }
    const { variables } = await store.get(task.taskId, OWNER);
    assertEquals(Object.keys(variables).sort(), names.toSorted());
    for (const name of names) {
      assertEquals(
        Object.getOwnPropertyDescriptor(variables, name)?.value,
        `value of ${name}`,
      );
    }
    for (const name of names) {
      await store.setVariables(
        task.taskId,
        OWNER,
        Object.fromEntries([[name, null]]),
      );
    }
    assertEquals((await store.get(task.taskId, OWNER)).variables, {});
  });

  test("message_stays_goes_or_changes", async (ground) => {
    const store = await ground.open();
    let record = await store.create(OWNER, METHOD, { statusMessage: "first" });
    const message = () => record.task.statusMessage;
    assertEquals(message(), "first");
    record = await store.setVariables(record, OWNER, { n: 1 });
    assertEquals(message(), "first", "a write about something else");
    record = await store.update(record, OWNER, { statusMessage: "second" });
    assertEquals(message(), "second");
    record = await store.update(record, OWNER, { statusMessage: null });
    assert(!("statusMessage" in record.task));
    record = await store.update(record, OWNER, { statusMessage: "third" });
    // A message belongs to its state.
    record = await store.updateStatus(record, OWNER, "input_required");
    assert(!("statusMessage" in record.task));
    assertEquals(await store.get(record.task.taskId, OWNER), record);
  });

  test("task_that_has_ended_keeps_neither_questions_nor_answers", async (ground) => {
    const store = await ground.open();
    const inputRequests = { pin: { method: "elicitation/create" } };
    const inputResponses = { name: { action: "accept" } };
    const ends: Record<string, (task: TaskRecord) => Promise<TaskRecord>> = {
      cancel: (task) => store.cancel(task, OWNER),
      fail: (task) => store.fail(task, OWNER, { code: -1, message: "no" }),
      complete: (task) => store.completeWithResult(task, OWNER, {}),
      update: (task) =>
        store.update(task, OWNER, {
          status: "completed",
          inputRequests,
          inputResponses,
        }),
    };
    for (const [name, end] of Object.entries(ends)) {
      const record = await store.create(OWNER, METHOD);
      const asked = await store.update(record, OWNER, {
        status: "input_required",
        inputRequests,
        inputResponses,
      });
      const ended = await end(asked);
      const { json } = await stored(store.backend, record.task.taskId);
      for (const { inputRequests, inputResponses } of [ended, json]) {
        assertEquals(inputRequests ?? inputResponses, undefined, name);
      }
    }
  });

  test("input_is_asked_for_only_while_required", async (ground) => {
    const store = await ground.open();
    let record = await store.create(OWNER, METHOD);
    const inputRequests = { name: { method: "elicitation/create" } };
    record = await store.update(record, OWNER, {
      status: "input_required",
      inputRequests,
    });
    assertEquals(record.inputRequests, inputRequests);
    record = await store.setVariables(record, OWNER, { n: 1 });
    assertEquals(record.inputRequests, inputRequests);
    const inputResponses = { name: { action: "accept" } };
    record = await store.update(record, OWNER, {
      status: "working",
      inputResponses,
    });
    assertEquals(record.inputRequests, undefined);
    assertEquals(record.inputResponses, inputResponses);
    record = await store.setVariables(record, OWNER, { n: 2 });
    assertEquals(record.inputResponses, inputResponses);
    assertEquals(await store.get(record.task.taskId, OWNER), record);
  });

  test("modify_sees_what_stands_and_may_leave_it", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD, { variables: { n: 1 } });
    let seen: TaskRecord | undefined;
    const same = await store.modify(task.taskId, OWNER, (record) => {
      seen = record;
      return undefined;
    });
    assertEquals(same, seen);
    assertEquals(same.version, 1);
    await store.cancel(task.taskId, OWNER);
    const still = await store.modify(task.taskId, OWNER, () => undefined);
    assertEquals(still.task.status, "cancelled");
    await assertRejects(
      () =>
        store.modify(task.taskId, OWNER, () => {
          throw new SyntaxError("the caller's own");
        }),
      SyntaxError,
      "the caller's own",
    );
  });

  test("modify_refuses_what_is_no_update", async (ground) => {
    const store = await ground.open();
    const record = await store.create(OWNER, METHOD);
    const { taskId } = record.task;
    const before = await stored(store.backend, taskId);
    const wrong: readonly [() => unknown, string][] = [
      [() => Promise.resolve({ status: "completed" }), "a promise"],
      [async () => await Promise.reject(new Error("its own")), "a promise"],
      [() => ({ then() {} }), "a promise"],
      [() => 5, "a number"],
      [() => 0, "a number"],
      [() => [], "an array"],
      [() => "completed", "a string"],
      [() => "", "a string"],
      [() => false, "a boolean"],
      [() => null, "null"],
      [() => new Map([["status", "completed"]]), "an instance of Map"],
    ];
    for (const [change, kind] of wrong) {
      for (const ref of [taskId, record]) {
        await assertRejects(
          () => store.modify(ref, OWNER, change as () => undefined),
          TypeError,
          `change() returned ${kind}: expected `,
        );
        if (kind === "a promise") continue;
        await assertRejects(
          () => store.update(ref, OWNER, change() as TaskUpdate),
          TypeError,
          `update is ${kind}: expected `,
        );
      }
    }
    for (const change of [undefined, null, { status: "completed" }, "cancel"]) {
      await assertRejects(
        () => store.modify(taskId, OWNER, change as unknown as () => undefined),
        TypeError,
        "expected a function",
      );
    }
    assertEquals(await stored(store.backend, taskId), before);
  });

  test("write_returns_what_reading_gives", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD, {
      variables: { when: new Date(0), gone: undefined },
    });
    const results: unknown[] = [
      { nothing: undefined, when: new Date(0), list: [undefined, NaN] },
      "text",
      0,
      false,
      null,
      undefined,
      "half a \ud83d pair, \u0000, \u2028",
    ];
    for (const result of results) {
      const written = await store.setResult(task.taskId, OWNER, result);
      assertEquals(await store.get(task.taskId, OWNER), written);
      assertEquals(
        written.result,
        JSON.parse(JSON.stringify(result ?? null)),
      );
    }
  });

  test("records_handed_out_are_not_what_is_stored", async (ground) => {
    const store = await ground.open();
    const variables = { list: [1] };
    const record = await store.create(OWNER, METHOD, { variables });
    variables.list.push(2);
    (record.variables.list as number[]).push(3);
    const read = await store.get(record.task.taskId, OWNER);
    assertEquals(read.variables, { list: [1] });
    (read.variables.list as number[]).push(4);
    assertEquals((await store.get(record.task.taskId, OWNER)).variables, {
      list: [1],
    });
  });
}
