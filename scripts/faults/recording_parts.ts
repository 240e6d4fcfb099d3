/** Queues, leases and steps that hand every call on and record it. */

import type { LeaseRequest, LeaseStorage } from "../../src/storage/leases.ts";
import type {
  MessageQueue,
  PushOptions,
} from "../../src/storage/message_queue.ts";
import type {
  CreateOptions,
  ExpectedRecord,
  WriteOptions,
} from "../../src/storage/record.ts";
import type { StepStorage } from "../../src/storage/steps.ts";
import type { Answer } from "./calls.ts";
import { type CallMaker, done, expectedOf, version } from "./call_maker.ts";

/** The same queues, recorded. */
export function recordQueues(
  inner: MessageQueue,
  calls: CallMaker,
): MessageQueue {
  return {
    push: (key: string, message: string, options: PushOptions = {}) =>
      calls.recorder.run(
        {
          ...calls.asked("push", key),
          token: message,
          maxLength: options.maxLength,
        },
        () => inner.push(key, message, options),
        done,
      ),
    shift: (key: string) =>
      calls.recorder.run(
        calls.asked("shift", key),
        () => inner.shift(key),
        (message) => ({
          is: "messages",
          messages: message === undefined ? [] : [message],
        }),
      ),
    drain: (key: string) =>
      calls.recorder.run(
        calls.asked("drain", key),
        () => inner.drain(key),
        (messages) => ({ is: "messages", messages }),
      ),
  };
}

/** The same leases, recorded. */
export function recordLeases(
  inner: LeaseStorage,
  calls: CallMaker,
): LeaseStorage {
  const fence = ({ fence }: { fence: number }): Answer => ({
    is: "fence",
    fence,
  });
  return {
    acquire: (key: string, lease: LeaseRequest) =>
      calls.recorder.run(
        { ...calls.asked("acquire", key), ...lease },
        () => inner.acquire(key, lease),
        fence,
      ),
    renew: (key: string, fence: number, forMs: number) =>
      calls.recorder.run(
        { ...calls.asked("renew", key), fence, forMs },
        () => inner.renew(key, fence, forMs),
        done,
      ),
    release: (key: string, fence: number) =>
      calls.recorder.run(
        { ...calls.asked("release", key), fence },
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
      const write = calls.write("create leased", key, data, meta);
      return calls.recorder.run(
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
      const { asked, options } = calls.write("expire", key, data, meta);
      return calls.recorder.run(
        { ...asked, fence, expected: expectedOf(expected) },
        () => inner.expire(key, fence, data, expected, options),
        version,
      );
    },
  };
}

/** The same steps, recorded. */
export function recordSteps(inner: StepStorage, calls: CallMaker): StepStorage {
  return {
    open: (key: string, fence: number) =>
      calls.recorder.run(
        { ...calls.asked("open steps", key), fence },
        () => inner.open(key, fence),
        (steps) => ({ is: "steps", steps }),
      ),
    record: (key: string, fence: number, step: string, data: string) =>
      calls.recorder.run(
        { ...calls.asked("record step", key), fence, step, token: data },
        () => inner.record(key, fence, step, data),
        ({ data, recorded }) => ({ is: "step", data, recorded }),
      ),
  };
}
