/** `tasks/get`, `tasks/update` and `tasks/cancel`, on any instance. */

import { isFinalStatus } from "../../task/status.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { INVALID_PARAMS, RpcError } from "../client_errors.ts";
import { resolveOwner } from "../owner.ts";
import { requireTaskId } from "../task_id.ts";
import { toRpcError } from "./errors.ts";
import type { InputResponse } from "./handle.ts";
import type { RequestContext, ToolCallContext } from "./sdk.ts";
import {
  asObject,
  declaresTasks,
  detailedTask,
  tasksNotDeclared,
} from "./wire.ts";

/** A method: what it makes of a task id, for an owner. */
type Method = (
  taskId: string,
  owner: string,
  ctx: ToolCallContext,
) => Promise<object>;

/** The parts that the methods need. */
export interface TaskMethodsOptions {
  readonly store: TaskStore;
  readonly owner: (ctx: RequestContext) => string | Promise<string>;
  readonly onError: (error: unknown) => void;
}

/** The methods by name, as handlers of checked requests. */
export function taskMethods(
  { store, owner, onError }: TaskMethodsOptions,
): Record<string, (params: unknown, ctx: ToolCallContext) => Promise<object>> {
  const methods: Record<string, Method> = {
    "tasks/get": async (taskId, ownerId) =>
      detailedTask(await store.get(taskId, ownerId)),
    "tasks/update": (taskId, ownerId, ctx) =>
      update(store, taskId, ownerId, ctx),
    "tasks/cancel": (taskId, ownerId) => cancel(store, taskId, ownerId),
  };
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      async (params: unknown, ctx: ToolCallContext) => {
        if (!declaresTasks(ctx.mcpReq.envelope)) throw tasksNotDeclared();
        const taskId = asObject(params)?.taskId;
        if (typeof taskId !== "string") {
          throw new RpcError(
            INVALID_PARAMS,
            `invalid params for ${name}: taskId is not a string`,
          );
        }
        try {
          requireTaskId(taskId);
          return await method(taskId, await resolveOwner(owner, ctx), ctx);
        } catch (error) {
          throw toRpcError(error, onError);
        }
      },
    ]),
  );
}

/**
 * Takes the answers that are asked for and ignores all others: to keys never
 * issued, answered before, or of a task that has ended. The task works on once
 * nothing is open.
 */
async function update(
  store: TaskStore,
  taskId: string,
  owner: string,
  ctx: ToolCallContext,
): Promise<object> {
  // The SDK takes them out of the params, and drops what is no answer.
  const responses = ctx.mcpReq.inputResponses;
  if (responses === undefined) {
    throw new RpcError(
      INVALID_PARAMS,
      "invalid params for tasks/update: inputResponses is missing",
    );
  }
  await store.modify(taskId, owner, ({ task, ...record }) => {
    if (isFinalStatus(task.status)) return undefined;
    const open = Object.entries(record.inputRequests ?? {});
    const left = open.filter(([key]) => !Object.hasOwn(responses, key));
    if (left.length === open.length) return undefined;
    const answered = open
      .filter(([key]) => Object.hasOwn(responses, key))
      .map(([key]) => [key, responses[key] as InputResponse]);
    return {
      ...(left.length === 0 ? { status: "working" } : {}),
      inputRequests: left.length === 0 ? null : Object.fromEntries(left),
      inputResponses: {
        ...record.inputResponses,
        ...Object.fromEntries(answered),
      },
    };
  });
  return {};
}

/** Cancels a task that has not ended; its handler is notified where it runs. */
async function cancel(
  store: TaskStore,
  taskId: string,
  owner: string,
): Promise<object> {
  await store.modify(
    taskId,
    owner,
    ({ task }) =>
      isFinalStatus(task.status) ? undefined : {
        status: "cancelled",
        statusMessage: "cancelled by the client",
      },
  );
  return {};
}
