/**
 * Hints on Redis: sorted sets by time, spread over slots so that a Cluster
 * shares their load.
 */

import {
  checkDueTime,
  checkForMs,
  checkQueueName,
  checkQueueNames,
  MAX_CLAIM_LIMIT,
  requireInteger,
} from "../storage/checks.ts";
import type {
  DueClaim,
  DueClaims,
  DueStorage,
  OfferOptions,
} from "../storage/due.ts";
import { splitKey } from "../storage/keys.ts";
import { checkListener } from "../storage/warnings.ts";
import { writeScriptInput } from "./executor/script.ts";
import { LUA_DUE_CLAIM } from "./lua/due_claim.ts";
import { LUA_DUE_OFFER } from "./lua/due_offer.ts";
import { LUA_DUE_SHARDS } from "./lua/due_shards.ts";
import { LUA_DUE_WITHDRAW } from "./lua/due_withdraw.ts";
import type { RedisContext } from "./redis_context.ts";

/** Into how many sets a queue is spread on a Cluster. */
const CLUSTER_SHARDS = 16;

/** Every promise of `DueStorage`, on Redis. */
export class RedisDue implements DueStorage {
  readonly #context: RedisContext;
  #shards: Promise<number> | undefined;

  constructor(context: RedisContext) {
    this.#context = context;
  }

  async offer(
    key: string,
    queue: string,
    atMs: number,
    { expiresAt }: OfferOptions = {},
  ): Promise<void> {
    splitKey(key);
    checkQueueName(queue);
    checkDueTime(key, "atMs", atMs);
    if (expiresAt !== undefined) checkDueTime(key, "expiresAt", expiresAt);
    const shard = await this.#shardOf(key);
    const due = this.#context.schema.due(shard, queue);
    await this.#context.run({
      what: () => `offer ${JSON.stringify(key)} to ${JSON.stringify(queue)}`,
      key,
      route: due,
      script: LUA_DUE_OFFER,
      kind: "idempotent",
      write: (words, { checksPermissions }) =>
        writeScriptInput(words, LUA_DUE_OFFER, {
          keys: { due },
          args: {
            member: key,
            at_ms: String(atMs),
            until_ms: String(expiresAt ?? ""),
            channel: this.#context.schema.dueEvents(shard, queue),
            mode: checksPermissions ? "p" : "",
          },
        }),
      decode: () => undefined,
    });
  }

  async withdraw(key: string, queue: string): Promise<boolean> {
    splitKey(key);
    checkQueueName(queue);
    const due = this.#context.schema.due(await this.#shardOf(key), queue);
    return await this.#context.run({
      what: () =>
        `withdraw ${JSON.stringify(key)} from ${JSON.stringify(queue)}`,
      key,
      route: due,
      script: LUA_DUE_WITHDRAW,
      kind: "idempotent",
      write: (words) =>
        writeScriptInput(words, LUA_DUE_WITHDRAW, {
          keys: { due },
          args: { member: key },
        }),
      decode: (answer) => answer === 1,
    });
  }

  async claim(
    queues: readonly string[],
    limit: number,
    forMs: number,
  ): Promise<DueClaims> {
    const names = checkQueueNames(queues);
    requireInteger("limit", limit, 1, MAX_CLAIM_LIMIT);
    checkForMs(forMs);
    const sets = await this.#setsOf(names);
    // Another set each time: none starves behind a full one.
    const start = Math.floor(Math.random() * sets.length);
    const claims: (DueClaim & { atMs: number })[] = [];
    let nextInMs = Infinity;
    for (let i = 0; i < sets.length; i++) {
      const { shard, queue } = sets[(start + i) % sets.length]!;
      // With nothing left to take, a set still says when its next is due.
      const left = limit - claims.length;
      const answer = await this.#claimSet(shard, queue, left, forMs);
      if (answer.nextInMs >= 0) nextInMs = Math.min(nextInMs, answer.nextInMs);
      claims.push(...answer.claims);
    }
    claims.sort((a, b) => a.atMs - b.atMs);
    return {
      claims: claims.map(({ key, queue }) => ({ key, queue })),
      ...(nextInMs === Infinity ? {} : { nextInMs }),
    };
  }

  async subscribe(
    queues: readonly string[],
    listener: () => void,
  ): Promise<() => Promise<void>> {
    const names = checkQueueNames(queues);
    const { onWarning } = this.#context;
    const call = checkListener("due.subscribe", listener, onWarning);
    const sets = await this.#setsOf(names);
    const subscriptions = sets.map(({ shard, queue }) =>
      this.#context.events.subscribe(
        this.#context.schema.dueEvents(shard, queue),
        call,
        call,
      )
    );
    const end = () => {
      for (const subscription of subscriptions) subscription.end();
      return Promise.resolve();
    };
    try {
      await Promise.all(subscriptions.map(({ ready }) => ready));
    } catch (error) {
      await end();
      throw error;
    }
    return end;
  }

  async #claimSet(
    shard: number,
    queue: string,
    limit: number,
    forMs: number,
  ): Promise<{ nextInMs: number; claims: (DueClaim & { atMs: number })[] }> {
    const due = this.#context.schema.due(shard, queue);
    const [nextInMs, ...taken] = await this.#context.run({
      what: () => `claim from ${JSON.stringify(queue)}`,
      key: due,
      route: due,
      script: LUA_DUE_CLAIM,
      // Claimed again after a lost answer, the first hints come later.
      kind: "idempotent",
      write: (words) =>
        writeScriptInput(words, LUA_DUE_CLAIM, {
          keys: { due },
          args: { limit: String(limit), for_ms: String(forMs) },
        }),
      decode: (answer) => answer as [number, ...string[]],
    });
    const claims = [];
    for (let i = 0; i < taken.length; i += 2) {
      claims.push({ key: taken[i]!, queue, atMs: Number(taken[i + 1]) });
    }
    return { nextInMs, claims };
  }

  async #setsOf(
    queues: readonly string[],
  ): Promise<{ shard: number; queue: string }[]> {
    const shards = await this.#countShards();
    return queues.flatMap((queue) =>
      Array.from({ length: shards }, (_, shard) => ({ shard, queue }))
    );
  }

  /** Spreads keys evenly; 32-bit FNV-1a. */
  async #shardOf(key: string): Promise<number> {
    const shards = await this.#countShards();
    let hash = 0x811c9dc5;
    for (let i = 0; i < key.length; i++) {
      hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    }
    return (hash >>> 0) % shards;
  }

  #countShards(): Promise<number> {
    const shards = this.#context.schema.dueShards();
    this.#shards ??= this.#context.run({
      what: () => "ask into how many sets hints are spread",
      key: shards,
      route: shards,
      script: LUA_DUE_SHARDS,
      kind: "idempotent",
      write: (words) =>
        writeScriptInput(words, LUA_DUE_SHARDS, {
          keys: { shards },
          args: {
            wanted: String(this.#context.isCluster ? CLUSTER_SHARDS : 1),
          },
        }),
      decode: (answer) => Math.max(1, Number(answer)),
    }).catch((error) => {
      this.#shards = undefined;
      throw error;
    });
    return this.#shards;
  }
}
