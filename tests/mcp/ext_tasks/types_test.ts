/**
 * Whether the shapes fit those of the SDK: `deno check` decides it. What pull
 * request 2782 declares is written down here, on the types the SDK publishes.
 *
 * @module
 */

import type {
  CallToolResult,
  InputRequests,
  InputResponses,
} from "@modelcontextprotocol/server";
import { createTaskStore, ExtTaskStore } from "../../../mod.ts";

interface TheirTask {
  taskId: string;
  status: "working" | "input_required" | "completed" | "failed" | "cancelled";
  statusMessage?: string;
  createdAt: string;
  lastUpdatedAt: string;
  ttlMs: number | null;
  pollIntervalMs?: number;
}

type TheirDetailedTask =
  | TheirTask & { status: "working" }
  | TheirTask & { status: "input_required"; inputRequests: InputRequests }
  | TheirTask & { status: "completed"; result: { [key: string]: unknown } }
  | TheirTask & { status: "failed"; error: { [key: string]: unknown } }
  | TheirTask & { status: "cancelled" };

interface TheirTaskStore {
  create(params: {
    ttlMs: number | null;
    pollIntervalMs?: number;
    principal?: string;
    context?: Record<string, unknown>;
  }): Promise<TheirTask>;
  get(
    taskId: string,
    access?: { principal?: string },
  ): Promise<TheirDetailedTask | undefined>;
  update(
    taskId: string,
    inputResponses: InputResponses,
    access?: { principal?: string },
  ): Promise<boolean>;
  cancel(taskId: string, access?: { principal?: string }): Promise<boolean>;
}

interface TheirTaskHandle {
  readonly taskId: string;
  readonly signal: AbortSignal;
  status(message: string): Promise<void>;
  requireInput(requests: InputRequests): Promise<InputResponses>;
  complete(result: CallToolResult): Promise<void>;
  fail(
    error: { code: number; message: string; data?: unknown },
  ): Promise<void>;
}

Deno.test("ext_tasks: the store and its handles fit the SDK's interfaces", async () => {
  await using tasks = await createTaskStore();
  const store = new ExtTaskStore(tasks);
  const theirs: TheirTaskStore = store;
  const bound: TheirTaskStore = store.forOwner("alice");
  const { taskId } = await bound.create({ ttlMs: 1000 });
  const handle: TheirTaskHandle = store.handle(taskId);
  await handle.complete({ content: [] } satisfies CallToolResult);
  if (await theirs.get(taskId, { principal: "bob" })) throw new Error("seen");
});
