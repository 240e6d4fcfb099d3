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
import type { LeaseRequest, LeaseStorage } from "../../src/storage/leases.ts";
import type {
  MessageQueue,
  PushOptions,
} from "../../src/storage/message_queue.ts";
import type { StepStorage } from "../../src/storage/steps.ts";
import type { Answer, Call, Expected, SeenRecord } from "./calls.ts";
import { type Asked, type Recorder, tokenOf } from "./recorder.ts";

/** See the module. */
export class RecordingBackend implements StorageBackend {
  readonly queues: MessageQueue;
  readonly leases: LeaseStorage;
  readonly steps: StepStorage;
  readonly #inner: StorageBackend;
  readonly #recorder: Recorder;
  readonly #instance: number;
  readonly #durable: boolean;
  #parent: Call | undefined;

  constructor(
    inner: StorageBackend,
    recorder: Recorder,
    instance: number,
    durable = false,
  ) {
    this.#inner = inner;
    this.#recorder = recorder;
    this.#instance = instance;
    this.#durable = durable;
    this.queues = this.#recordQueues(inner.queues!);
    this.leases = this.#recordLeases(inner.leases!);
    this.steps = this.#recordSteps(inner.steps!);
  }

  /** Runs a task operation; the calls it makes are recorded as its parts. */
  async task<T>(
    name: string,
    key: string,
    token: string,
    body: () => Promise<T>,
  ): Promise<T> {
    const asked = { ...this.#asked("task", key), name, token };
    return await this.#recorder.run(asked, async (call) => {
      this.#parent = call;
      try {
        return await body();
      } finally {
        this.#parent = undefined;
      }
    }, () => ({ is: "done" }));
  }

  get(key: string): Promise<VersionedRecord> {
    return this.#recorder.run(
      this.#asked("get", key),
      () => this.#inner.get(key),
      (record) => ({ is: "record", record: seen({ key, ...record }) }),
    );
  }

  put(key: string, data: string, meta: WriteOptions = {}): Promise<number> {
    const { asked, options } = this.#write("put", key, data, meta);
    return this.#recorder.run(
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
    const { asked, options } = this.#write("cas", key, data, meta);
    return this.#recorder.run(
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
    const id = options.operationId ?? this.#recorder.newName();
    const { expected } = options;
    return this.#recorder.run(
      {
        ...this.#asked("delete", key),
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
    const write = this.#write("create", key, data, meta);
    return this.#recorder.run(
      { ...write.asked, maxRecords, maxActive },
      () => this.#inner.create(key, data, { ...options, meta: write.options }),
      version,
    );
  }

  listByPrefix(prefix: string): Promise<KeyedRecord[]> {
    return this.#recorder.run(
      this.#asked("list", prefix),
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

  #recordQueues(inner: MessageQueue): MessageQueue {
    return {
      push: (key: string, message: string, options: PushOptions = {}) =>
        this.#recorder.run(
          {
            ...this.#asked("push", key),
            token: message,
            maxLength: options.maxLength,
          },
          () => inner.push(key, message, options),
          done,
        ),
      shift: (key: string) =>
        this.#recorder.run(
          this.#asked("shift", key),
          () => inner.shift(key),
          (message) => ({
            is: "messages",
            messages: message === undefined ? [] : [message],
          }),
        ),
      drain: (key: string) =>
        this.#recorder.run(
          this.#asked("drain", key),
          () => inner.drain(key),
          (messages) => ({ is: "messages", messages }),
        ),
    };
  }

  #recordLeases(inner: LeaseStorage): LeaseStorage {
    const fence = ({ fence }: { fence: number }): Answer => ({
      is: "fence",
      fence,
    });
    return {
      acquire: (key: string, lease: LeaseRequest) =>
        this.#recorder.run(
          { ...this.#asked("acquire", key), ...lease },
          () => inner.acquire(key, lease),
          fence,
        ),
      renew: (key: string, fence: number, forMs: number) =>
        this.#recorder.run(
          { ...this.#asked("renew", key), fence, forMs },
          () => inner.renew(key, fence, forMs),
          done,
        ),
      release: (key: string, fence: number) =>
        this.#recorder.run(
          { ...this.#asked("release", key), fence },
          () => inner.release(key, fence),
          (value) => ({ is: "boolean", value }),
        ),
      create: (
        key: string,
        data: string,
        lease: LeaseRequest,
        options: CreateOptions = {},
      ) => {
        const { meta = {}, maxRecords, maxActive } = options;
        const write = this.#write("create leased", key, data, meta);
        return this.#recorder.run(
          { ...write.asked, ...lease, maxRecords, maxActive },
          () =>
            inner.create(key, data, lease, { ...options, meta: write.options }),
          fence,
        );
      },
      expire: (
        key: string,
        fence: number,
        data: string,
        expected: ExpectedRecord,
        meta: WriteOptions = {},
      ) => {
        const { asked, options } = this.#write("expire", key, data, meta);
        return this.#recorder.run(
          { ...asked, fence, expected: expectedOf(expected) },
          () => inner.expire(key, fence, data, expected, options),
          version,
        );
      },
    };
  }

  #recordSteps(inner: StepStorage): StepStorage {
    return {
      open: (key: string, fence: number) =>
        this.#recorder.run(
          { ...this.#asked("open steps", key), fence },
          () => inner.open(key, fence),
          (steps) => ({ is: "steps", steps }),
        ),
      record: (key: string, fence: number, step: string, data: string) =>
        this.#recorder.run(
          { ...this.#asked("record step", key), fence, step, token: data },
          () => inner.record(key, fence, step, data),
          ({ data, recorded }) => ({ is: "step", data, recorded }),
        ),
    };
  }

  #asked(operation: Call["operation"], key: string): Asked {
    return {
      instance: this.#instance,
      durable: this.#durable,
      operation,
      key,
      id: "",
      token: "",
      parent: this.#parent,
    };
  }

  #write<T extends WriteOptions>(
    operation: Call["operation"],
    key: string,
    data: string,
    meta: T,
  ): { asked: Asked; options: T } {
    const id = meta.operationId ?? this.#recorder.newName();
    const hasMeta = "expiresAt" in meta || "createdAt" in meta ||
      "active" in meta;
    const asked: Asked = {
      ...this.#asked(operation, key),
      id,
      token: tokenOf(data),
      active: meta.active ?? false,
      expiresAt: hasMeta ? meta.expiresAt : null,
    };
    return { asked, options: { ...meta, operationId: id } };
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

function expectedOf(expected: ExpectedRecord): Expected {
  return typeof expected === "number"
    ? { version: expected, etag: "" }
    : { version: expected.version, etag: expected.etag ?? "" };
}

function version(version: number): Answer {
  return { is: "version", version };
}

function done(): Answer {
  return { is: "done" };
}
