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
    if (typeof prefix !== "string" || !/^[^{}\p{Surrogate}]+$/u.test(prefix)) {
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
   * Whether the index keys may expire, as scripts take it: "1" or "0". Under
   * `"pmcp"` they may not: the other writer adds tasks to an index without
   * prolonging it.
   */
  get indexesExpire(): "0" | "1" {
    return this.name === "mcp" ? "1" : "0";
  }

  /** Hash: `version`, `data`, `expires_at`. */
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

  /** Both indexes, in the order scripts take them. */
  indexes(owner: string): string[] {
    return [this.createdIndex(owner), this.expiryIndex(owner)];
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
