/**
 * The 2025-11-25 era, told by `demo_mcp.ts`: the SDK v1's client and two
 * processes of `demo_mcp_2025_server.ts`.
 *
 * @module
 */

import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import {
  check,
  Instance,
  RoundRobin,
  type Stage,
  type Story,
} from "./mcp_story.ts";

const SERVER = new URL("mcp_2025_server.ts", import.meta.url);
const UP_TO = 20;
const SUM = (UP_TO * (UP_TO + 1) * (2 * UP_TO + 1)) / 6;

/** The story of the 2025-11-25 era. */
export const story2025: Story = {
  title: "MCP 2025-11-25: @modelcontextprotocol/sdk 1.x",
  tell,
};

async function tell({ env, say }: Stage): Promise<void> {
  const instances = await Promise.all(
    ["A", "B"].map((name) => Instance.start(name, SERVER, env)),
  );
  await using a = instances[0]!;
  await using b = instances[1]!;
  await using front = new RoundRobin([a, b]);
  const alice = await connect(front.url, "a");
  say("Two instances, A and B, behind a round-robin; alice's client connects.");

  const { task: { taskId, ttl } } = await alice.request(
    {
      method: "tools/call",
      params: { name: "sum_of_squares", arguments: { upTo: UP_TO } },
    },
    CreateTaskResultSchema,
    { task: { ttl: 60_000 } },
  );
  const killed = front.servedBy === "A" ? a : b;
  const survivor = killed === a ? b : a;
  check(ttl === 60_000, "the task has the TTL asked for");
  say(`tools/call sum_of_squares(${UP_TO}) -> ${killed.name}: task ${taskId}`);

  const answeredBy = new Set<string>();
  const before = await poll(alice, taskId, (done) => {
    answeredBy.add(front.servedBy);
    return done >= 5;
  });
  check(answeredBy.size === 2, "both instances answer for the task");
  say(`tasks/get -> A and B in turn: working, "${before.message}"`);

  await killed.kill();
  say(`${killed.name} is killed (SIGKILL) in the middle of its work.`);
  const after = await alice.experimental.tasks.getTask(taskId);
  check(front.servedBy === survivor.name, "the other instance answers");
  check(after.status === "working", "the task has survived");
  check(doneOf(after.statusMessage) >= before.done, "so has its progress");
  say(`tasks/get -> ${survivor.name}: working, "${after.statusMessage}"`);

  const result = alice.experimental.tasks
    .getTaskResult(taskId, CallToolResultSchema);
  const taken = await poll(
    alice,
    taskId,
    (_, message) => message.endsWith(`by ${survivor.name}`),
  );
  say(`tasks/get -> ${survivor.name} has taken over: "${taken.message}"`);
  const [content] = (await result).content;
  check(content?.type === "text", "the result is text");
  const [, sum, workers = ""] = /^(\d+), steps done by (\w+)$/
    .exec(content.text) ?? [];
  check(Number(sum) === SUM, `1 + 4 + … + ${UP_TO ** 2} is ${SUM}`);
  check(workers.length === UP_TO, "every step was done once");
  check(
    new RegExp(`^${killed.name}{5,}${survivor.name}+$`).test(workers),
    "begun by one, finished by the other",
  );
  say(`tasks/result, waiting meanwhile -> ${survivor.name}: ${content.text}`);

  const bob = await connect(front.url, "b");
  const { tasks } = await bob.experimental.tasks.listTasks();
  check(tasks.length === 0, "bob sees none of alice's tasks");
  const foreign = await bob.experimental.tasks.getTask(taskId)
    .catch((error) => error.code);
  check(foreign === -32602, "to bob the task does not exist");
  say("tasks/list and tasks/get by bob: no such task.");
  await Promise.all([alice.close(), bob.close()]);
}

async function connect(url: URL, token: string): Promise<Client> {
  const client = new Client({ name: "demo", version: "1.0.0" });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(
    new StreamableHTTPClientTransport(url, { requestInit: { headers } }),
  );
  return client;
}

/** Looks at the task until it is as far as asked. */
async function poll(
  client: Client,
  taskId: string,
  enough: (done: number, message: string) => boolean,
): Promise<{ done: number; message: string }> {
  while (true) {
    const task = await client.experimental.tasks.getTask(taskId);
    const message = task.statusMessage ?? "";
    const done = doneOf(message);
    if (enough(done, message)) return { done, message };
    check(task.status === "working", "the task is not over too early");
    await new Promise((resolve) => setTimeout(resolve, task.pollInterval));
  }
}

/** Reads `5 of 20, by A`. */
function doneOf(message = "0"): number {
  return parseInt(message || "0");
}
