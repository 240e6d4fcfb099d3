/**
 * Lists on Redis: one script names an owner's tasks, others read them, in two
 * round trips for what fits into one answer. `RedisBackend` makes one on its
 * own connection.
 */

import type {
  KeyedRecord,
  ListPageOptions,
  PageOrder,
  RecordPage,
} from "../storage/record.ts";
import { checkPage } from "../storage/checks.ts";
import { encodeCursor, type Position } from "../storage/cursor.ts";
import { splitPrefix } from "../storage/keys.ts";
import { writeScriptInput } from "./executor/script.ts";
import { LUA_DROP_STALE } from "./lua/drop_stale.ts";
import { LUA_LIST_PAGE } from "./lua/list_page.ts";
import { LUA_READ_RECORDS } from "./lua/read_records.ts";
import type { RecordCalls } from "./record_calls.ts";
import type { RedisContext } from "./redis_context.ts";
import { readRecord, type RecordFields } from "./replies.ts";

/** The most tasks one call names where all are wanted. */
const NAME_CHUNK = 2000;

/** The most records one call reads: it must not block for long. */
const READ_CHUNK = 1000;

/** Names of tasks, in order, and the place behind the last of them. */
interface NamedTasks {
  readonly tasks: string[];
  /** Where more may follow; `undefined`: nowhere. */
  readonly next: Position | undefined;
}

/** What a list asks for. */
interface ListQuery {
  readonly order: PageOrder;
  readonly limit: number;
  readonly active: boolean;
}

/** The lists of a backend. */
export class RedisLists {
  readonly #context: RedisContext;
  readonly #calls: RecordCalls;

  constructor(context: RedisContext, calls: RecordCalls) {
    this.#context = context;
    this.#calls = calls;
  }

  /** Reads all live records of an owner, oldest first. */
  async all(prefix: string): Promise<KeyedRecord[]> {
    const owner = splitPrefix(prefix);
    const query: ListQuery = {
      order: "oldest",
      limit: NAME_CHUNK,
      active: false,
    };
    const parts: Promise<KeyedRecord[]>[] = [];
    let after: Position | undefined;
    do {
      const { tasks, next } = await this.#name(prefix, owner, query, after);
      const part = this.#readAll(prefix, owner, tasks);
      // It is awaited below, once the other names are known.
      part.catch(() => {});
      parts.push(part);
      after = next;
    } while (after !== undefined);
    return (await Promise.all(parts)).flat();
  }

  /** Reads one page of an owner's live records. */
  async page(prefix: string, options: ListPageOptions): Promise<RecordPage> {
    const owner = splitPrefix(prefix);
    const { after: start, ...query } = checkPage(options);
    let after = start;
    while (true) {
      const { tasks, next } = await this.#name(prefix, owner, query, after);
      const records = await this.#readAll(prefix, owner, tasks);
      if (next === undefined) return { records };
      // An empty page is never handed out while more may follow: only behind
      // a backlog of expired tasks does it take a further call.
      if (records.length > 0) {
        return { records, nextCursor: encodeCursor(query.order, next) };
      }
      after = next;
    }
  }

  /**
   * Drops the index entries of records that are gone, so that a count of the
   * index is exact. Only where others write under the same schema can there be
   * many.
   */
  async dropStale(prefix: string): Promise<void> {
    const owner = splitPrefix(prefix);
    const { schema } = this.#context;
    const query: ListQuery = {
      order: "oldest",
      limit: NAME_CHUNK,
      active: false,
    };
    let after: Position | undefined;
    do {
      const { tasks, next } = await this.#name(prefix, owner, query, after);
      const keys = schema.indexes(owner);
      await this.#context.run({
        what: () => `count the records of ${JSON.stringify(prefix)}`,
        key: prefix,
        route: keys.created_index,
        script: LUA_DROP_STALE,
        kind: "read",
        write: (words) =>
          writeScriptInput(words, LUA_DROP_STALE, {
            keys,
            args: { key_start: this.#keyStart(owner) },
            tail: tasks.map((task) => schema.record(owner, task)),
          }),
        decode: () => undefined,
      });
      after = next;
    } while (after !== undefined);
  }

  async #name(
    prefix: string,
    owner: string,
    { order, limit, active }: ListQuery,
    after: Position | undefined,
  ): Promise<NamedTasks> {
    const keys = this.#context.schema.indexes(owner);
    const [more, createdAt, task, ...found] = await this.#context.run({
      what: () => `list ${JSON.stringify(prefix)}`,
      key: prefix,
      route: keys.created_index,
      script: LUA_LIST_PAGE,
      kind: "read",
      write: (words) =>
        writeScriptInput(words, LUA_LIST_PAGE, {
          keys,
          args: {
            order,
            limit: String(limit),
            after_created: after?.createdAt ?? "",
            after_task: after?.task ?? "",
            active: active ? "1" : "",
          },
        }),
      decode: (answer) => answer as [number, string, string, ...string[]],
    });
    const tasks: string[] = [];
    for (let i = 0; i < found.length; i += 2) tasks.push(found[i]!);
    return { tasks, next: more === 1 ? { createdAt, task } : undefined };
  }

  /** Reads records by name: all chunks at once, one round trip. */
  async #readAll(
    prefix: string,
    owner: string,
    tasks: readonly string[],
  ): Promise<KeyedRecord[]> {
    const chunks: Promise<(KeyedRecord | undefined)[]>[] = [];
    for (let i = 0; i < tasks.length; i += READ_CHUNK) {
      const chunk = tasks.slice(i, i + READ_CHUNK);
      chunks.push(this.#readChunk(prefix, owner, chunk));
    }
    const records: KeyedRecord[] = [];
    for (const record of (await Promise.all(chunks)).flat()) {
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  async #readChunk(
    prefix: string,
    owner: string,
    tasks: readonly string[],
  ): Promise<(KeyedRecord | undefined)[]> {
    const { schema } = this.#context;
    const keys = schema.indexes(owner);
    const records: (KeyedRecord | undefined)[] = [];
    // One answer is bounded in bytes: the rest takes a further call.
    while (records.length < tasks.length) {
      const rest = tasks.slice(records.length);
      const answers = await this.#context.run({
        what: () => `read ${rest.length} records of ${JSON.stringify(prefix)}`,
        key: prefix,
        route: keys.created_index,
        script: LUA_READ_RECORDS,
        kind: "read",
        write: (words) =>
          writeScriptInput(words, LUA_READ_RECORDS, {
            keys,
            args: {
              key_start: this.#keyStart(owner),
              mode: schema.isShared ? "k" : "",
            },
            tail: rest.map((task) => schema.record(owner, task)),
          }),
        decode: (answer) => answer as RecordFields[],
      });
      for (const [i, fields] of answers.entries()) {
        const key = prefix + rest[i]!;
        const found = readRecord(key, fields, this.#context.clock);
        const stored = found === "doubt"
          ? await this.#context.run(this.#calls.readInDoubt(key))
          : found;
        records.push(
          stored === "absent" || stored === undefined
            ? undefined
            : { key, ...stored.record },
        );
      }
    }
    return records;
  }

  /** How many bytes of a record key come before the task id. */
  #keyStart(owner: string): string {
    const start = this.#context.schema.record(owner, "");
    return String(new TextEncoder().encode(start).length);
  }
}
