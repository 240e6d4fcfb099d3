/**
 * The checker of `deno task faults`, on hand-made histories: a right one is
 * accepted, and for each kind of violation one that has it is caught.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ViolationKind } from "../../scripts/faults/report.ts";
import { VIOLATIONS } from "../../scripts/faults/report.ts";
import { failed, HandMade, KEY, NOW_MS, record, version } from "./history.ts";

const FENCE = NOW_MS * 1000;

/** What each test has shown to be caught. */
const caught = new Set<ViolationKind>();

function finds(
  name: string,
  kinds: readonly ViolationKind[],
  make: (history: HandMade) => void,
): void {
  for (const kind of kinds) caught.add(kind);
  Deno.test(`checker finds ${name}`, () => {
    const history = new HandMade();
    make(history);
    assertEquals(history.kinds(), kinds.toSorted());
  });
}

function accepts(name: string, make: (history: HandMade) => void): void {
  Deno.test(`checker accepts ${name}`, () => {
    const history = new HandMade();
    make(history);
    assertEquals(history.kinds(), []);
  });
}

/** A record of one version that its writer knows of. */
function created(history: HandMade): void {
  history.call({ operation: "create", id: "a", answer: version(1) });
  history.write(1, "a");
}

/** A record with a lease. */
function leased(history: HandMade, forMs = 100): void {
  created(history);
  history.call({
    operation: "acquire",
    holder: "h",
    forMs,
    answer: { is: "fence", fence: FENCE },
  });
  history.lease(FENCE, NOW_MS + forMs, "h");
}

accepts("a life from creation to deletion, and the next one", (history) => {
  created(history);
  history.call({ operation: "get", answer: record(1, "a") });
  history.call({
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "a" },
    answer: version(2),
  });
  history.write(2, "b");
  history.call({
    operation: "cas",
    id: "c",
    expected: { version: 1, etag: "a" },
    answer: { is: "conflict", actual: 2 },
  });
  history.call({
    operation: "create",
    id: "d",
    answer: { is: "conflict", actual: 2 },
  });
  history.call({
    operation: "delete",
    id: "e",
    expected: { version: 2, etag: "b" },
    answer: { is: "boolean", value: true },
  });
  history.remove("e");
  history.call({ operation: "get", answer: { is: "absent" } });
  history.call({
    operation: "delete",
    id: "f",
    answer: { is: "boolean", value: false },
  });
  history.call({ operation: "put", id: "g", answer: version(1) });
  history.write(1, "g");
  // Another life of the version that is expected.
  history.call({
    operation: "cas",
    id: "h",
    expected: { version: 1, etag: "a" },
    answer: { is: "conflict", actual: 1 },
  });
});

accepts("unknown outcomes, applied or not", (history) => {
  history.call({ operation: "put", id: "a", answer: failed("unknown") });
  history.call({ operation: "put", id: "b", answer: failed("unknown") });
  history.write(1, "b");
  history.call({ operation: "get", answer: record(1, "b") });
});

accepts("what calls at the same time see in either order", (history) => {
  created(history);
  history.between(10, 20, { operation: "get", answer: record(1, "a") });
  history.between(11, 21, { operation: "get", answer: record(2, "b") });
  history.between(9, 22, {
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "a" },
    answer: version(2),
  });
  history.write(2, "b");
});

accepts("a lease that is held, renewed, used and released", (history) => {
  leased(history);
  history.call({
    operation: "renew",
    fence: FENCE,
    forMs: 100,
    answer: { is: "done" },
  });
  history.lease(FENCE, NOW_MS + 101, "h");
  history.call({
    operation: "get",
    answer: record(1, "a", { holder: "h", fence: FENCE }),
  });
  history.call({
    operation: "acquire",
    holder: "i",
    forMs: 100,
    answer: { is: "leased", holder: "h" },
  });
  history.call({
    operation: "record step",
    fence: FENCE,
    step: "s",
    token: "x",
    answer: { is: "step", data: "x", recorded: true },
  });
  history.effects([
    "HSET",
    "mcp:tasks:{alice}:t-1",
    "step:s",
    `${FENCE}|x`,
  ]);
  history.call({
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "a" },
    fence: FENCE,
    releaseLease: true,
    answer: version(2),
  });
  const { transactions } = history;
  history.write(2, "b");
  transactions[transactions.length - 1] = [
    ...transactions.at(-1)!,
    ["HDEL", "mcp:tasks:{alice}:t-1", "lease"],
  ];
  history.call({
    operation: "renew",
    fence: FENCE,
    forMs: 100,
    answer: { is: "fenced" },
  });
  history.call({
    operation: "release",
    fence: FENCE,
    answer: { is: "boolean", value: true },
  });
});

accepts("a queue that is filled, refused, shifted and drained", (history) => {
  for (const token of ["m1", "m2", "m3"]) {
    history.call({ operation: "push", token, answer: { is: "done" } });
    history.effects(["RPUSH", "mcp:queue:{alice}:t-1", token]);
  }
  history.call({
    operation: "push",
    token: "m4",
    maxLength: 3,
    answer: { is: "queue full" },
  });
  const shift = ["LPOP", "mcp:queue:{alice}:t-1"];
  history.effects(shift);
  history.call({
    operation: "shift",
    answer: { is: "messages", messages: ["m1"] },
  });
  history.effects(shift);
  history.call({ operation: "shift", answer: failed("unknown") });
  history.effects(["DEL", "mcp:queue:{alice}:t-1"]);
  history.call({
    operation: "drain",
    answer: { is: "messages", messages: ["m3"] },
  });
  history.call({
    operation: "shift",
    answer: { is: "messages", messages: [] },
  });
});

accepts("a quota that is reached and refuses", (history) => {
  const maxRecords = 1;
  history.call({
    operation: "create",
    id: "a",
    maxRecords,
    answer: version(1),
  });
  history.write(1, "a");
  history.call({
    operation: "create",
    key: "alice:t-2",
    id: "b",
    maxRecords,
    answer: { is: "capacity", unit: "records", actual: 1 },
  });
});

finds(
  "a write that is missing",
  ["acknowledged write is missing"],
  (history) => {
    history.call({ operation: "put", id: "a", answer: version(1) });
  },
);

for (
  const answer of [
    { is: "conflict", actual: 1 },
    { is: "capacity", unit: "records", actual: 9 },
    failed("not_applied"),
  ] as const
) {
  finds(
    `a write that was told ${answer.is}`,
    ["refused write is present"],
    (history) => {
      history.call({
        operation: "create",
        id: "b",
        maxRecords: 9,
        answer,
      });
      history.write(1, "b");
    },
  );
}

finds("a write applied twice", [
  "condition of the write was not met",
  "write was applied twice",
], (history) => {
  created(history);
  history.call({
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "a" },
    answer: version(2),
  });
  history.write(2, "b");
  history.write(3, "b");
});

finds("a write after its answer", [
  "write was applied after its answer",
], (history) => {
  history.call({ operation: "put", id: "a", answer: version(2) });
  // Only what starts after the end of the first can tell.
  history.call({ operation: "put", id: "b", answer: version(1) });
  history.write(1, "b");
  history.write(2, "a");
});

finds("a write of no call", ["write of no call"], (history) => {
  history.write(1, "x");
});

finds("a write of other text than asked", [
  "write differs from its call",
], (history) => {
  history.call({ operation: "put", id: "a", answer: version(1) });
  history.write(1, "a", { token: "other" });
});

finds("a swap over another record of that version", [
  "condition of the write was not met",
], (history) => {
  created(history);
  history.call({
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "z" },
    answer: version(2),
  });
  history.write(2, "b");
});

finds("a creation over a record", [
  "condition of the write was not met",
], (history) => {
  created(history);
  history.call({ operation: "create", id: "b", answer: failed("unknown") });
  history.write(2, "b");
});

finds("a version that does not follow", [
  "version does not follow",
], (history) => {
  created(history);
  history.call({ operation: "put", id: "b", answer: version(3) });
  history.write(3, "b");
});

finds("an answer with another version than was written", [
  "wrong answer of a write",
], (history) => {
  created(history);
  history.call({ operation: "put", id: "b", answer: version(3) });
  history.write(2, "b");
});

finds("a record that vanished", ["record vanished"], (history) => {
  created(history);
  history.effects(
    ["ZREM", "mcp:idx:{alice}", "t-1"],
    ["DEL", "mcp:tasks:{alice}:t-1"],
  );
});

finds("a stale read", ["answer is true at no time of the call"], (history) => {
  created(history);
  history.call({ operation: "put", id: "b", answer: version(2) });
  history.write(2, "b");
  history.call({ operation: "get", answer: record(1, "a") });
});

finds("a read that goes back behind another read", [
  "answer is true at no time of the call",
], (history) => {
  created(history);
  history.between(50, 90, { operation: "put", id: "b", answer: version(2) });
  history.write(2, "b");
  history.between(60, 61, { operation: "get", answer: record(2, "b") });
  history.between(70, 71, { operation: "get", answer: record(1, "a") });
});

finds("a conflict that no one caused", [
  "answer is true at no time of the call",
], (history) => {
  created(history);
  history.call({
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "a" },
    answer: { is: "conflict", actual: 2 },
  });
});

finds("a refusal for a quota that was not reached", [
  "answer is true at no time of the call",
], (history) => {
  created(history);
  history.call({
    operation: "create",
    key: "alice:t-2",
    id: "b",
    maxRecords: 2,
    answer: { is: "capacity", unit: "records", actual: 2 },
  });
});

finds("a list without a record that was there all along", [
  "answer is true at no time of the call",
], (history) => {
  created(history);
  history.call({
    operation: "list",
    key: "alice:",
    answer: { is: "records", records: [] },
  });
});

finds("an index without its hash, and a hash without its index", [
  "index differs from its hash",
], (history) => {
  history.call({ operation: "put", id: "a", answer: version(1) });
  history.write(1, "a", { index: false });
});

finds("a quota that is exceeded", ["quota is exceeded"], (history) => {
  created(history);
  history.call({
    operation: "create",
    key: "alice:t-2",
    id: "b",
    maxRecords: 1,
    answer: version(1),
  });
  history.write(1, "b", { key: "alice:t-2" });
});

finds("fences that do not grow over two lives", [
  "fences do not grow",
], (history) => {
  leased(history);
  history.call({
    operation: "delete",
    id: "d",
    answer: { is: "boolean", value: true },
  });
  history.remove("d");
  history.call({ operation: "put", id: "e", answer: version(1) });
  history.write(1, "e");
  history.call({
    operation: "acquire",
    holder: "i",
    forMs: 100,
    answer: { is: "fence", fence: FENCE - 1 },
  });
  history.lease(FENCE - 1, NOW_MS + 100, "i");
});

finds("two holders at a time", ["two holders of a lease"], (history) => {
  leased(history);
  history.call({
    operation: "acquire",
    holder: "i",
    forMs: 100,
    answer: { is: "fence", fence: FENCE + 50_000 },
  });
  history.lease(FENCE + 50_000, NOW_MS + 150, "i");
});

finds("a lease renewed after its end", [
  "lease renewed after its end",
], (history) => {
  leased(history);
  history.call({
    operation: "renew",
    fence: FENCE,
    forMs: 100,
    startMs: NOW_MS + 200,
    endMs: NOW_MS + 201,
    answer: { is: "done" },
  });
  history.lease(FENCE, NOW_MS + 300, "h");
});

finds("a lease of a holder that was refused", [
  "lease differs from its call",
], (history) => {
  leased(history);
  history.call({
    operation: "acquire",
    holder: "i",
    forMs: 100,
    startMs: NOW_MS,
    answer: { is: "leased", holder: "h" },
  });
  history.lease(FENCE + 200_000, NOW_MS + 300, "i");
});

finds("a write under a fence that has ended", [
  "condition of the write was not met",
], (history) => {
  leased(history);
  history.call({
    operation: "cas",
    id: "b",
    expected: { version: 1, etag: "a" },
    fence: FENCE,
    startMs: NOW_MS + 500,
    endMs: NOW_MS + 501,
    answer: version(2),
  });
  history.write(2, "b");
});

finds("a step recorded twice", [
  "step recorded twice or without the lease",
], (history) => {
  leased(history);
  for (const token of ["x", "y"]) {
    history.call({
      operation: "record step",
      fence: FENCE,
      step: "s",
      token,
      answer: { is: "step", data: token, recorded: true },
    });
    history.effects([
      "HSET",
      "mcp:tasks:{alice}:t-1",
      "step:s",
      `${FENCE}|${token}`,
    ]);
  }
});

for (const isLost of [true, false]) {
  const judge = (name: string, make: (history: HandMade) => void) =>
    isLost
      ? accepts(`${name} after a failover has undone its delivery`, make)
      : finds(name, ["write was applied after its answer"], make);
  judge("a message that went with its queue later", (history) => {
    const queue = "mcp:queue:{alice}:t-1";
    history.call({ operation: "push", token: "m", answer: { is: "done" } });
    history.effects(["RPUSH", queue, "m"]);
    const answer = { is: "messages" as const, messages: ["m"] };
    history.call({ operation: "shift", answer });
    if (isLost) history.lost.push([["RPUSH", queue, "m"]], [["LPOP", queue]]);
    history.call({ operation: "push", token: "n", answer: { is: "done" } });
    history.effects(["RPUSH", queue, "n"]);
    history.effects(["DEL", queue]);
    history.call({
      operation: "drain",
      answer: { is: "messages", messages: ["n"] },
    });
  });
}

accepts(
  "a release that finds an older lease after a failover has undone its own",
  (history) => {
    created(history);
    history.call({
      operation: "acquire",
      holder: "w",
      forMs: 1000,
      answer: { is: "fence", fence: FENCE },
    });
    history.lease(FENCE, NOW_MS + 1001, "w");
    history.call({
      operation: "release",
      fence: FENCE + 5,
      answer: { is: "boolean", value: false },
    });
  },
);

finds("a message stored twice", ["message stored twice"], (history) => {
  history.call({ operation: "push", token: "m", answer: { is: "done" } });
  history.effects(["RPUSH", "mcp:queue:{alice}:t-1", "m"]);
  history.effects(["RPUSH", "mcp:queue:{alice}:t-1", "m"]);
});

finds("a message delivered twice", ["message delivered twice"], (history) => {
  history.call({ operation: "push", token: "m", answer: { is: "done" } });
  history.effects(["RPUSH", "mcp:queue:{alice}:t-1", "m"]);
  history.between(50, 60, {
    operation: "shift",
    answer: { is: "messages", messages: ["m"] },
  });
  history.effects(["LPOP", "mcp:queue:{alice}:t-1"]);
  history.between(51, 61, {
    operation: "drain",
    answer: { is: "messages", messages: ["m"] },
  });
});

finds("a message that no one was given", ["message lost"], (history) => {
  history.call({ operation: "push", token: "m", answer: { is: "done" } });
  history.effects(["RPUSH", "mcp:queue:{alice}:t-1", "m"]);
  history.effects(["LPOP", "mcp:queue:{alice}:t-1"]);
});

finds("a message out of nowhere", ["message out of nowhere"], (history) => {
  history.effects(["RPUSH", "mcp:queue:{alice}:t-1", "m"]);
});

finds(
  "a task change applied twice",
  ["task change applied twice"],
  (history) => {
    created(history);
    const parent = history.between(50, 90, {
      operation: "task",
      name: "modify",
      token: "p",
      answer: { is: "done" },
    });
    for (const [at, id, before] of [[2, "b", "a"], [3, "c", "b"]] as const) {
      history.between(50 + at * 2, 51 + at * 2, {
        operation: "cas",
        id,
        token: "p",
        parent,
        expected: { version: at - 1, etag: before },
        answer: version(at),
      });
      history.write(at, id, { token: "p" });
    }
  },
);

finds("a task change that was refused and is there", [
  "task answer differs from its writes",
], (history) => {
  created(history);
  const parent = history.between(50, 90, {
    operation: "task",
    name: "modify",
    token: "p",
    answer: { is: "refused", message: "" },
  });
  history.between(51, 52, {
    operation: "cas",
    id: "b",
    token: "p",
    parent,
    expected: { version: 1, etag: "a" },
    answer: version(2),
  });
  history.write(2, "b", { token: "p" });
});

for (
  const [name, end] of [
    ["ends before one of its records", [["PEXPIREAT", "mcp:act:{alice}", "5"]]],
    ["never ends though all its records do", []],
  ] as const
) {
  finds(`an index that ${name}`, ["index differs from its hash"], (history) => {
    history.call({
      operation: "create",
      id: "a",
      active: true,
      expiresAt: 10,
      answer: version(1),
    });
    history.effects(
      ["ZADD", "mcp:idx:{alice}", "1", "t-1"],
      ["ZADD", "mcp:exp:{alice}", "10", "t-1"],
      ["ZADD", "mcp:act:{alice}", "10", "t-1"],
      [
        ...["HSET", "mcp:tasks:{alice}:t-1", "version", "1"],
        ...["data", "~a~", "ops", "1|1|10|1.a ~00000001"],
      ],
      ["PEXPIREAT", "mcp:tasks:{alice}:t-1", "10"],
      ["PEXPIREAT", "mcp:idx:{alice}", "10"],
      ["PEXPIREAT", "mcp:exp:{alice}", "10"],
      ...end.map((command) => [...command]),
    );
  });
}

finds("an error no caller expects", ["error no caller expects"], (history) => {
  history.call({
    operation: "get",
    answer: { is: "broken", message: "TypeError" },
  });
});

Deno.test("checker is shown every kind of violation by these tests", () => {
  assertEquals(VIOLATIONS.filter((kind) => !caught.has(kind)), []);
  assertEquals(KEY, "alice:t-1");
});
