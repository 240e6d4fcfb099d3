/**
 * Random commands of several owners through two stores, against a plain model.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  InvalidTransitionError,
  type StorageBackend,
  TASK_STATUSES,
  TaskError,
  type TaskRecord,
  type TaskRef,
  TaskStore,
} from "../../../mod.ts";
import type { TaskTest, TestEnv } from "./env.ts";
import { type Command, type ModelTask, TaskModel } from "./model.ts";

const OWNERS = ["a", "a:b"];
const IDS = ["t", "b:t", "u"];
const HOUR_MS = 3600_000;
const QUOTA = 3;
const ACTIVE_QUOTA = 2;

const ttlMs = fc.constantFrom(1000, HOUR_MS, 20 * HOUR_MS, 24 * HOUR_MS);
const method = fc.constantFrom("tools/call", "tools/call", "prompts/get");
const variables = fc.dictionary(
  fc.constantFrom("x", "y", "__proto__"),
  fc.option(fc.integer()),
  { noNullPrototype: true },
);

/** Kinds of commands: how often, which, and with what. */
const command = fc.oneof(
  kind(9, ["create"], { method, ttlMs }),
  kind(3, ["get", "getResult", "list"], {}),
  kind(1, ["delete"], {}),
  kind(4, ["status"], {
    to: fc.constantFrom(...TASK_STATUSES),
    text: fc.option(fc.string(), { nil: undefined }),
  }),
  kind(3, ["variables"], { set: variables }),
  kind(2, ["complete", "result"], { result: fc.integer() }),
  kind(1, ["fail"], { code: fc.integer() }),
  kind(2, ["touch"], { ttlMs }),
  kind(5, ["lease", "renew"], {
    holder: fc.constantFrom("v", "w", "w"),
    forMs: fc.constantFrom(1, 1000, HOUR_MS),
  }),
  kind(1, ["release"], { holder: fc.constantFrom("v", "w") }),
  kind(3, ["pass"], {
    ms: fc.constantFrom(1, 1000, 1000, HOUR_MS, 23 * HOUR_MS),
  }),
) as fc.Arbitrary<Command>;

function kind(
  weight: number,
  kinds: readonly Command["kind"][],
  fields: Record<string, fc.Arbitrary<unknown>>,
) {
  return {
    weight,
    arbitrary: fc.record({
      kind: fc.constantFrom(...kinds),
      owner: fc.constantFrom(...OWNERS),
      id: fc.constantFrom(...IDS),
      via: fc.constantFrom("id", "latest", "first"),
      aimed: fc.constantFrom(true, true, true, false),
      ...fields,
    }),
  };
}

export function propertyTests(test: TaskTest): void {
  for (const retention of ["creation", "completion"] as const) {
    test(
      `answers_as_a_plain_model_with_retention_${retention}`,
      async (ground) => {
        const backends = [await ground.open(), await ground.open()]
          .map(({ backend }) => backend);
        let run = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(command, { maxLength: 50, size: "max" }),
            (commands) => {
              const place = { ground, backends, retention, run: ++run };
              return compare(commands, place);
            },
          ),
          { numRuns: ground.movesTheClock ? 300 : 60 },
        );
      },
      { frozen: true },
    );
  }
}

interface Place {
  readonly ground: TestEnv;
  readonly backends: readonly StorageBackend[];
  readonly retention: "creation" | "completion";
  /** Every owner's name ends in it: no run sees another's tasks. */
  readonly run: number;
}

async function compare(
  commands: readonly Command[],
  { ground, backends, retention, run }: Place,
): Promise<void> {
  const expires = ground.movesTheClock;
  const model = new TaskModel(ground.now(), {
    quota: QUOTA,
    activeQuota: ACTIVE_QUOTA,
    retention,
    expires,
  });
  const options = {
    clock: () => model.now,
    retention,
    limits: {
      maxTasksPerOwner: QUOTA,
      maxActiveTasksPerOwner: ACTIVE_QUOTA,
      maxTtlMs: 1000 * HOUR_MS,
    },
  };
  const stores = backends.map((backend) => new TaskStore(backend, options));
  const seen = new Map<string, TaskRecord[]>();
  for (const [n, random] of commands.entries()) {
    const owner = `${random.owner} ${run}`;
    const command: Command = { ...random, owner, id: model.aim(random, owner) };
    if ("ttlMs" in command && !expires) {
      // Where the storage's clock is not the test's, nothing may end.
      Object.assign(command, { ttlMs: command.ttlMs + 100 * HOUR_MS });
    }
    if ("forMs" in command && !expires) {
      Object.assign(command, { forMs: command.forMs + 100 * HOUR_MS });
    }
    const key = `${owner} ${command.id}`;
    const expected = model.run(command);
    if (command.kind === "pass") {
      if (expires) await ground.elapse(command.ms);
      continue;
    }
    // A record may be of any age, but not of a task that is gone: that is told
    // apart from a missing one, which the model does not do.
    if (command.kind === "delete") seen.delete(key);
    const task = model.find(owner, command.id);
    const records = (seen.get(key) ?? [])
      .filter((one) => Date.parse(one.task.createdAt) === task?.createdAt);
    const record = records.at(command.via === "first" ? 0 : -1);
    const ref = command.via === "id" ? command.id : record ?? command.id;
    const actual = await answer(stores[n % 2]!, command, owner, ref);
    // A renewal reads nothing: it answers with the record it was given.
    const known = command.kind === "renew" ? leaseAlone : withoutEstimates;
    assertEquals(
      known(actual.answer),
      known(expected),
      `${n}: ${JSON.stringify(command)}`,
    );
    if (actual.record) {
      // A record from before a lease does not know of it.
      const earlier = command.kind === "lease" ? [] : records;
      seen.set(key, [...earlier, actual.record]);
    }
  }
  for (const owner of OWNERS) {
    for (const id of IDS) await stores[0]!.delete(id, `${owner} ${run}`);
  }
}

async function answer(
  store: TaskStore,
  command: Command,
  owner: string,
  ref: TaskRef,
): Promise<{ answer: unknown; record?: TaskRecord }> {
  try {
    const value = await call(store, command, owner, ref);
    return isRecord(value)
      ? { answer: project(value), record: value }
      : { answer: Array.isArray(value) ? value.map(project) : value };
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    return {
      answer: error instanceof InvalidTransitionError
        ? [error.name, error.from]
        : [error.name],
    };
  }
}

async function call(
  store: TaskStore,
  command: Command,
  owner: string,
  ref: TaskRef,
): Promise<unknown> {
  switch (command.kind) {
    case "create":
      return await store.create(owner, command.method, {
        taskId: command.id,
        ttlMs: command.ttlMs,
      });
    case "get":
      return await store.get(command.id, owner);
    case "getResult":
      return await store.getResult(command.id, owner);
    case "delete":
      return await store.delete(command.id, owner);
    case "list":
      return (await store.list(owner)).tasks;
    case "status":
      return await store.updateStatus(ref, owner, command.to, command.text);
    case "variables":
      return await store.setVariables(ref, owner, command.set);
    case "complete":
      return await store.completeWithResult(ref, owner, command.result);
    case "result":
      return await store.setResult(ref, owner, command.result);
    case "fail":
      return await store.fail(ref, owner, {
        code: command.code,
        message: "failed on purpose",
      });
    case "touch":
      return await store.touch(ref, owner, { ttlMs: command.ttlMs });
    case "lease":
    case "renew":
      return await store[command.kind](ref, owner, command);
    case "release":
      return await store.release(command.id, owner, command);
    case "pass":
      throw new Error("not a command of a store");
  }
}

function isRecord(value: unknown): value is TaskRecord {
  return typeof value === "object" && value !== null && "task" in value;
}

/** The end of a lease, which records only estimate. */
const NO_ESTIMATE = 0;

/** An answer of the model, without what a store only estimates. */
function withoutEstimates(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEstimates);
  return typeof value === "object" && value !== null && "leaseEnd" in value
    ? { ...value, leaseEnd: NO_ESTIMATE }
    : value;
}

/** The task and its holder, or the error. */
function leaseAlone(value: unknown): unknown {
  if (Array.isArray(value)) return value;
  const { id, holder } = value as ModelTask;
  return { id, holder };
}

/** What the model knows of a record. */
function project(record: TaskRecord): ModelTask {
  const { task, lease, lostLease } = record;
  const lost = lostLease !== undefined;
  return {
    id: task.taskId,
    owner: record.ownerId,
    method: record.requestMethod,
    status: task.status,
    message: lost ? "worker lost" : task.statusMessage,
    variables: record.variables as Record<string, number>,
    result: record.result as number | null,
    code: record.error?.code,
    holder: lease?.holder ?? lostLease?.holder,
    leaseEnd: NO_ESTIMATE,
    lost,
    createdAt: Date.parse(task.createdAt),
    updatedAt: Date.parse(task.lastUpdatedAt),
    expiresAt: Date.parse(record.expiresAt!),
    version: record.version,
  };
}
