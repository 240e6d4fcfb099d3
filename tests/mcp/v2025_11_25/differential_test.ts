/**
 * The same random calls on the SDK's in-memory store and on ours: the same
 * answers and the same errors.
 *
 * What README says differs is kept out of the calls (a TTL is always asked
 * for, every call has a session) or, for the result of a cancelled task,
 * compared with what README says instead.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  InMemoryTaskStore,
  type TaskStore as SdkInterface,
} from "@modelcontextprotocol/sdk/experimental/tasks";
import fc from "fast-check";
import {
  MemoryBackend,
  SdkTaskStore,
  type StorageBackend,
  TASK_STATUSES,
  TaskStore,
} from "../../../mod.ts";
import { redisTest } from "../../support/redis_fixture.ts";

type Call =
  | { op: "create"; ttl: number | null; pollInterval?: number }
  | { op: "get" | "result"; task: number }
  | { op: "store"; task: number; status: "completed" | "failed"; n: number }
  | {
    op: "update";
    task: number;
    status: typeof TASK_STATUSES[number];
    message?: string;
  }
  | { op: "list"; cursor: "first" | "next" | "bogus" };
type SessionCall = Call & { session: string };

const task = fc.integer({ min: 0, max: 15 });
const sessionCall: fc.Arbitrary<SessionCall> = fc.tuple(
  fc.constantFrom("session 1", "session 1", "session:2"),
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record<Call & { op: "create" }>({
        op: fc.constant("create"),
        ttl: fc.constantFrom(60_000, 3600_000, null),
        pollInterval: fc.constantFrom(250, undefined),
      }),
    },
    fc.record({ op: fc.constantFrom("get" as const, "result" as const), task }),
    fc.record({
      op: fc.constant("store" as const),
      task,
      status: fc.constantFrom("completed" as const, "failed" as const),
      n: fc.nat(9),
    }),
    fc.record({
      op: fc.constant("update" as const),
      task,
      status: fc.constantFrom(...TASK_STATUSES, "working" as const),
      message: fc.constantFrom("", "half way", "ü", undefined),
    }),
    fc.record({
      op: fc.constant("list" as const),
      cursor: fc.constantFrom("first", "next", "next", "bogus" as const),
    }),
  ),
).map(([session, call]) => ({ ...call, session }) as SessionCall);

/** A store under test, and what is remembered of it between calls. */
class Side {
  readonly store: SdkInterface;
  /** The ids of all tasks made, in order. */
  readonly ids: string[] = [];
  readonly #cursors = new Map<string, string | undefined>();

  constructor(store: SdkInterface) {
    this.store = store;
  }

  id(task: number): string {
    return this.ids[task] ?? `unknown-${task}`;
  }

  /** The answer or the error, with ids by number and times left out. */
  async call(call: SessionCall): Promise<unknown> {
    try {
      return this.#normal(await this.#call(call));
    } catch (error) {
      return this.#normal({ error: (error as Error).message });
    }
  }

  async #call(call: SessionCall): Promise<unknown> {
    const { session } = call;
    switch (call.op) {
      case "create": {
        const { ttl, pollInterval } = call;
        const request = { method: "tools/call", params: {} };
        const task = await this.store
          .createTask({ ttl, pollInterval }, 1, request, session);
        this.ids.push(task.taskId);
        return task;
      }
      case "get":
        return await this.store.getTask(this.id(call.task), session);
      case "result":
        return await this.store.getTaskResult(this.id(call.task), session);
      case "store": {
        const { status, n } = call;
        const content = [{ type: "text", text: `${n}` }];
        return await this.store
          .storeTaskResult(this.id(call.task), status, { content }, session);
      }
      case "update":
        return await this.store.updateTaskStatus(
          this.id(call.task),
          call.status,
          call.message,
          session,
        );
      case "list": {
        const cursor = call.cursor === "bogus"
          ? "bogus"
          : call.cursor === "next"
          ? this.#cursors.get(session)
          : undefined;
        const page = await this.store.listTasks(cursor, session);
        this.#cursors.set(session, page.nextCursor);
        return { ...page, nextCursor: page.nextCursor !== undefined };
      }
    }
  }

  #normal(answer: unknown): unknown {
    let json = JSON.stringify(answer ?? null, (name, value) => {
      const isTime = name === "createdAt" || name === "lastUpdatedAt";
      if (isTime) assert(Math.abs(Date.parse(value) - Date.now()) < 60_000);
      return isTime ? "a time" : value;
    });
    for (const [n, id] of this.ids.entries()) {
      json = json.replaceAll(id, `#${n}`);
    }
    return JSON.parse(json);
  }
}

async function sameAnswers(backend: StorageBackend, runs: number) {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sessionCall, { minLength: 1, maxLength: 60, size: "max" }),
      async (calls) => {
        const tasks = new TaskStore(backend, {
          retention: "completion",
          limits: { maxTtlMs: Infinity },
        });
        const memory = new InMemoryTaskStore();
        const theirs = new Side(memory);
        const ours = new Side(new SdkTaskStore(tasks));
        try {
          for (const call of calls) {
            const [expected, actual] = [
              await theirs.call(call),
              await ours.call(call),
            ];
            if (await isCancelledResult(theirs, call, expected)) {
              assert((actual as { isError?: boolean }).isError);
            } else assertEquals(actual, expected, JSON.stringify(call));
          }
        } finally {
          memory.cleanup();
          // Those without end would stay indefinitely.
          for (const id of ours.ids) {
            await tasks.delete(id, "session 1") ||
              await tasks.delete(id, "session:2");
          }
        }
      },
    ),
    { numRuns: runs },
  );
}

/** The one answer that differs: a cancelled task has a result of its own. */
async function isCancelledResult(
  side: Side,
  call: SessionCall,
  answer: unknown,
): Promise<boolean> {
  if (call.op !== "result") return false;
  const { error } = answer as { error?: string };
  if (!error?.includes("has no result stored")) return false;
  const task = await side.store.getTask(side.id(call.task), call.session);
  return task?.status === "cancelled";
}

Deno.test("sdk_store_answers_as_the_sdks_own_in_memory", async () => {
  await using backend = new MemoryBackend();
  await sameAnswers(backend, 150);
});

redisTest("sdk_store_answers_as_the_sdks_own", async (redis) => {
  const backend = await redis.connect();
  await sameAnswers(backend, 20);
});
