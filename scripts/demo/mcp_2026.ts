/**
 * The story of the 2026-07-28 era: the Tasks extension on two processes, the
 * client of `@modelcontextprotocol/ext-tasks` before them. `demo_mcp.ts` tells
 * it.
 *
 * @module
 */

// The optional peer of ext-tasks: deno links it only where it is imported.
import "@modelcontextprotocol/client";
import {
  type TaskOutcome,
  withTasks,
} from "@modelcontextprotocol/ext-tasks/client";
import { makePort } from "../../tests/mcp/v2026_07_28/client.ts";
import {
  RoundRobin,
  startInstance,
} from "../../tests/mcp/v2026_07_28/processes.ts";
import { waitUntil } from "../../tests/support/wait.ts";
import { check, type Stage, type Story } from "./mcp_story.ts";

/** How long a task outlives its worker here. */
const LEASE_MS = 1500;

/** The story. */
export const storyExtension: Story = {
  title: "MCP 2026-07-28: the Tasks extension",
  tell,
};

async function tell({ env, say }: Stage): Promise<void> {
  const start = (holder: string) =>
    startInstance({
      redisUrl: env.REDIS_URL!,
      prefix: env.PREFIX!,
      leaseMs: LEASE_MS,
      holder,
    });
  await using first = await start("A");
  await using second = await start("B");
  say("servers A and B behind a round-robin, every request to the other one");
  const robin = new RoundRobin([first.url, second.url]);
  await using session = withTasks(makePort(robin.send), {
    tools: { currentTool: () => undefined },
    onInputRequest: (request) => {
      say(`the client is asked: ${request.params?.message}`);
      const answer = { action: "accept", content: { confirm: true } };
      return Promise.resolve(answer as never);
    },
  });
  const call = async (name: string, args: Record<string, string | number>) => {
    const execution = await session.callTool(name, args);
    say(`${name} is task ${execution.handle?.taskId}`);
    return execution;
  };
  const end = async (result: Promise<TaskOutcome<unknown>>) => {
    const described = describe(await result);
    say(described);
    return described;
  };

  const asked = await call("confirm_delete", { filename: "a.txt" });
  check(
    await end(asked.result()) === "completed: deleted a.txt",
    "the answer reaches the handler, whichever server it came to",
  );

  const unwanted = await call("slow_compute", { seconds: 60, label: "all" });
  await unwanted.cancel();
  check(
    await end(unwanted.result()) === "cancelled",
    "a cancelled task is cancelled",
  );

  const doomed = await call("slow_compute", { seconds: 60, label: "all" });
  const runs = `runs ${doomed.handle?.taskId}`;
  const worker = await waitUntil(
    "a server works on it",
    () => [first, second].find(({ lines }) => lines.includes(runs)),
  );
  await worker!.kill();
  say("SIGKILL to the server that works on it");
  check(
    (await end(doomed.result())).startsWith("failed: worker lost"),
    "the task of a dead server fails within the lease",
  );

  const again = await call("slow_compute", { seconds: 0.5, label: "all" });
  check(
    await end(again.result()) === "completed: computed all",
    "the other server goes on",
  );
}

function describe(outcome: TaskOutcome<unknown>): string {
  switch (outcome.status) {
    case "completed": {
      const { content } = outcome.result as { content: { text?: string }[] };
      return `completed: ${content[0]?.text}`;
    }
    case "failed":
      return `failed: ${outcome.error.message}`;
    default:
      return outcome.status;
  }
}
