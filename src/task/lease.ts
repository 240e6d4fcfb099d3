/**
 * Leases: a worker says how long it will be heard of again. When it is not,
 * whoever looks at the task next fails it, once, by compare-and-swap.
 */

import { isFinalStatus } from "./status.ts";
import type { TaskRecord } from "./record.ts";

/** Whether the worker has been silent for too long. */
export function hasLostWorker(record: TaskRecord, now: number): boolean {
  return record.lease !== undefined && !isFinalStatus(record.task.status) &&
    Date.parse(record.lease.expiresAt) <= now;
}

/** The record of a task whose worker is lost. */
export function failForLostWorker(record: TaskRecord, now: number): TaskRecord {
  const lease = record.lease!;
  const time = new Date(now).toISOString();
  const message = `worker lost: ${
    JSON.stringify(lease.holder)
  } has not renewed its lease since ${lease.expiresAt}`;
  return {
    ...record,
    task: {
      ...record.task,
      status: "failed",
      statusMessage: message,
      lastUpdatedAt: time,
    },
    error: { code: -32603, message },
    lease: { ...lease, lostAt: time },
  };
}
