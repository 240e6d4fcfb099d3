/**
 * Tasks of the other era among this one's. A question of MCP 2026-07-28 is part
 * of its task, and a client of 2025-11-25 neither sees nor answers it:
 * `tasks/result` would wait for as long as the task lives.
 */

import { errorKind } from "../../task/error_kind.ts";
import { TaskError } from "../../task/errors.ts";
import type { TaskRecord } from "../../task/record.ts";
import type { TaskStore } from "../../task/task_store.ts";
import { INVALID_PARAMS } from "../client_errors.ts";

/**
 * Refuses to wait for a task whose client has to answer in the other era. The
 * queue is asked, since the SDK takes its messages before each wait for a
 * result, and for nothing else; the store is read for `tasks/get`, too.
 *
 * @throws {TaskError} If the task waits for such an answer.
 */
export async function requireNoForeignQuestion(
  tasks: TaskStore,
  taskId: string,
  owner: string,
): Promise<void> {
  let record: TaskRecord;
  try {
    record = await tasks.get(taskId, owner);
  } catch (error) {
    // Whether there is such a task, the SDK's own read says in its own words.
    if (errorKind(error) === "gone") return;
    throw error;
  }
  const { task: { status }, inputRequests = {} } = record;
  if (status !== "input_required" || Object.keys(inputRequests).length === 0) {
    return;
  }
  throw new TaskError(
    INVALID_PARAMS,
    `task ${taskId} waits for input that only a client of MCP 2026-07-28 can give (tasks/update): ask for its result after that`,
  );
}
