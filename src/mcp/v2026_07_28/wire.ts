/**
 * Task records as the extension shows them (SEP-2663): what is called `ttl`
 * in the record of the 2025-11-25 era is `ttlMs` here, and result, error and
 * input requests are inlined. Records that era's adapter made are shown too.
 */

import type { TaskRecord } from "../../task/record.ts";
import {
  INTERNAL_ERROR,
  missingCapability,
  type RpcError,
} from "../client_errors.ts";

/** The extension's name in capabilities. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";
/** The place in a request that says what its client can. */
export const CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
/** The place in a notification that names its subscription. */
export const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";
/** The field the other era puts into a result, and this one forbids there. */
const RELATED_TASK = "io.modelcontextprotocol/related-task";

type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a request's `_meta` says that its client knows the extension. */
export function declaresTasks(meta: JsonObject | undefined): boolean {
  const extensions = asObject(capabilitiesOf(meta).extensions);
  return extensions !== undefined && Object.hasOwn(extensions, TASKS_EXTENSION)
    ? asObject(extensions[TASKS_EXTENSION]) !== undefined
    : false;
}

/** The client's capabilities, as a request's `_meta` has them. */
export function capabilitiesOf(meta: JsonObject | undefined): JsonObject {
  return asObject(meta?.[CLIENT_CAPABILITIES]) ?? {};
}

/** The error for a client that does not know the extension. */
export function tasksNotDeclared(): RpcError {
  return missingCapability(TASKS_EXTENSION, {
    extensions: { [TASKS_EXTENSION]: {} },
  });
}

/** The answer that hands a task out in place of a result. */
export function createTaskResult(record: TaskRecord): JsonObject {
  return { resultType: "task", ...fieldsOf(record, record.task.status) };
}

/** The task with all that a client may know of it. */
export function detailedTask(record: TaskRecord): JsonObject {
  const { task: { status, statusMessage }, error } = record;
  const result = asObject(record.result);
  switch (status) {
    case "input_required":
      return {
        ...fieldsOf(record, status),
        inputRequests: record.inputRequests ?? {},
      };
    case "completed":
      return { ...fieldsOf(record, status), result: completeResult(result) };
    case "failed":
      // In the other era a tool's own error is `failed`, with a result.
      if (error === undefined && result !== undefined) {
        return {
          ...fieldsOf(record, "completed"),
          result: completeResult(result),
        };
      }
      return {
        ...fieldsOf(record, status),
        error: error ?? {
          code: INTERNAL_ERROR,
          message: statusMessage ?? "the task failed",
        },
      };
    default:
      return fieldsOf(record, status);
  }
}

function fieldsOf({ task }: TaskRecord, status: string): JsonObject {
  return {
    taskId: task.taskId,
    status,
    ...(task.statusMessage === undefined
      ? {}
      : { statusMessage: task.statusMessage }),
    createdAt: task.createdAt,
    lastUpdatedAt: task.lastUpdatedAt,
    ttlMs: task.ttl,
    ...(task.pollInterval === undefined
      ? {}
      : { pollIntervalMs: task.pollInterval }),
  };
}

/** A result as it would have answered the request itself. */
function completeResult(result: JsonObject = {}): JsonObject {
  const { _meta, ...rest } = result;
  const { [RELATED_TASK]: _, ...meta } = asObject(_meta) ?? {};
  return {
    content: [],
    ...rest,
    resultType: "complete",
    ...(Object.keys(meta).length === 0 ? {} : { _meta: meta }),
  };
}

/** A JSON object, or nothing. */
export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : undefined;
}
