/**
 * Message queues on Redis, one list per key, each operation one script.
 * `RedisBackend` makes one on its own connection.
 *
 * What a lost answer means: the script may have run, and a message has no
 * identity the script could know it again by. Pushed again, it could stand
 * there twice, or once more after its receiver has acted on it; shifted again,
 * the next message would come and the first be forgotten without a word;
 * drained again, "nothing was there" would be a lie. So no operation is tried
 * again once it may have run: the caller gets a `BackendError` with
 * `outcome` `"unknown"` and knows what a second try would mean. What was
 * surely not sent, or refused for now, is tried again as everything else is.
 *
 * Only `push` waits for `durability`: a message that was taken out is given to
 * its receiver, whatever the replicas know. After a failover it may come again.
 */

import { checkData } from "../storage/checks.ts";
import { splitKey } from "../storage/keys.ts";
import {
  checkPush,
  type MessageQueue,
  type PushOptions,
  QueueFullError,
} from "../storage/message_queue.ts";
import { writeScriptInput } from "./executor/script.ts";
import { LUA_QUEUE_DRAIN } from "./lua/queue_drain.ts";
import { LUA_QUEUE_PUSH } from "./lua/queue_push.ts";
import { LUA_QUEUE_SHIFT } from "./lua/queue_shift.ts";
import { REPLY } from "./lua/reply.ts";
import type { RedisContext } from "./redis_context.ts";

/** Every promise of `MessageQueue`, on Redis. */
export class RedisMessageQueue implements MessageQueue {
  readonly #context: RedisContext;

  constructor(context: RedisContext) {
    this.#context = context;
  }

  async push(
    key: string,
    message: string,
    options: PushOptions = {},
  ): Promise<void> {
    const { owner, task } = splitKey(key);
    checkData(key, message, this.#context.maxRecordBytes);
    const { maxLength, ttlMs } = checkPush(options);
    const { schema } = this.#context;
    const queue = schema.queue(owner, task);
    await this.#context.run({
      what: () => `push to the queue of ${JSON.stringify(key)}`,
      key,
      route: queue,
      script: LUA_QUEUE_PUSH,
      kind: "non_idempotent",
      isDurable: true,
      write: (words, { deadlineMs }) =>
        writeScriptInput(words, LUA_QUEUE_PUSH, {
          keys: { queue, record: schema.record(owner, task) },
          args: {
            message,
            max_length: String(maxLength ?? ""),
            ttl_ms: String(ttlMs),
            deadline_ms: deadlineMs,
          },
        }),
      decode: (answer) => {
        const [code, length] = answer as [number, number?];
        if (code === REPLY.full) {
          throw new QueueFullError(key, length!, maxLength!);
        }
      },
    });
  }

  async shift(key: string): Promise<string | undefined> {
    const queue = this.#queue(key);
    return await this.#context.run({
      what: () => `shift from the queue of ${JSON.stringify(key)}`,
      key,
      route: queue,
      script: LUA_QUEUE_SHIFT,
      kind: "non_idempotent",
      write: (words, { deadlineMs }) =>
        writeScriptInput(words, LUA_QUEUE_SHIFT, {
          keys: { queue },
          args: { deadline_ms: deadlineMs },
        }),
      decode: (answer) => (answer as string[])[0],
    });
  }

  async drain(key: string): Promise<string[]> {
    const queue = this.#queue(key);
    return await this.#context.run({
      what: () => `drain the queue of ${JSON.stringify(key)}`,
      key,
      route: queue,
      script: LUA_QUEUE_DRAIN,
      kind: "non_idempotent",
      write: (words, { deadlineMs }) =>
        writeScriptInput(words, LUA_QUEUE_DRAIN, {
          keys: { queue },
          args: { deadline_ms: deadlineMs },
        }),
      decode: (answer) => answer as string[],
    });
  }

  #queue(key: string): string {
    const { owner, task } = splitKey(key);
    return this.#context.schema.queue(owner, task);
  }
}
