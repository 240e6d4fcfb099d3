/**
 * A server on a storage that can be made to wait, for the tests of listeners.
 *
 * @module
 */

import {
  MemoryBackend,
  type TasksExtensionOptions,
  TaskStore,
} from "../../../mod.ts";
import { type Listening, RpcClient } from "./client.ts";
import { type FixtureServer, makeServer } from "./fixture.ts";

/** Who listens, unless a test says otherwise. */
export const OWNER = "conformance";

/** A storage whose reads wait, and that counts its watches. */
export class GatedBackend extends MemoryBackend {
  gate: Promise<void> | undefined;
  /** How many reads have waited. */
  waited = 0;
  watches = 0;
  /** The key whose reads fail. */
  failing: string | undefined;

  override async get(key: string) {
    if (this.gate) {
      this.waited++;
      await this.gate;
    }
    if (key === this.failing) throw new Error("the storage has failed");
    return await super.get(key);
  }

  override watch(...args: Parameters<MemoryBackend["watch"]>) {
    this.watches++;
    return super.watch(...args);
  }
}

/** A server, its parts and one client. */
export interface Fixture {
  readonly backend: GatedBackend;
  readonly store: TaskStore;
  readonly server: FixtureServer;
  readonly client: RpcClient;
  /** What the operator was told, but for the next. */
  readonly errors: unknown[];
  /** Which limits have refused a listener, as the operator was told. */
  readonly limits: string[];
}

/** Runs a test on a server of its own. */
export async function withServer(
  options: Partial<TasksExtensionOptions>,
  body: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  await using backend = new GatedBackend();
  const store = new TaskStore(backend);
  const errors: unknown[] = [];
  const limits: string[] = [];
  const onError = (error: unknown) => {
    const { message, cause } = error as Error;
    if (message !== "subscription limit reached") errors.push(error);
    else limits.push((cause as Error).message);
  };
  const server = makeServer(store, { onError, ...options });
  try {
    await body({
      backend,
      store,
      server,
      client: new RpcClient(server.fetch),
      errors,
      limits,
    });
  } finally {
    await server.extension.drain({ timeoutMs: 0 });
  }
}

/** A task that no handler runs. */
export async function newTask(
  store: TaskStore,
  owner = OWNER,
): Promise<string> {
  return (await store.create(owner, "tools/call")).task.taskId;
}

/** Whether the stream was opened. */
export function isOpen({ response }: Listening): boolean {
  return response.headers.get("content-type") === "text/event-stream";
}

/** The message of the error that a request to listen was answered with. */
export async function refusal({ response }: Listening): Promise<string> {
  return (await response.json()).error.message;
}
