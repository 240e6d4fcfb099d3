/**
 * The operations of `TaskStore`, and beside each what the original's access
 * pattern does for the same purpose, on the same kind of connection.
 *
 * @module
 */

import { TaskStore } from "../../mod.ts";
import { type Bed, forEach, PREFIX } from "./bed.ts";
import type { Operation } from "./operation.ts";
import { OriginalPattern } from "./original.ts";

/** The operations, by the name both sides share. */
export const TASKS = {
  create: "create",
  createBeside: "create beside 90 tasks",
  get: "get",
  updateRecord: "update by record",
  updateId: "update by id",
  complete: "complete",
  page: "page of 50",
  list: "list of 1,000",
} as const;

/** The name of our side in the tables. */
export function oursOf(task: string): string {
  return `TaskStore: ${task}`;
}

/** The name of the original's side in the tables. */
export function originalOf(task: string): string {
  return `original: ${task}`;
}

/** Tasks of one owner that a round works on. */
const PER_OWNER = 20;
const BESIDE = 90;
const LISTED = 1_000;

let groups = 0;
const newGroup = () => `new-task${++groups}`;

/** Both sides of every operation; only ours in short runs. */
export async function taskOperations(bed: Bed): Promise<Operation[]> {
  if (bed.settings.short) return taskStoreOperations(bed);
  const original = await new OriginalPattern(bed.tuned, `${PREFIX}-original`)
    .open();
  return [...taskStoreOperations(bed), ...originalOperations(bed, original)];
}

type Held = Awaited<ReturnType<TaskStore["get"]>>;

/** An owner of a group: {@linkcode PER_OWNER} tasks each. */
function ownerOf(group: string, i: number): string {
  return `${group}-${Math.floor(i / PER_OWNER)}`;
}

function taskStoreOperations(bed: Bed): Operation[] {
  const store = new TaskStore(bed.backend);
  const variables = { text: "x".repeat(Math.max(1, bed.settings.bytes - 340)) };
  const create = (owner: string) =>
    store.create(owner, "tools/call", { variables });
  const fill = async (group: string, count: number) => {
    const held: Held[] = [];
    await forEach(count, async (i) => {
      held[i] = await create(ownerOf(group, i));
    });
    return held;
  };
  const standing = once((count: number) => fill(crypto.randomUUID(), count));
  const listed = once(async (count: number) => {
    const owner = crypto.randomUUID();
    await forEach(count, async () => {
      // Finished ones: the active ones of an owner are bounded.
      const held = await create(owner);
      await store.completeWithResult(held, owner, null);
    }, 32);
    return owner;
  });
  return [
    {
      name: oursOf(TASKS.create),
      prepare: () => {
        const group = newGroup();
        return Promise.resolve((i) => create(ownerOf(group, i)));
      },
    },
    {
      name: oursOf(TASKS.createBeside),
      slower: 20,
      prepare: async (calls) => {
        const group = newGroup();
        const owners = Math.ceil(calls / 10);
        await forEach(owners * BESIDE, (i) => create(`${group}-${i % owners}`));
        return (i) => create(`${group}-${i % owners}`);
      },
    },
    {
      name: oursOf(TASKS.get),
      prepare: async (calls) => {
        const held = await standing(calls);
        return (i) => store.get(held[i]!.task.taskId, held[i]!.ownerId);
      },
    },
    {
      name: oursOf(TASKS.updateRecord),
      prepare: async (calls) => {
        const group = newGroup();
        const held = await fill(group, calls);
        return (i) => store.setVariables(held[i]!, held[i]!.ownerId, { n: i });
      },
    },
    {
      name: oursOf(TASKS.updateId),
      prepare: async (calls) => {
        const held = await standing(calls);
        return (i) => {
          const { task, ownerId } = held[i]!;
          return store.setVariables(task.taskId, ownerId, { n: i });
        };
      },
    },
    {
      name: oursOf(TASKS.complete),
      prepare: async (calls) => {
        const held = await fill(newGroup(), calls);
        return (i) => {
          const { task, ownerId } = held[i]!;
          return store.completeWithResult(task.taskId, ownerId, { n: i });
        };
      },
    },
    {
      name: oursOf(TASKS.page),
      slower: 100,
      inflight: 1,
      prepare: async () => {
        const owner = await listed(LISTED);
        return () => store.list(owner, { limit: 50 });
      },
    },
    {
      name: oursOf(TASKS.list),
      slower: 1000,
      inflight: 1,
      prepare: async () => {
        const owner = await listed(LISTED);
        return () => store.list(owner, { limit: LISTED });
      },
    },
  ];
}

function originalOperations(
  bed: Bed,
  original: OriginalPattern,
): Operation[] {
  const make = () => ({
    task: {
      taskId: crypto.randomUUID() as string,
      status: "working",
      createdAt: new Date().toISOString(),
      lastUpdatedAt: new Date().toISOString(),
      ttl: 3_600_000,
      pollInterval: 500,
    },
    ownerId: "someone",
    variables: {
      text: "x".repeat(Math.max(1, bed.settings.bytes - 340)),
    } as Record<string, unknown>,
    result: null as unknown,
    requestMethod: "tools/call",
    expiresAt: new Date(bed.expiresAt).toISOString(),
    version: 0,
  });
  const create = (owner: string) => original.create(owner, make());
  const fill = async (group: string, count: number) => {
    const held: { owner: string; taskId: string }[] = [];
    await forEach(count, async (i) => {
      const owner = ownerOf(group, i);
      const task = make();
      await original.put(owner, task);
      held[i] = { owner, taskId: task.task.taskId };
    });
    return held;
  };
  const standing = once((count: number) => fill(crypto.randomUUID(), count));
  const listed = once(async (count: number) => {
    const owner = crypto.randomUUID();
    await forEach(count, () => original.put(owner, make()));
    return owner;
  });
  const update: Operation["prepare"] = async (calls) => {
    const held = await standing(calls);
    return (i) =>
      original.mutate(held[i]!.owner, held[i]!.taskId, (task) => {
        task.variables.n = i;
      });
  };
  return [
    {
      name: originalOf(TASKS.create),
      prepare: () => {
        const group = newGroup();
        return Promise.resolve((i) => create(ownerOf(group, i)));
      },
    },
    {
      name: originalOf(TASKS.createBeside),
      slower: 20,
      prepare: async (calls) => {
        const group = newGroup();
        const owners = Math.ceil(calls / 10);
        await forEach(
          owners * BESIDE,
          (i) => original.put(`${group}-${i % owners}`, make()),
        );
        return (i) => create(`${group}-${i % owners}`);
      },
    },
    {
      name: originalOf(TASKS.get),
      prepare: async (calls) => {
        const held = await standing(calls);
        return (i) => original.get(held[i]!.owner, held[i]!.taskId);
      },
    },
    { name: originalOf(TASKS.updateRecord), prepare: update },
    { name: originalOf(TASKS.updateId), prepare: update },
    {
      name: originalOf(TASKS.complete),
      prepare: async (calls) => {
        const held = await fill(newGroup(), calls);
        return (i) =>
          original.mutate(held[i]!.owner, held[i]!.taskId, (task) => {
            task.task.status = "completed";
            task.result = { n: i };
          });
      },
    },
    ...[[TASKS.page, 50, 100], [TASKS.list, LISTED, 1000]].map((
      [name, limit, slower],
    ): Operation => ({
      name: originalOf(name as string),
      slower: slower as number,
      inflight: 1,
      prepare: async () => {
        const owner = await listed(LISTED);
        return async () => (await original.list(owner)).slice(0, Number(limit));
      },
    })),
  ];
}

/** Does something for the first caller, and for every later one the same. */
function once<A, T>(make: (argument: A) => Promise<T>): (a: A) => Promise<T> {
  let made: Promise<T> | undefined;
  return (argument) => made ??= make(argument);
}
