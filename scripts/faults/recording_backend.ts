/**
 * A backend that hands every call on and records it. Each worker has one of
 * its own, so that the calls a task operation makes are known to be its parts.
 */

import type { StorageBackend } from "../../src/storage/backend.ts";
import type {
  CreateOptions,
  DeleteOptions,
  ExpectedRecord,
  KeyedRecord,
  ListPageOptions,
  PutIfVersionOptions,
  RecordPage,
  VersionedRecord,
  WatchOptions,
  WriteOptions,
} from "../../src/storage/record.ts";
import type { LeaseStorage } from "../../src/storage/leases.ts";
import type { MessageQueue } from "../../src/storage/message_queue.ts";
import type { StepStorage } from "../../src/storage/steps.ts";
import type { SeenRecord } from "./calls.ts";
import { CallMaker, expectedOf, version } from "./call_maker.ts";
import { recordLeases, recordQueues, recordSteps } from "./recording_parts.ts";
import { type Recorder, tokenOf } from "./recorder.ts";

/** See the module. */
export class RecordingBackend implements StorageBackend {
  readonly queues: MessageQueue;
  readonly leases: LeaseStorage;
  readonly steps: StepStorage;
  readonly #inner: StorageBackend;
  readonly #calls: CallMaker;

  constructor(
    inner: StorageBackend,
    recorder: Recorder,
    instance: number,
    durable = false,
  ) {
    this.#inner = inner;
    this.#calls = new CallMaker(recorder, instance, durable);
    this.queues = recordQueues(inner.queues!, this.#calls);
    this.leases = recordLeases(inner.leases!, this.#calls);
    this.steps = recordSteps(inner.steps!, this.#calls);
  }

  /** Runs a task operation; the calls it makes are recorded as its parts. */
  async task<T>(
    name: string,
    key: string,
    token: string,
    body: () => Promise<T>,
  ): Promise<T> {
    const asked = { ...this.#calls.asked("task", key), name, token };
    return await this.#calls.recorder.run(asked, async (call) => {
      this.#calls.parent = call;
      try {
        return await body();
      } finally {
        this.#calls.parent = undefined;
      }
    }, () => ({ is: "done" }));
  }

  get(key: string): Promise<VersionedRecord> {
    return this.#calls.recorder.run(
      this.#calls.asked("get", key),
      () => this.#inner.get(key),
      (record) => ({ is: "record", record: seen({ key, ...record }) }),
    );
  }

  put(key: string, data: string, meta: WriteOptions = {}): Promise<number> {
    const { asked, options } = this.#calls.write("put", key, data, meta);
    return this.#calls.recorder.run(
      asked,
      () => this.#inner.put(key, data, options),
      version,
    );
  }

  putIfVersion(
    key: string,
    data: string,
    expected: ExpectedRecord,
    meta: PutIfVersionOptions = {},
  ): Promise<number> {
    const { asked, options } = this.#calls.write("cas", key, data, meta);
    return this.#calls.recorder.run(
      {
        ...asked,
        expected: expectedOf(expected),
        fence: meta.fence,
        releaseLease: meta.releaseLease,
      },
      () => this.#inner.putIfVersion(key, data, expected, options),
      version,
    );
  }

  delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    const id = options.operationId ?? this.#calls.recorder.newName();
    const { expected } = options;
    return this.#calls.recorder.run(
      {
        ...this.#calls.asked("delete", key),
        id,
        expected: expected === undefined ? undefined : expectedOf(expected),
      },
      () => this.#inner.delete(key, { ...options, operationId: id }),
      (value) => ({ is: "boolean", value }),
    );
  }

  create(
    key: string,
    data: string,
    options: CreateOptions = {},
  ): Promise<number> {
    const { meta = {}, maxRecords, maxActive } = options;
    const write = this.#calls.write("create", key, data, meta);
    return this.#calls.recorder.run(
      { ...write.asked, maxRecords, maxActive },
      () => this.#inner.create(key, data, { ...options, meta: write.options }),
      version,
    );
  }

  listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return this.#calls.recorder.run(
      this.#calls.asked("list", prefix),
      () => this.#inner.listByPrefix(prefix),
      (records) => ({ is: "records", records: records.map(seen) }),
    );
  }

  listPage(prefix: string, options?: ListPageOptions): Promise<RecordPage> {
    return this.#inner.listPage(prefix, options);
  }

  watch(key: string, options?: WatchOptions): AsyncIterable<VersionedRecord> {
    return this.#inner.watch(key, options);
  }

  cleanupExpired(): Promise<number> {
    return this.#inner.cleanupExpired();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function seen({ key, data, version, etag, lease }: KeyedRecord): SeenRecord {
  return {
    key,
    version,
    etag,
    token: tokenOf(data),
    ...(lease ? { lease: { holder: lease.holder, fence: lease.fence } } : {}),
  };
}
