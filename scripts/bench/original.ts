/**
 * The access pattern of the Rust crate pmcp-tasks, which this library began
 * as: what it sends for each operation of its task store, in its own layout,
 * and no more computing than that needs.
 *
 * @module
 */

import type { RawClient } from "./bed.ts";

/** What both writes do once they know the next version. */
const STORE = `
redis.call('HSET', KEYS[1], 'version', tostring(next), 'data', ARGV[1])
redis.call('HSET', KEYS[1], 'expires_at', ARGV[2])
redis.call('EXPIREAT', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], 'NX', ARGV[3], ARGV[4])`;

/** Writes whatever is stored. */
const WRITE = `
local next = 1 + (redis.call('HGET', KEYS[1], 'version') or 0)
${STORE}
return next`;

/** Writes at an expected version. */
const COMPARE_AND_WRITE = `
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return {-1, 0} end
local next = tonumber(version) + 1
if tonumber(version) ~= tonumber(ARGV[5]) then return {0, next - 1} end
${STORE}
return {1, next}`;

/** A task, as far as the pattern reads it. */
interface OriginalTask {
  task: { taskId: string; status: string; createdAt: string };
  variables: Record<string, unknown>;
  result: unknown;
  expiresAt: string;
  version: number;
}

/** A task store as that crate's, on one connection. */
export class OriginalPattern {
  readonly #client: RawClient;
  readonly #prefix: string;
  #write = "";
  #compareAndWrite = "";

  constructor(client: RawClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  /** Loads the scripts. */
  async open(): Promise<this> {
    this.#write = await this.#client.scriptLoad(WRITE);
    this.#compareAndWrite = await this.#client.scriptLoad(COMPARE_AND_WRITE);
    return this;
  }

  /** Counts the owner's tasks by reading them all, then writes one. */
  async create(owner: string, task: OriginalTask): Promise<OriginalTask> {
    await this.list(owner);
    await this.put(owner, task);
    return task;
  }

  /** Writes a task without counting. */
  async put(owner: string, task: OriginalTask): Promise<void> {
    await this.#client.evalSha(this.#write, this.#input(owner, task, []));
  }

  async get(owner: string, taskId: string): Promise<OriginalTask> {
    const fields = await this.#client.hGetAll(this.#hash(owner, taskId));
    const task = this.#live(fields);
    if (task === undefined) throw new Error(`no task ${taskId}`);
    return task;
  }

  /** Reads, changes and writes if it is still the one that was read. */
  async mutate(
    owner: string,
    taskId: string,
    change: (task: OriginalTask) => void,
  ): Promise<OriginalTask> {
    const task = await this.get(owner, taskId);
    const expected = String(task.version);
    change(task);
    const [code] = await this.#client.evalSha(
      this.#compareAndWrite,
      this.#input(owner, task, [expected]),
    ) as [number, number];
    if (code !== 1) throw new Error(`conflict at ${taskId}`);
    return task;
  }

  /** Reads the owner's index, then one task after the other; then sorts. */
  async list(owner: string): Promise<OriginalTask[]> {
    const ids = await this.#client.zRange(this.#index(owner), 0, -1);
    const tasks: OriginalTask[] = [];
    for (const id of ids) {
      const task = this.#live(
        await this.#client.hGetAll(this.#hash(owner, id)),
      );
      if (task !== undefined) tasks.push(task);
    }
    return tasks.sort((a, b) => a.task.createdAt < b.task.createdAt ? 1 : -1);
  }

  #live(fields: Record<string, string>): OriginalTask | undefined {
    const { version, data, expires_at: end } = fields;
    if (version === undefined || data === undefined) return undefined;
    if (end !== undefined && Number(end) * 1000 <= Date.now()) return undefined;
    const task = JSON.parse(data);
    task.version = Number(version);
    return task;
  }

  #input(owner: string, task: OriginalTask, more: string[]) {
    const { taskId, createdAt } = task.task;
    return {
      keys: [this.#hash(owner, taskId), this.#index(owner)],
      arguments: [
        JSON.stringify(task),
        String(Math.floor(Date.parse(task.expiresAt) / 1000)),
        String(Date.parse(createdAt)),
        taskId,
        ...more,
      ],
    };
  }

  #hash(owner: string, taskId: string): string {
    return `${this.#prefix}:tasks:${owner}:${taskId}`;
  }

  #index(owner: string): string {
    return `${this.#prefix}:idx:${owner}`;
  }
}
