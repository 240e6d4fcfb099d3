/** Two instances of a server, for the tests of the suite. */

import { TaskStore, type TaskStoreOptions } from "../../../../mod.ts";
import type { StorageBackend } from "../../../../mod.ts";
import { RpcClient, type RpcClientOptions } from "../client.ts";
import {
  type FixtureHooks,
  type FixtureServer,
  makeServer,
} from "../fixture.ts";
import { waitUntil } from "../../../support/wait.ts";

/** Two instances of a server on one storage, and clients of each. */
export class Two {
  readonly a: RpcClient;
  readonly b: RpcClient;
  readonly servers: { readonly a: FixtureServer; readonly b: FixtureServer };
  readonly stores: { readonly a: TaskStore; readonly b: TaskStore };
  /** The tasks that run, in order, with their signals. */
  readonly runs: { taskId: string; signal: AbortSignal }[] = [];
  /** What `onError` was told. */
  readonly errors: unknown[] = [];

  constructor(
    backends: readonly [StorageBackend, StorageBackend],
    options: TaskStoreOptions,
  ) {
    const hooks: FixtureHooks = {
      onRun: (taskId, signal) => void this.runs.push({ taskId, signal }),
    };
    const [a, b] = backends.map((backend) => new TaskStore(backend, options));
    this.stores = { a: a!, b: b! };
    const onError = (error: unknown) => void this.errors.push(error);
    this.servers = {
      a: makeServer(a!, { onError, leaseMs: 1500, holder: "a" }, hooks),
      b: makeServer(b!, { onError, leaseMs: 1500, holder: "b" }, hooks),
    };
    this.a = this.client("a");
    this.b = this.client("b");
  }

  /** Another client of an instance. */
  client(of: "a" | "b", options: RpcClientOptions = {}): RpcClient {
    return new RpcClient(this.servers[of].fetch, options);
  }

  /** The signal of the latest handler, once it runs. */
  async signalOf(taskId: string): Promise<AbortSignal> {
    const run = await waitUntil(
      "the handler runs",
      () => this.runs.find((run) => run.taskId === taskId),
    );
    return run!.signal;
  }

  /** Ends what still runs. */
  async end(): Promise<void> {
    await this.servers.a.extension.drain({ timeoutMs: 0 });
    await this.servers.b.extension.drain({ timeoutMs: 0 });
  }
}

/** A test of the suite. */
export interface ExtensionTest {
  readonly name: string;
  readonly options?: TaskStoreOptions;
  readonly body: (two: Two) => Promise<void>;
}
