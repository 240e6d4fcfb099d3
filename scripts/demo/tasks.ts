/**
 * `deno task demo`: the main job, as two instances of one server do it. It
 * runs on Redis where `REDIS_URL` is set and in memory where it is not, tells
 * what happens, and exits with 1 if anything is not as promised.
 *
 * @module
 */

import {
  InvalidTransitionError,
  makePrefix,
  MemoryBackend,
  RedisBackend,
  ResourceExhaustedError,
  type StorageBackend,
  TaskNotFoundError,
  TaskStore,
} from "../../mod.ts";

const PREFIX = `mcp-demo-${crypto.randomUUID()}`;
const URL = Deno.env.get("REDIS_URL") || undefined;
/** What the demo does not wait for, it fails for. */
const DEADLINE_MS = 10_000;

const [a, b] = await openInstances();
say(
  URL
    ? "Two instances, A and B, each with a connection of its own to Redis."
    : "Two instances, A and B, on the memory of this process (REDIS_URL: on Redis).",
);
const deadline = setTimeout(() => {
  console.error(`not done after ${DEADLINE_MS} ms`);
  Deno.exit(1);
}, DEADLINE_MS);

await privateTasks();
await inputAndCompletion();
await concurrentProgress();
await oneWinner();
await exactQuota();
await pages();
await lostWorker();
await endOfLife();

clearTimeout(deadline);
await b.close();
await a.close();
say("Everything was as promised.");

async function privateTasks(): Promise<void> {
  const owners = ["auth0|7", "urn", "urn:bob"];
  const records = await Promise.all(
    owners.map((owner) => a.create(owner, "tools/call", { ttlMs: 60_000 })),
  );
  for (const [i, owner] of owners.entries()) {
    const { tasks } = await b.list(owner);
    check(tasks.length === 1, `${owner} sees one task`);
    check(
      tasks[0]!.task.taskId === records[i]!.task.taskId,
      `${owner} sees its own task`,
    );
  }
  const foreign = await outcome(b.get(records[2]!.task.taskId, "urn"));
  check(foreign instanceof TaskNotFoundError, "urn cannot see urn:bob's task");
  say(`A made a task for each of ${owners.join(", ")}. On B each owner sees
   its own; to the others it does not exist.`);
}

async function inputAndCompletion(): Promise<void> {
  const { task: { taskId } } = await a.create("alice", "tools/call");
  const asked = b.waitFor(taskId, "alice", { status: "input_required" });
  await a.setVariables(taskId, "alice", { step: "reading", done: 40 });
  await a.update(taskId, "alice", {
    status: "input_required",
    statusMessage: "Which folder?",
    inputRequests: { folder: { method: "elicitation/create" } },
  });
  check(
    (await asked).inputRequests?.folder !== undefined,
    "B sees what is asked",
  );
  const ended = a.waitFor(taskId, "alice", { final: true, timeoutMs: 5_000 });
  const answered = a.waitFor(taskId, "alice", { status: "working" });
  await b.update(taskId, "alice", {
    status: "working",
    inputResponses: { folder: "inbox" },
  });
  const { inputResponses } = await answered;
  check(inputResponses?.folder === "inbox", "A has the answer given on B");
  const start = performance.now();
  await b.completeWithResult(taskId, "alice", {
    content: [{ type: "text", text: `read ${inputResponses.folder}` }],
  });
  const { task, result } = await ended;
  const ms = (performance.now() - start).toFixed(1);
  check(task.status === "completed" && result !== null, "A has the result");
  say(`alice's task made progress on A, asked for input, was answered and
   completed on B; A, waiting without polling, had the result ${ms} ms later.`);
}

async function concurrentProgress(): Promise<void> {
  const { task: { taskId } } = await a.create("alice", "tools/call");
  await Promise.all(Array.from({ length: 100 }, (_, i) => {
    const instance = i % 2 === 0 ? a : b;
    return instance.setVariables(taskId, "alice", { [`part${i}`]: i });
  }));
  const { variables, version } = await a.get(taskId, "alice");
  check(Object.keys(variables).length === 100, "no variable is lost");
  check(version === 101, "every write counts once");
  say(`A and B wrote 100 variables to one task at once: all 100 are there, at
   version ${version}.`);
}

async function oneWinner(): Promise<void> {
  let completed = 0;
  const rounds = 50;
  for (let round = 0; round < rounds; round++) {
    const record = await a.create("carol", "tools/call");
    const { taskId } = record.task;
    const complete = () =>
      outcome(a.completeWithResult(record, "carol", { round }));
    const cancel = () => outcome(b.cancel(record, "carol"));
    // The first to be asked has a small head start: they take turns at it.
    const racers = round % 2 === 0 ? [complete, cancel] : [cancel, complete];
    const [first, second] = await Promise.all(racers.map((run) => run()));
    const { task, result } = await b.get(taskId, "carol");
    const won = task.status === "completed";
    check(won === (result !== null), "a result only with completion");
    const loser = first instanceof Error ? first : second;
    check(
      loser instanceof InvalidTransitionError && loser.from === task.status,
      "the loser learns who won",
    );
    check(await a.delete(taskId, "carol"), "the task can be deleted");
    if (won) completed++;
  }
  say(`A completed what B cancelled, ${rounds} times: ${completed} completed,
   ${
    rounds - completed
  } cancelled, never both, and the loser knew the winner.`);
}

async function exactQuota(): Promise<void> {
  const made = await Promise.all(Array.from({ length: 120 }, (_, i) => {
    const instance = i % 2 === 0 ? a : b;
    return outcome(instance.create("dave", "tools/call", { ttlMs: 60_000 }));
  }));
  const refused = made.filter((it) => it instanceof ResourceExhaustedError);
  check(refused.length === 20, "exactly 20 of 120 are over the quota");
  say("A and B created 120 tasks for dave at once: exactly 100 were allowed.");
}

async function pages(): Promise<void> {
  const seen = new Set<string>();
  let count = 0;
  let cursor: string | undefined;
  do {
    const page = await b.list("dave", { limit: 30, cursor });
    for (const { task } of page.tasks) seen.add(task.taskId);
    await a.delete(page.tasks[0]!.task.taskId, "dave");
    count++;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  check(seen.size === 100, "every task is listed once");
  say(`B listed dave's 100 tasks in ${count} pages while A was deleting some:
   none twice, none missed.`);
}

async function lostWorker(): Promise<void> {
  const { task: { taskId } } = await a.create("erin", "tools/call");
  const start = performance.now();
  if (URL) await startAndKillWorker(taskId, "erin");
  else await a.lease(taskId, "erin", { forMs: 500, holder: "worker" });
  const { task } = await b.waitFor(taskId, "erin", {
    status: "failed",
    timeoutMs: 5_000,
  });
  const late = await outcome(a.completeWithResult(taskId, "erin", "too late"));
  check(late instanceof InvalidTransitionError, "the late worker is refused");
  const ms = Math.round(performance.now() - start);
  say(
    `The worker of erin's task ${
      URL ? "was killed (SIGKILL)" : "fell silent"
    }. After ${ms} ms B read it as failed:
   "${task.statusMessage}".`,
  );
}

async function endOfLife(): Promise<void> {
  const { task: { taskId } } = await a.create("frank", "tools/call", {
    ttlMs: 400,
  });
  await b.get(taskId, "frank");
  const start = performance.now();
  for await (const _ of b.watch(taskId, "frank"));
  const ms = Math.round(performance.now() - start);
  const gone = await outcome(b.get(taskId, "frank"));
  check(gone instanceof TaskNotFoundError, "an expired task is gone");
  say(`frank's task had a TTL of 400 ms; B watched it to its end (${ms} ms).`);
  for (const owner of ["auth0|7", "urn", "urn:bob", "alice", "dave", "erin"]) {
    for (const { key } of await a.backend.listByPrefix(makePrefix(owner))) {
      await a.backend.delete(key);
    }
  }
}

/** A worker in a process of its own: it takes the task and is killed. */
async function startAndKillWorker(taskId: string, owner: string) {
  const worker = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--allow-net", "--allow-env"],
      new globalThis.URL("./worker.ts", import.meta.url).href,
      ...[URL!, PREFIX, taskId, owner],
    ],
    stdout: "piped",
  }).spawn();
  const reader = worker.stdout.getReader();
  await reader.read();
  worker.kill("SIGKILL");
  await reader.cancel();
  await worker.status;
}

async function openInstances(): Promise<[TaskStore, TaskStore]> {
  const open = async (): Promise<StorageBackend> =>
    await RedisBackend.connect(URL!, { prefix: PREFIX });
  const first = URL ? await open() : new MemoryBackend();
  const second = URL ? await open() : first;
  return [new TaskStore(first), new TaskStore(second)];
}

async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}

function say(text: string): void {
  console.log(`- ${text.replaceAll(/\s+/g, " ")}`);
}

function check(holds: boolean, promise: string): asserts holds {
  if (holds) return;
  console.error(`NOT AS PROMISED: ${promise}`);
  Deno.exit(1);
}
