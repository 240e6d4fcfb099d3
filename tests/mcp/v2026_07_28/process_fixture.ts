/**
 * Tests with servers as processes that share a Redis, and the sessions of the
 * independent client of `@modelcontextprotocol/ext-tasks` before them.
 *
 * @module
 */

// The optional peer of ext-tasks: deno links it only where it is imported.
import "@modelcontextprotocol/client";
import {
  type TaskEnabledSession,
  type TaskOutcome,
  withTasks,
  type WithTasksOptions,
} from "@modelcontextprotocol/ext-tasks/client";
import { makePort } from "./client.ts";
import { type Instance, RoundRobin, startInstance } from "./processes.ts";
import { redisEnabled, redisUrl } from "../../support/gate.ts";
import { type RedisFixture, withRedis } from "../../support/redis_fixture.ts";

/** How long a task outlives its worker here. */
export const LEASE_MS = 1500;

/** Whether processes may be started. */
const enabled = redisEnabled &&
  (["run", "read"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );

/** Two instances, `first` and `second`, on one Redis. */
export interface Servers {
  readonly redis: RedisFixture;
  readonly first: Instance;
  readonly second: Instance;
  readonly robin: RoundRobin;
  /** Starts another instance. */
  start(holder: string): Promise<Instance>;
}

/** Registers a test with two instances. */
export function processTest(
  name: string,
  body: (servers: Servers) => Promise<void>,
): void {
  Deno.test({
    name: `redis_extension_processes: ${name}`,
    ignore: !enabled,
    fn: () =>
      withRedis(async (redis) => {
        const { prefix } = redis;
        const start = (holder: string) =>
          startInstance({ redisUrl, prefix, holder, leaseMs: LEASE_MS });
        const both = await Promise.all([start("first"), start("second")]);
        await using stack = new AsyncDisposableStack();
        for (const instance of both) stack.use(instance);
        const [first, second] = both;
        await body({
          redis,
          first,
          second,
          robin: new RoundRobin([first.url, second.url]),
          start: async (holder) => stack.use(await start(holder)),
        });
      }),
  });
}

/** A session of the independent client. */
export function openSession(
  robin: RoundRobin,
  options: WithTasksOptions = {},
): TaskEnabledSession {
  return withTasks(makePort(robin.send), options);
}

/** The text of a completed outcome. */
export function textOf(outcome: TaskOutcome<unknown>): string {
  if (outcome.status !== "completed") throw unexpected(outcome);
  const { content } = outcome.result as { content: { text: string }[] };
  return content[0]!.text;
}

/** The message of a failed outcome. */
export function failureOf(outcome: TaskOutcome<unknown>): string {
  if (outcome.status !== "failed") throw unexpected(outcome);
  return outcome.error.message;
}

/** The error for what should not be. */
export function unexpected(value: unknown): Error {
  return new Error(`unexpected: ${JSON.stringify(value)}`);
}

/** The client's answer to every request for input. */
export const accept = (): Promise<never> =>
  Promise.resolve({ action: "accept", content: { confirm: true } } as never);
