/** Every Redis key and channel name, in one place. */

/**
 * The layout of the keys. `"mcp"`: one Cluster hash tag per owner.
 * `"pmcp"`: without tags, the layout of the Rust crate pmcp-tasks, so that
 * both can share one Redis; not for a Cluster.
 */
export type KeySchemaName = "mcp" | "pmcp";

/** The names under one prefix. Owners are escaped, as `makeKey` wrote them. */
export class KeySchema {
  readonly name: KeySchemaName;
  readonly prefix: string;
  readonly #open: string;
  readonly #close: string;

  /** @param prefix What all names begin with; without braces. */
  constructor(name: KeySchemaName, prefix: string) {
    if (name !== "mcp" && name !== "pmcp") {
      throw new RangeError(
        `schema is ${JSON.stringify(name)}: expected "mcp" or "pmcp"`,
      );
    }
    if (typeof prefix !== "string") {
      throw new TypeError(
        `prefix is ${
          prefix === null ? "null" : `a ${typeof prefix}`
        }: expected a string`,
      );
    }
    if (!/^[^{}\p{Surrogate}]+$/u.test(prefix)) {
      throw new RangeError(
        `prefix is ${
          JSON.stringify(prefix)
        }: expected a non-empty string without "{" and "}", which would move the Cluster hash tag`,
      );
    }
    this.name = name;
    this.prefix = prefix;
    this.#open = name === "mcp" ? "{" : "";
    this.#close = name === "mcp" ? "}" : "";
  }

  /**
   * Whether others write under this schema too: they keep no ids, and add tasks
   * to an index without extending its expiry.
   */
  get isShared(): boolean {
    return this.name === "pmcp";
  }

  /** Hash: `version`, `data`, `expires_at`, `ops`, `log`, `lease`, steps. */
  record(owner: string, task: string): string {
    return `${this.#key("tasks", owner)}:${task}`;
  }

  /** Sorted set: task id by creation time in milliseconds. */
  createdIndex(owner: string): string {
    return this.#key("idx", owner);
  }

  /** Sorted set: task id by expiry in milliseconds, only tasks with a TTL. */
  expiryIndex(owner: string): string {
    return this.#key("exp", owner);
  }

  /** Sorted set: task id by expiry in milliseconds, only active tasks. */
  activeIndex(owner: string): string {
    return this.#key("act", owner);
  }

  /** The indexes of an owner, by the names scripts have for them. */
  indexes(
    owner: string,
  ): Record<"created_index" | "expiry_index" | "active_index", string> {
    return {
      created_index: this.createdIndex(owner),
      expiry_index: this.expiryIndex(owner),
      active_index: this.activeIndex(owner),
    };
  }

  /** String: the trace of a deleted record. */
  gone(owner: string, task: string): string {
    return `${this.#key("gone", owner)}:${task}`;
  }

  /** Sorted set: keys that want a worker, by time in milliseconds. */
  due(shard: number, queue: string): string {
    return `${this.prefix}:due:{${shard}}:${queue}`;
  }

  /** String: into how many sets the hints of a queue are spread. */
  dueShards(): string {
    return `${this.prefix}:due:shards`;
  }

  /** Sharded channel: the time of a hint that has become the earliest. */
  dueEvents(shard: number, queue: string): string {
    return `${this.prefix}:due-events:{${shard}}:${queue}`;
  }

  /** Sharded channel: the new version of each write, 0 on delete. */
  events(owner: string, task: string): string {
    return `${this.#key("events", owner)}:${task}`;
  }

  /** List: the messages that wait beside a record. */
  queue(owner: string, task: string): string {
    return `${this.#key("queue", owner)}:${task}`;
  }

  #key(kind: string, owner: string): string {
    return `${this.prefix}:${kind}:${this.#open}${owner}${this.#close}`;
  }
}
