/**
 * Message queues on Redis, one list per key, each operation one script.
 * `RedisBackend` makes one on its own connection.
 *
 * What a lost answer means: the script may have run, and a message has no
 * identity the script could know it again by. Pushed again, it could stand
 * there twice, or once more after its receiver has acted on it; shifted again,
 * the next message would come and the first be forgotten without a word;
 * drained again, "nothing was there" would be a lie. So no operation is tried
 * again once it may have run ("once"): the caller gets a `BackendError` with
 * `outcome` `"unknown"` and knows what a second try would mean. What was
 * surely not sent, or refused for now, is tried again as everything else is.
 */

import { checkData } from "../storage/checks.ts";
import { splitKey } from "../storage/keys.ts";
import {
  checkPush,
  type MessageQueue,
  type PushOptions,
  QueueFullError,
} from "../storage/message_queue.ts";
import type { ScriptSource } from "./executor/executor.ts";
import { REPLY } from "./lua/fragments/fragments.ts";
import { LUA_QUEUE_DRAIN } from "./lua/queue_drain.ts";
import { LUA_QUEUE_PUSH } from "./lua/queue_push.ts";
import { LUA_QUEUE_SHIFT } from "./lua/queue_shift.ts";

/** Every promise of `MessageQueue`, on Redis. */
export class RedisMessageQueue implements MessageQueue {
  readonly #source: ScriptSource;

  constructor(source: ScriptSource) {
    this.#source = source;
  }

  async push(
    key: string,
    message: string,
    options: PushOptions = {},
  ): Promise<void> {
    const { owner, task } = splitKey(key);
    checkData(key, message, this.#source.maxRecordBytes);
    const { maxLength, ttlMs } = checkPush(options);
    const { schema } = this.#source;
    const [code, length] = await this.#source.run<[number, number?]>({
      what: `push to the queue of ${JSON.stringify(key)}`,
      script: LUA_QUEUE_PUSH,
      keys: [schema.queue(owner, task), schema.record(owner, task)],
      args: () => [message, String(maxLength ?? ""), String(ttlMs)],
      kind: "once",
    }, key);
    if (code === REPLY.full) {
      throw new QueueFullError(key, length!, maxLength!);
    }
  }

  async shift(key: string): Promise<string | undefined> {
    const { owner, task } = splitKey(key);
    const [message] = await this.#source.run<[string?]>({
      what: `shift from the queue of ${JSON.stringify(key)}`,
      script: LUA_QUEUE_SHIFT,
      keys: [this.#source.schema.queue(owner, task)],
      args: () => [],
      kind: "once",
    }, key);
    return message;
  }

  async drain(key: string): Promise<string[]> {
    const { owner, task } = splitKey(key);
    return await this.#source.run<string[]>({
      what: `drain the queue of ${JSON.stringify(key)}`,
      script: LUA_QUEUE_DRAIN,
      keys: [this.#source.schema.queue(owner, task)],
      args: () => [],
      kind: "once",
    }, key);
  }
}
