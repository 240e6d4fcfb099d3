/**
 * Lists on Redis: one script names an owner's tasks, plain commands read them,
 * sent together: two round trips, and no command that blocks for long, however
 * large the records are.
 */

import type {
  DamagedRecord,
  KeyedRecord,
  ListPageOptions,
  PageOrder,
  RecordPage,
} from "../storage/record.ts";
import { checkPage } from "../storage/checks.ts";
import { encodeCursor, type Position } from "../storage/cursor.ts";
import { InvalidDataError } from "../storage/errors.ts";
import { splitPrefix } from "../storage/keys.ts";
import { writeScriptInput } from "./executor/script.ts";
import { LUA_DROP_STALE } from "./lua/drop_stale.ts";
import { LUA_LIST_PAGE } from "./lua/list_page.ts";
import { readCall } from "./read_call.ts";
import type { RedisContext } from "./redis_context.ts";

/** The most tasks one call names where all are wanted. */
const NAME_CHUNK = 2000;

/** The number of tasks that are looked up together to find one that lives. */
const LOOK_AHEAD = 100;

/** Names of tasks, in order, and the place behind the last of them. */
interface NamedTasks {
  readonly tasks: string[];
  /** The place behind which more may follow; `undefined`: there are no more. */
  readonly next: Position | undefined;
  /** Whether it is not known that more follow there. */
  readonly isOpen: boolean;
}

/** The options of a list, checked. */
interface ListQuery {
  readonly order: PageOrder;
  readonly limit: number;
  readonly active: boolean;
}

/** The lists of a backend. */
export class RedisLists {
  readonly #context: RedisContext;

  constructor(context: RedisContext) {
    this.#context = context;
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
    const { isShared } = this.#context.schema;
    const { after: start, ...query } = checkPage(options);
    const records: KeyedRecord[] = [];
    const damaged: DamagedRecord[] = [];
    const count = () => records.length + damaged.length;
    const page = () =>
      damaged.length === 0 ? { records } : { records, damaged };
    let after = start;
    while (true) {
      const { tasks, next, isOpen } = await this.#name(
        prefix,
        owner,
        { ...query, limit: query.limit - count() },
        after,
      );
      const named = options.nameDamaged ? damaged : undefined;
      records.push(...await this.#readAll(prefix, owner, tasks, named));
      if (next === undefined) return page();
      after = next;
      // An empty page is handed out neither now nor next: only behind a backlog
      // of expired tasks does that take further calls. Where others write too,
      // such a backlog is seen only by reading.
      if (count() === 0) continue;
      if (isShared && count() < query.limit) continue;
      const hasMore = !isOpen && !isShared ||
        await this.#hasMore(prefix, owner, query, next);
      return hasMore
        ? { ...page(), nextCursor: encodeCursor(query.order, next) }
        : page();
    }
  }

  /**
   * Drops the index entries of records that are gone, so that a count of the
   * index is exact. Only where others write under the same schema can there be
   * many.
   */
  async dropStale(prefix: string): Promise<void> {
    const owner = splitPrefix(prefix);
    const query: ListQuery = {
      order: "oldest",
      limit: NAME_CHUNK,
      active: false,
    };
    let after: Position | undefined;
    do {
      const { tasks, next } = await this.#name(prefix, owner, query, after);
      await this.#dropStale(prefix, owner, tasks);
      after = next;
    } while (after !== undefined);
  }

  /** The `mode` of scripts that keep the indexes. */
  get #mode(): string {
    return this.#context.schema.isShared ? "k" : "";
  }

  /** Whether a task follows behind a place. */
  async #hasMore(
    prefix: string,
    owner: string,
    query: ListQuery,
    place: Position,
  ): Promise<boolean> {
    const { isShared } = this.#context.schema;
    const some: ListQuery = { ...query, limit: isShared ? LOOK_AHEAD : 1 };
    let after: Position | undefined = place;
    while (after !== undefined) {
      const named: NamedTasks = await this.#name(prefix, owner, some, after);
      const { length } = named.tasks;
      if (length > 0) {
        if (!isShared) return true;
        const gone = await this.#dropStale(prefix, owner, named.tasks);
        if (gone < length) return true;
      }
      after = named.next;
    }
    return false;
  }

  async #name(
    prefix: string,
    owner: string,
    { order, limit, active }: ListQuery,
    after: Position | undefined,
  ): Promise<NamedTasks> {
    const keys = this.#context.schema.indexes(owner);
    const [more, createdAt, task, tasks] = await this.#context.run({
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
            mode: this.#mode,
          },
        }),
      decode: (answer) => answer as [number, string, string, string[]],
    });
    return {
      tasks,
      next: more === 0 ? undefined : { createdAt, task },
      isOpen: more === 2,
    };
  }

  /**
   * Reads records by name: a plain command each, in one round trip.
   *
   * @param damaged Takes those that cannot be read; left out: they fail all.
   */
  async #readAll(
    prefix: string,
    owner: string,
    tasks: readonly string[],
    damaged?: DamagedRecord[],
  ): Promise<KeyedRecord[]> {
    const found = await Promise.all(tasks.map((task) => {
      const key = prefix + task;
      const reading = this.#context.run(readCall(this.#context, key));
      return damaged === undefined ? reading : reading.catch((error) => {
        if (error instanceof InvalidDataError) return { key, error };
        throw error;
      });
    }));
    const records: KeyedRecord[] = [];
    const stale: string[] = [];
    for (const [i, task] of tasks.entries()) {
      const key = prefix + task;
      const stored = found[i];
      if (stored === undefined) stale.push(task);
      else if ("error" in stored) damaged!.push(stored);
      else records.push({ key, ...stored.record });
    }
    if (stale.length > 0) await this.#dropStale(prefix, owner, stale);
    return records;
  }

  /**
   * Drops index entries whose record is gone (evicted, deleted by hand, or
   * expired a moment ago): every script writes both in one step, so they can
   * only be stale.
   *
   * @returns How many were dropped.
   */
  async #dropStale(
    prefix: string,
    owner: string,
    tasks: readonly string[],
  ): Promise<number> {
    const { schema } = this.#context;
    const keys = schema.indexes(owner);
    const start = new TextEncoder().encode(schema.record(owner, "")).length;
    return await this.#context.run({
      what: () => `drop stale entries of ${JSON.stringify(prefix)}`,
      key: prefix,
      route: keys.created_index,
      script: LUA_DROP_STALE,
      kind: "idempotent",
      write: (words) =>
        writeScriptInput(words, LUA_DROP_STALE, {
          keys,
          args: { key_start: String(start), mode: this.#mode },
          tail: tasks.map((task) => schema.record(owner, task)),
        }),
      decode: (dropped) => Number(dropped),
    });
  }
}
