/**
 * The task domain as plainly as it can be said: maps, no storage, no races.
 * The property test compares a store with it, answer by answer.
 *
 * @module
 */

import { isFinalStatus, type TaskStatus } from "../../../mod.ts";

/** One random command, by one owner on one task. */
export type Command =
  & {
    readonly owner: string;
    readonly id: string;
    /** Named by its id, or by a record of it, the latest seen or the first. */
    readonly via: "id" | "latest" | "first";
    /** Whether it goes for a task there is, if its owner has one. */
    readonly aimed: boolean;
  }
  & (
    | {
      readonly kind: "create";
      readonly method: string;
      readonly ttlMs: number;
    }
    | { readonly kind: "get" | "getResult" | "delete" | "list" }
    | {
      readonly kind: "status";
      readonly to: TaskStatus;
      readonly text?: string;
    }
    | {
      readonly kind: "variables";
      readonly set: Record<string, number | null>;
    }
    | { readonly kind: "complete" | "result"; readonly result: number }
    | { readonly kind: "fail"; readonly code: number }
    | { readonly kind: "touch"; readonly ttlMs: number }
    | {
      readonly kind: "lease" | "renew";
      readonly holder: string;
      readonly forMs: number;
    }
    | { readonly kind: "release"; readonly holder: string }
    | { readonly kind: "pass"; readonly ms: number }
  );

/** What is known of a task. */
export interface ModelTask {
  id: string;
  owner: string;
  method: string;
  status: TaskStatus;
  message: string | undefined;
  variables: Record<string, number>;
  result: number | null;
  code: number | undefined;
  holder: string | undefined;
  leaseEnd: number;
  lost: boolean;
  createdAt: number;
  updatedAt: number;
  expiresAt: number;
  version: number;
}

/** A refusal: the error's name, and for a bad move the state it met. */
export type Refusal = readonly [string, TaskStatus?];

export interface ModelOptions {
  /** The live tasks an owner may have. */
  readonly quota: number;
  /** The active tasks an owner may have. */
  readonly activeQuota: number;
  readonly retention: "creation" | "completion";
  /** Whether the storage's clock follows the store's. */
  readonly expires: boolean;
}

/** See the module. */
export class TaskModel {
  now: number;
  readonly #tasks = new Map<string, ModelTask>();
  readonly #options: ModelOptions;

  constructor(now: number, options: ModelOptions) {
    this.now = now;
    this.#options = options;
  }

  /** The answer, or the refusal. */
  run(command: Command): unknown {
    const { owner, id } = command;
    if (command.kind === "pass") {
      this.now += command.ms;
      return "passed";
    }
    if (command.kind === "create") return this.#create(command);
    if (command.kind === "list") {
      const own = this.#of(owner).map((task) => this.#settled(task));
      // The newest first; of one millisecond, the one made last.
      return own.toReversed().sort((a, b) => b.createdAt - a.createdAt)
        .map((task) => ({ ...task }));
    }
    const task = this.find(owner, id);
    if (command.kind === "delete") {
      return this.#tasks.delete(`${owner} ${id}`) && task !== undefined;
    }
    if (task === undefined) return ["TaskNotFoundError"];
    if (command.kind === "get") return { ...this.#settled(task) };
    if (command.kind === "getResult") {
      this.#settled(task);
      return isFinalStatus(task.status) ? task.result : ["TaskNotReadyError"];
    }
    if (command.kind === "release") {
      return this.#release(this.#settled(task), command.holder);
    }
    return this.#change(this.#settled(task), command);
  }

  /** The live task, as it was last written. */
  find(owner: string, id: string): ModelTask | undefined {
    return this.#of(owner).find((task) => task.id === id);
  }

  /** The id the command is about. */
  aim({ kind, id, aimed }: Command, owner: string): string {
    const misses = kind !== "create" && this.find(owner, id) === undefined;
    return aimed && misses ? this.#of(owner)[0]?.id ?? id : id;
  }

  #of(owner: string): ModelTask[] {
    return [...this.#tasks.values()].filter((task) =>
      task.owner === owner &&
      (!this.#options.expires || task.expiresAt > this.now)
    );
  }

  #create(
    { owner, id, method, ttlMs }: Command & { kind: "create" },
  ): unknown {
    const standing = this.find(owner, id);
    if (standing) {
      this.#settled(standing);
      return standing.method === method ? { ...standing } : ["TaskExistsError"];
    }
    const own = this.#of(owner);
    // One that has lost its worker is active until someone looks at it.
    const active = own.filter(({ status }) => !isFinalStatus(status));
    if (
      own.length >= this.#options.quota ||
      active.length >= this.#options.activeQuota
    ) return ["ResourceExhaustedError"];
    const task: ModelTask = {
      id,
      owner,
      method,
      status: "working",
      message: undefined,
      variables: {},
      result: null,
      code: undefined,
      holder: undefined,
      leaseEnd: Infinity,
      lost: false,
      createdAt: this.now,
      updatedAt: this.now,
      expiresAt: this.now + ttlMs,
      version: 1,
    };
    // Behind all others, also where one of its id was there before.
    this.#tasks.delete(`${owner} ${id}`);
    this.#tasks.set(`${owner} ${id}`, task);
    return { ...task };
  }

  #change(task: ModelTask, command: Command): unknown {
    const to = targetOf(command) ?? task.status;
    const onlyMessage = command.kind === "status" && command.text !== undefined;
    if (
      isFinalStatus(task.status) ||
      targetOf(command) === task.status && !onlyMessage
    ) {
      return task.lost
        ? ["LeaseLostError", "failed"]
        : ["InvalidTransitionError", task.status];
    }
    if (command.kind === "lease" || command.kind === "renew") {
      const taken = task.holder !== command.holder &&
        (task.holder !== undefined || command.kind === "renew");
      if (taken) return ["LeaseHeldError"];
      task.holder = command.holder;
      // Where the storage's clock is not the test's, none runs out.
      task.leaseEnd = this.#options.expires
        ? this.now + command.forMs
        : Infinity;
      return { ...task };
    }
    if (command.kind === "variables") {
      // Entries, not assignment: a variable may be named "__proto__".
      const merged = new Map(Object.entries(task.variables));
      for (const [name, value] of Object.entries(command.set)) {
        if (value === null) merged.delete(name);
        else merged.set(name, value);
      }
      task.variables = Object.fromEntries(merged);
    }
    if (command.kind === "touch") task.expiresAt = this.now + command.ttlMs;
    if (command.kind === "status") task.message = command.text;
    if (command.kind === "complete") task.message = undefined;
    if (command.kind === "fail") {
      task.code = command.code;
      task.message = "failed on purpose";
    }
    if ("result" in command) task.result = command.result;
    this.#write(task, to);
    return { ...task };
  }

  #release(task: ModelTask, holder: string): boolean {
    if (task.lost || task.holder !== holder) return false;
    task.holder = undefined;
    task.leaseEnd = Infinity;
    return true;
  }

  #settled(task: ModelTask): ModelTask {
    if (!isFinalStatus(task.status) && task.leaseEnd <= this.now) {
      task.lost = true;
      task.code = -32603;
      task.message = "worker lost";
      this.#write(task, "failed");
    }
    return task;
  }

  #write(task: ModelTask, status: TaskStatus): void {
    task.version++;
    task.updatedAt = this.now;
    task.status = status;
    if (!isFinalStatus(status)) return;
    if (!task.lost) task.holder = undefined;
    task.leaseEnd = Infinity;
    if (this.#options.retention === "completion") {
      // The TTL, which `touch` may have changed, begins again.
      task.expiresAt += this.now - task.createdAt;
    }
  }
}

function targetOf(command: Command): TaskStatus | undefined {
  if (command.kind === "status") return command.to;
  if (command.kind === "complete") return "completed";
  return command.kind === "fail" ? "failed" : undefined;
}
