/**
 * Lists on Redis: one script names an owner's tasks, another reads them, two
 * round trips whatever their number. `RedisBackend` makes one on its own
 * connection.
 */

import type {
  KeyedRecord,
  ListPageOptions,
  RecordPage,
} from "../storage/backend.ts";
import { checkPage } from "../storage/checks.ts";
import { encodeCursor } from "../storage/cursor.ts";
import { splitPrefix } from "../storage/keys.ts";
import { throwIfCorrupt } from "./replies.ts";
import type { ScriptSource } from "./executor/executor.ts";
import { LUA_LIST_PAGE } from "./lua/list_page.ts";
import { LUA_LIST_TASKS } from "./lua/list_tasks.ts";
import { LUA_READ_RECORDS } from "./lua/read_records.ts";

/** One `read_records` call reads at most so many: it must not block long. */
const READ_CHUNK = 1000;

/** The lists of a backend. */
export class RedisLists {
  readonly #source: ScriptSource;

  constructor(source: ScriptSource) {
    this.#source = source;
  }

  /** Reads all live records of an owner, oldest first. */
  async all(prefix: string): Promise<KeyedRecord[]> {
    const owner = splitPrefix(prefix);
    const tasks = await this.#source.run<string[]>({
      what: `listByPrefix ${JSON.stringify(prefix)}`,
      script: LUA_LIST_TASKS,
      keys: this.#source.schema.indexes(owner),
      args: () => [],
      kind: "read",
    }, prefix);
    return await this.#readAll(prefix, owner, tasks);
  }

  /** Reads one page of an owner's live records. */
  async page(
    prefix: string,
    options: ListPageOptions,
  ): Promise<RecordPage> {
    const owner = splitPrefix(prefix);
    const { limit, order, after } = checkPage(options);
    let createdAt = after?.createdAt ?? "";
    let task = after?.task ?? "";
    while (true) {
      const answer = await this.#source.run<
        [number, string, string, ...string[]]
      >({
        what: `listPage ${JSON.stringify(prefix)}`,
        script: LUA_LIST_PAGE,
        keys: this.#source.schema.indexes(owner),
        args: () => [order, String(limit), createdAt, task],
        kind: "read",
      }, prefix);
      const [more, lastCreatedAt, lastTask, ...found] = answer;
      const tasks = found.filter((_, i) => i % 2 === 0);
      const records = await this.#readAll(prefix, owner, tasks);
      if (more === 0) return { records };
      createdAt = lastCreatedAt;
      task = lastTask;
      // An empty page is never handed out while more may follow: only behind
      // a backlog of expired tasks does it take a further call.
      if (records.length > 0) {
        return {
          records,
          nextCursor: encodeCursor(order, { createdAt, task }),
        };
      }
    }
  }

  /** Reads records by name: all chunks at once, one round trip. */
  async #readAll(
    prefix: string,
    owner: string,
    tasks: string[],
  ): Promise<KeyedRecord[]> {
    const chunks: string[][] = [];
    for (let i = 0; i < tasks.length; i += READ_CHUNK) {
      chunks.push(tasks.slice(i, i + READ_CHUNK));
    }
    const answers = await Promise.all(
      chunks.map((chunk) =>
        this.#source.run<[string | number, string?][]>({
          what: `read ${chunk.length} records of ${JSON.stringify(prefix)}`,
          script: LUA_READ_RECORDS,
          keys: [
            ...this.#source.schema.indexes(owner),
            ...chunk.map((task) => this.#source.schema.record(owner, task)),
          ],
          args: () => [this.#source.schema.indexesExpire, ...chunk],
          kind: "read",
        }, prefix)
      ),
    );
    const records: KeyedRecord[] = [];
    for (const [i, [version, data]] of answers.flat().entries()) {
      if (version === undefined) continue;
      const key = prefix + tasks[i];
      if (data === undefined) throwIfCorrupt(key, Number(version));
      else records.push({ key, data, version: Number(version) });
    }
    return records;
  }
}
