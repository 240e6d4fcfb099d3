/**
 * The status machine: every state against every mutation, by id and by record.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  canTransition,
  InvalidTransitionError,
  isFinalStatus,
  LeaseLostError,
  TASK_STATUSES,
  type TaskRecord,
  type TaskRef,
  type TaskStatus,
  type TaskStore,
} from "../../../mod.ts";
import {
  OWNER,
  rejection,
  ROOMY,
  settled,
  stored,
  taskIn,
  type TaskTest,
} from "./env.ts";

/** One way to change a task. */
export interface Mutation {
  readonly name: string;
  /** Where it takes the task; left out: the state stays. */
  readonly to?: TaskStatus;
  readonly run: (
    store: TaskStore,
    task: TaskRef,
    owner?: string,
  ) => Promise<TaskRecord>;
}

const HOLDER = "worker-1";
const LEASE = { forMs: 60_000, holder: HOLDER };
const ERROR = { code: -32001, message: "it broke", data: { at: "step 2" } };

/** Every mutation there is, towards every state. */
export const MUTATIONS: readonly Mutation[] = [
  ...TASK_STATUSES.flatMap((to): Mutation[] => [
    {
      name: `updateStatus to ${to}`,
      to,
      run: (store, task, owner = OWNER) => store.updateStatus(task, owner, to),
    },
    {
      name: `update to ${to}`,
      to,
      run: (store, task, owner = OWNER) =>
        store.update(task, owner, {
          status: to,
          variables: { n: 1 },
          result: "r",
        }),
    },
    {
      name: `modify to ${to}`,
      to,
      run: (store, task, owner = OWNER) =>
        store.modify(task, owner, () => ({ status: to })),
    },
  ]),
  {
    name: "update of the message",
    run: (store, task, owner = OWNER) =>
      store.update(task, owner, { statusMessage: "still at it" }),
  },
  {
    name: "modify of a variable",
    run: (store, task, owner = OWNER) =>
      store.modify(task, owner, () => ({ variables: { n: 1 } })),
  },
  {
    name: "setVariables",
    run: (store, task, owner = OWNER) =>
      store.setVariables(task, owner, { n: 1 }),
  },
  {
    name: "setResult",
    run: (store, task, owner = OWNER) => store.setResult(task, owner, "r"),
  },
  {
    name: "touch",
    run: (store, task, owner = OWNER) =>
      store.touch(task, owner, { ttlMs: 7_200_000 }),
  },
  {
    name: "lease",
    run: (store, task, owner = OWNER) => store.lease(task, owner, LEASE),
  },
  {
    name: "renew",
    run: (store, task, owner = OWNER) => store.renew(task, owner, LEASE),
  },
  {
    name: "completeWithResult",
    to: "completed",
    run: (store, task, owner = OWNER) =>
      store.completeWithResult(task, owner, "r", "done"),
  },
  {
    name: "fail",
    to: "failed",
    run: (store, task, owner = OWNER) => store.fail(task, owner, ERROR),
  },
  {
    name: "cancel",
    to: "cancelled",
    run: (store, task, owner = OWNER) => store.cancel(task, owner, "enough"),
  },
];

export function transitionTests(test: TaskTest): void {
  for (const from of TASK_STATUSES) {
    for (const by of ["id", "record"] as const) {
      test(`every_mutation_of_a_task_that_is_${from}_by_${by}`, async (ground) => {
        const store = await ground.open({ limits: ROOMY });
        for (const mutation of MUTATIONS) {
          const record = await prepare(store, from, mutation);
          const ref = by === "id" ? record.task.taskId : record;
          if (allows(from, mutation)) {
            await succeeds(store, record, mutation, ref);
          } else await refuses(store, record, mutation, ref);
        }
      });
    }
  }

  test("the_machine_knows_exactly_these_moves", () => {
    const moves = TASK_STATUSES.flatMap((from) =>
      TASK_STATUSES.filter((to) => canTransition(from, to))
        .map((to) => `${from} ${to}`)
    );
    assertEquals(moves, [
      "working input_required",
      "working completed",
      "working failed",
      "working cancelled",
      "input_required working",
      "input_required completed",
      "input_required failed",
      "input_required cancelled",
    ]);
    assertEquals(TASK_STATUSES.filter(isFinalStatus), [
      "completed",
      "failed",
      "cancelled",
    ]);
    return Promise.resolve();
  });
}

async function prepare(
  store: TaskStore,
  from: TaskStatus,
  mutation: Mutation,
): Promise<TaskRecord> {
  const record = await taskIn(store, from);
  return mutation.name === "renew" && !isFinalStatus(from)
    ? await store.lease(record, OWNER, { forMs: 1000, holder: HOLDER })
    : record;
}

/** As the issue says it, not as the source does. */
function allows(from: TaskStatus, { to }: Mutation): boolean {
  return (from === "working" || from === "input_required") && from !== to;
}

async function succeeds(
  store: TaskStore,
  before: TaskRecord,
  { name, to, run }: Mutation,
  ref: TaskRef,
): Promise<void> {
  const { taskId, status } = before.task;
  const after = await run(store, ref);
  const what = `${name} of a ${status} task`;
  assertEquals(after.task.status, to ?? status, what);
  // A lease is kept beside the record: it is no new version.
  const isLease = name === "lease" || name === "renew";
  assertEquals(after.version, before.version + (isLease ? 0 : 1), what);
  assertEquals(settled(await store.get(taskId, OWNER)), settled(after), what);
  assertEquals(after.task.createdAt, before.task.createdAt, what);
  assert(after.task.lastUpdatedAt >= before.task.lastUpdatedAt, what);
}

async function refuses(
  store: TaskStore,
  before: TaskRecord,
  { name, to, run }: Mutation,
  ref: TaskRef,
): Promise<void> {
  const { taskId, status } = before.task;
  const standing = await stored(store.backend, taskId);
  const what = `${name} of a ${status} task`;
  const error = await rejection(run(store, ref), InvalidTransitionError, what);
  assert(!(error instanceof LeaseLostError), what);
  assertEquals(
    [error.name, error.code, error.taskId, error.from, error.to],
    ["InvalidTransitionError", -32602, taskId, status, to ?? status],
    what,
  );
  assert(error.message.includes(status), error.message);
  assertEquals(await stored(store.backend, taskId), standing, what);
}
