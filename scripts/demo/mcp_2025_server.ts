/**
 * One instance of the server in `demo_mcp_2025.ts`, run as a process of its
 * own: an SDK v1 server whose slow tool survives the instance that runs it.
 *
 * The job writes down how far it is after every step, and who does it. An
 * instance that has not written for `GIVE_UP_MS` is taken for dead, and another
 * one goes on from its last step. Both are compare-and-swap on the task: of
 * all who want to take over, one does, and who was overtaken cannot write.
 * (A lease, as in README, is for jobs that cannot be resumed: it fails them.)
 *
 * @module
 */

import { createServer } from "node:http";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
// @ts-types="@modelcontextprotocol/sdk/server/mcp"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="@modelcontextprotocol/sdk/server/streamableHttp"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";
import {
  RedisBackend,
  SdkTaskMessageQueue,
  SdkTaskStore,
  TaskStore,
  type TaskUpdate,
} from "../../mod.ts";

/** How long one step of the job takes, in milliseconds. */
const STEP_MS = 150;
/** How long the worker of a task may be silent, in milliseconds. */
const GIVE_UP_MS = 1000;

/** How far a job is: the task's variables. */
interface Progress extends Record<string, unknown> {
  readonly upTo: number;
  readonly done: number;
  readonly sum: number;
  /** The instance that did each step, one letter a step. */
  readonly workers: string;
  readonly worker: string;
  /** The worker's last sign of life, in epoch milliseconds. */
  readonly heardAt: number;
}

const { REDIS_URL, PREFIX: prefix, PORT, INSTANCE: me = "?" } = process.env;
const backend = await RedisBackend.connect(REDIS_URL!, { prefix });
const tasks = new TaskStore(backend, { retention: "completion" });
const sdkTasks = new SdkTaskStore(tasks);
const sdkQueue = new SdkTaskMessageQueue(tasks.queues!);
const OWNERS = new Map([["Bearer a", "alice"], ["Bearer b", "bob"]]);

/** Does the steps that are left, as long as the task is ours. */
async function work(taskId: string, owner: string): Promise<void> {
  const signal = tasks.signalFor(taskId, owner);
  for (let busy = true; busy;) {
    await sleep(STEP_MS, undefined, { signal });
    const { task } = await tasks.modify(taskId, owner, ({ variables }) => {
      const progress = variables as Progress;
      if (progress.worker !== me) throw new Error("another has taken over");
      return step(progress);
    });
    busy = task.status === "working";
  }
}

function step({ upTo, done, sum, workers }: Progress): TaskUpdate {
  const n = done + 1;
  const variables = {
    done: n,
    sum: sum + n * n,
    workers: workers + me,
    heardAt: Date.now(),
  };
  const statusMessage = `${n} of ${upTo}, by ${me}`;
  if (n < upTo) return { variables, statusMessage };
  const text = `${variables.sum}, steps done by ${variables.workers}`;
  const result = { content: [{ type: "text", text }] };
  return { status: "completed", statusMessage, variables, result };
}

/** Looks for tasks whose worker is silent and goes on with them. */
async function takeOver(owner: string): Promise<void> {
  const isSilent = ({ heardAt }: Progress) => Date.now() - heardAt > GIVE_UP_MS;
  for (const { task, variables } of (await tasks.list(owner)).tasks) {
    if (task.status !== "working" || !isSilent(variables as Progress)) continue;
    const mine = { worker: me, heardAt: Date.now() };
    const record = await tasks.modify(
      task.taskId,
      owner,
      (standing) =>
        isSilent(standing.variables as Progress)
          ? { variables: mine }
          : undefined,
    );
    if (record.variables.heardAt === mine.heardAt) {
      work(task.taskId, owner).catch(() => {});
    }
  }
}

function serverFor(owner: string): McpServer {
  const server = new McpServer({ name: "demo", version: "1.0.0" }, {
    capabilities: {
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    },
    taskStore: sdkTasks.forOwner(owner),
    taskMessageQueue: sdkQueue.forOwner(owner),
  });
  server.experimental.tasks.registerToolTask("sum_of_squares", {
    description: "1 + 4 + 9 + …, slowly",
    inputSchema: { upTo: z.number().int().min(1) },
  }, {
    async createTask({ upTo }, extra) {
      const first: Progress = {
        ...{ upTo, done: 0, sum: 0, workers: "" },
        ...{ worker: me, heardAt: Date.now() },
      };
      const task = await extra.taskStore.createTask({
        ttl: extra.taskRequestedTtl,
        pollInterval: 100,
        context: first,
      });
      work(task.taskId, owner).catch(() => {});
      return { task };
    },
    getTask: (_args, extra) => extra.taskStore.getTask(extra.taskId),
    getTaskResult: async (_args, extra) => ({
      content: [],
      ...await extra.taskStore.getTaskResult(extra.taskId),
    }),
  });
  return server;
}

const http = createServer(async (req, res) => {
  const owner = OWNERS.get(req.headers.authorization ?? "");
  if (owner === undefined) return void res.writeHead(401).end();
  if (req.method !== "POST") return void res.writeHead(405).end();
  const server = serverFor(owner);
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
  });
  res.on("close", () => server.close());
  await server.connect(transport);
  await transport.handleRequest(req, res);
});
http.listen(Number(PORT), "127.0.0.1", () => {
  console.log(http.address());
});

while (true) {
  for (const owner of OWNERS.values()) await takeOver(owner);
  await sleep(GIVE_UP_MS / 4);
}
