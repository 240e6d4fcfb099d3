/**
 * EVIDENCE E1 to E4: listeners that leave, crowd, send too much, do not read
 * or come while the server shuts down.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Json, type Listening, RpcClient } from "./client.ts";
import {
  isOpen,
  newTask,
  OWNER,
  refusal,
  withServer,
} from "./listen_fixture.ts";
import { deadline, waitUntil } from "../../support/wait.ts";

Deno.test("a client that leaves during authorization frees its place (E1)", async () => {
  const limits = { maxSubscriptions: 300, maxSubscriptionsPerOwner: 300 };
  await withServer(limits, async (fixture) => {
    const { backend, store, client } = fixture;
    const taskIds = [await newTask(store)];
    const gate = Promise.withResolvers<void>();
    backend.gate = gate.promise;
    const leaving = Array.from({ length: 300 }, () => new AbortController());
    const quick = leaving.map((leave) => client.listen({ taskIds }, leave));
    await waitUntil("all are looked up", () => backend.waited === 300);
    for (const leave of leaving) leave.abort();
    // At once: the storage may take its time.
    const answers = await deadline("they are let go", Promise.all(quick));
    assertEquals(new Set(answers.map(isOpen)), new Set([false]));
    gate.resolve();
    backend.gate = undefined;
    const open = await Promise.all(
      leaving.map(() => client.listen({ taskIds })),
    );
    assertEquals(open.filter(isOpen).length, 300);
    for (const listening of open) await listening.leave();
  });
});

Deno.test("maxSubscriptions: 1 admits one of ten at once (E1)", async () => {
  const options = { maxSubscriptions: 1 };
  await withServer(options, async ({ store, client, limits }) => {
    const taskIds = [await newTask(store)];
    const ten = await Promise.all(
      Array.from({ length: 10 }, () => client.listen({ taskIds })),
    );
    const open = ten.filter(isOpen);
    assertEquals(open.length, 1);
    for (const listening of ten.filter((one) => !isOpen(one))) {
      assertEquals(await refusal(listening), "subscription limit reached");
    }
    assertEquals(limits, Array(9).fill("maxSubscriptions is 1"));
    await open[0]!.leave();
    const next = await client.listen({ taskIds });
    assert(isOpen(next));
    await next.leave();
  });
});

Deno.test("one owner cannot take the places of all (E1)", async () => {
  const options = { maxSubscriptions: 5, maxSubscriptionsPerOwner: 3 };
  await withServer(options, async ({ store, server, limits }) => {
    const alice = new RpcClient(server.fetch, { owner: "alice" });
    const bob = new RpcClient(server.fetch, { owner: "bob" });
    const hers = { taskIds: [await newTask(store, "alice")] };
    const his = { taskIds: [await newTask(store, "bob")] };
    const ofAlice = await Promise.all(
      Array.from({ length: 9 }, () => alice.listen(hers)),
    );
    const open = ofAlice.filter(isOpen);
    assertEquals(open.length, 3);
    assertEquals(
      new Set(limits),
      // Nine at once: some find all places taken before their owner is known.
      new Set([
        "maxSubscriptions is 5",
        'maxSubscriptionsPerOwner is 3, and "alice" has as many',
      ]),
    );
    assertEquals(limits.length, 6);
    const ofBob = [await bob.listen(his), await bob.listen(his)];
    assertEquals(ofBob.filter(isOpen).length, 2);
    // Now all are taken.
    assertEquals(isOpen(await bob.listen(his)), false);
    await open[0]!.leave();
    assert(isOpen(await bob.listen(his)));
  });
});

Deno.test("a place is taken and freed exactly once, whatever the timing (E1)", async () => {
  const listener = fc.record({
    /** When it leaves: before it is let in, or once it has read so much. */
    leavesAfter: fc.constantFrom("at once", "gate", "ack", "news", "never"),
    seenBy: fc.constantFrom<"abort" | "cancel" | "both">(
      "abort",
      "cancel",
      "both",
    ),
    twice: fc.boolean(),
  });
  const plan = fc.array(listener, { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      plan,
      fc.integer({ min: 1, max: 6 }),
      (plan, max) =>
        withServer({ maxSubscriptions: max }, async (fixture) => {
          const { backend, store, client, errors } = fixture;
          const taskIds = [await newTask(store)];
          const gate = Promise.withResolvers<void>();
          backend.gate = gate.promise;
          const staying: Listening[] = [];
          const all = plan.map(async ({ leavesAfter, seenBy, twice }) => {
            const leave = new AbortController();
            const opening = client.listen({ taskIds }, leave);
            if (leavesAfter === "at once") leave.abort();
            if (leavesAfter === "gate") gate.promise.then(() => leave.abort());
            const listening = await opening;
            if (!isOpen(listening)) return await listening.response.text();
            if (leavesAfter === "never") return staying.push(listening);
            if (leavesAfter !== "at once" && leavesAfter !== "gate") {
              await listening.next();
              if (leavesAfter === "news") await listening.next();
            }
            await listening.leave(seenBy);
            if (twice) await listening.leave("both");
          });
          gate.resolve();
          backend.gate = undefined;
          await deadline("all are answered", Promise.all(all));
          const rest = await Promise.all(
            Array.from({ length: max + 2 }, () => client.listen({ taskIds })),
          );
          assertEquals(rest.filter(isOpen).length, max - staying.length);
          for (const listening of [...staying, ...rest]) {
            await listening.leave("both");
          }
          assertEquals(errors, []);
        }),
    ),
    { numRuns: 40 },
  );
});

Deno.test("a listen request over 1 MiB is answered with 413, its rest unread (E2)", async () => {
  await withServer({}, async ({ server, client, store }) => {
    const sizes: [number, boolean][] = [
      [2 * 1024 * 1024, false],
      [2 * 1024 * 1024, true],
      [1024 * 1024 + 1, false],
    ];
    for (const [size, endless] of sizes) {
      let cancelled = false;
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (!endless && sent >= size) return controller.close();
          controller.enqueue(new Uint8Array(64 * 1024 + 1).fill(32));
          sent += 64 * 1024 + 1;
        },
        cancel() {
          cancelled = true;
        },
      });
      const response = await deadline(
        "an answer",
        server.fetch(
          new Request("http://localhost/mcp", {
            method: "POST",
            headers: {
              "content-type": "application/json",
              "mcp-method": "subscriptions/listen",
            },
            body,
          }),
        ),
      );
      assertEquals(response.status, 413);
      const { id, error } = await response.json();
      assertEquals([id, error.code], [null, -32000]);
      assert(cancelled || !endless);
      assert(sent < 2 * 1024 * 1024, `${sent} bytes were read`);
    }
    // Just under it, it is a request like any other.
    const taskId = await newTask(store);
    const many = Array.from({ length: 900 }, () => "x".repeat(1100));
    const listening = await client.listen({ taskIds: [taskId, ...many] });
    const ack = await listening.next();
    assertEquals(ack?.params.notifications, { taskIds: [taskId] });
    await listening.leave();
  });
});

Deno.test("a listen request whose id is over 256 characters is refused (E2)", async () => {
  await withServer({}, async ({ server, store }) => {
    const taskIds = [await newTask(store)];
    const idOf = (n: number) => "x".repeat(255 + n);
    const client = new RpcClient(server.fetch, { idOf });
    const open = await client.listen({ taskIds });
    assert(isOpen(open));
    await open.leave();
    const { response } = await client.listen({ taskIds });
    assertEquals(response.status, 400);
    const { id, error } = await response.json();
    assertEquals([id, error.code], [null, -32600]);
  });
});

Deno.test("a body that breaks off, and one that is no JSON, are answered (E2)", async () => {
  await withServer({}, async ({ server }) => {
    const send = (body: BodyInit) =>
      server.fetch(
        new Request("http://localhost/mcp", {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "mcp-method": "subscriptions/listen",
          },
          body,
        }),
      );
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error("gone")),
    });
    assertEquals((await send(broken)).status, 400);
    for (const body of ["{", "", "null", "[]", "7", '"listen"']) {
      const { status } = await send(body);
      assert(status >= 400 && status < 500, `${body}: ${status}`);
    }
  });
});

Deno.test("a listener that does not read costs one note a task, and reads the latest state (E3)", async () => {
  await withServer({}, async ({ store, client }) => {
    const taskIds: string[] = [];
    for (let i = 0; i < 20; i++) taskIds.push(await newTask(store));
    const listening = await client.listen({ taskIds });
    assertEquals((await listening.next())?.params.notifications, { taskIds });
    // 20 tasks of 50 states of 20 KB each: 20 MB, were they all kept.
    for (let n = 1; n <= 50; n++) {
      await Promise.all(taskIds.map((taskId) =>
        store.update(taskId, OWNER, {
          statusMessage: `${n} ${"x".repeat(20_000)}`,
        })
      ));
    }
    const seen = new Map<string, number[]>();
    const read = async () => {
      const message = await listening.next();
      const { taskId, statusMessage } = message!.params;
      const states = seen.get(taskId) ?? [];
      seen.set(taskId, [...states, Number.parseInt(statusMessage ?? "0")]);
    };
    for (let i = 0; i < taskIds.length; i++) await read();
    assertEquals(seen.size, 20);
    for (const states of seen.values()) assertEquals(states, [50]);
    await listening.leave();
  });
});

Deno.test("a state of many chunks arrives whole, though its task changes meanwhile (E3)", async () => {
  await withServer({}, async ({ store, client }) => {
    const taskId = await newTask(store);
    const long = (n: number) => `${n} ${"é".repeat(200_000)}`;
    await store.update(taskId, OWNER, { statusMessage: long(1) });
    const listening = await client.listen({ taskIds: [taskId] });
    await listening.next();
    const reader = listening.response.body!;
    assert(reader.locked);
    const first = listening.next();
    await store.update(taskId, OWNER, { statusMessage: long(2) });
    await store.update(taskId, OWNER, { statusMessage: long(3) });
    const states = [(await first)?.params.statusMessage];
    while (states.at(-1) !== long(3)) {
      states.push((await listening.next())?.params.statusMessage);
    }
    for (const state of states) {
      assert([long(1), long(2), long(3)].includes(state), "a state was torn");
    }
    await listening.leave();
  });
});

Deno.test("a listener that stays behind is dropped, and frees its place (E3)", async () => {
  const limits = { maxBehindMs: 100, maxSubscriptions: 1 };
  await withServer(limits, async ({ store, client, errors }) => {
    const taskIds = [await newTask(store)];
    const listening = await client.listen({ taskIds });
    await listening.next();
    await store.update(taskIds[0]!, OWNER, { statusMessage: "news" });
    await waitUntil("its place is free", async () => {
      const next = await client.listen({ taskIds });
      if (!isOpen(next)) {
        await next.response.text();
        return false;
      }
      await next.leave();
      return true;
    });
    await assertRejects(async () => {
      while (await listening.next());
    });
    assertEquals(errors, []);
  });
});

Deno.test("a listener that reads on, but is always behind, is dropped (E3)", async () => {
  await withServer({ maxBehindMs: 150 }, async ({ store, client }) => {
    const taskId = await newTask(store);
    const statusMessage = "x".repeat(1_000_000);
    await store.update(taskId, OWNER, { statusMessage });
    const { response } = await client.listen({ taskIds: [taskId] });
    const reader = response.body!.getReader();
    await reader.read();
    let bytes = 0;
    await assertRejects(async () => {
      // 16 chunks: no pause is too long, but all of them are.
      while (bytes < statusMessage.length) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        bytes += (await reader.read()).value!.length;
      }
    });
    await reader.cancel().catch(() => {});
  });
});

Deno.test("a listener that has much to read may take its time for each task (E3)", async () => {
  await withServer({ maxBehindMs: 400 }, async ({ store, client }) => {
    const taskIds: string[] = [];
    for (let i = 0; i < 20; i++) taskIds.push(await newTask(store));
    const listening = await client.listen({ taskIds });
    await listening.next();
    const began = performance.now();
    for (const taskId of taskIds) {
      await new Promise((resolve) => setTimeout(resolve, 40));
      assertEquals((await listening.next())?.params.taskId, taskId);
    }
    assert(performance.now() - began > 400);
    await listening.leave();
  });
});

Deno.test("a listener that reads is not dropped, however little there is (E3)", async () => {
  const options = { maxBehindMs: 50, keepAliveMs: 10 };
  await withServer(options, async ({ store, client }) => {
    const taskIds = [await newTask(store)];
    const listening = await client.listen({ taskIds });
    await listening.task(taskIds[0]!, "working");
    // It waits for more than ten times as long as it may be behind.
    const next = listening.task(taskIds[0]!, "cancelled");
    let cancelled = false;
    const timer = setTimeout(async () => {
      cancelled = true;
      await store.cancel(taskIds[0]!, OWNER);
    }, 600);
    await next;
    assert(cancelled);
    clearTimeout(timer);
    await listening.leave();
  });
});

Deno.test("one watch serves all listeners of a task, and ends with the last", async () => {
  await withServer({}, async ({ backend, store, client }) => {
    const taskIds = [await newTask(store), await newTask(store)];
    const all = await Promise.all(
      Array.from({ length: 50 }, () => client.listen({ taskIds })),
    );
    for (const listening of all) {
      await listening.task(taskIds[0]!, "working");
      await listening.task(taskIds[1]!, "working");
    }
    assertEquals(backend.watches, 2);
    for (const listening of all.slice(1)) await listening.leave();
    await store.cancel(taskIds[0]!, OWNER);
    await all[0]!.task(taskIds[0]!, "cancelled");
    await all[0]!.leave();
    const again = await client.listen({ taskIds });
    await again.task(taskIds[1]!, "working");
    await again.leave();
    assertEquals(backend.watches, 4);
  });
});

Deno.test("all listeners of an ended task share its one watch", async () => {
  await withServer({}, async ({ backend, store, client }) => {
    const taskId = await newTask(store);
    await store.cancel(taskId, OWNER);
    const all: Listening[] = [];
    for (let i = 0; i < 10; i++) {
      const listening = await client.listen({ taskIds: [taskId] });
      await listening.task(taskId, "cancelled");
      all.push(listening);
    }
    assertEquals(backend.watches, 1);
    for (const listening of all) await listening.leave();
  });
});

Deno.test("a task that ended and was made again under its id is listened to again", async () => {
  await withServer({}, async ({ store, client }) => {
    const taskId = await newTask(store);
    await store.cancel(taskId, OWNER);
    const earlier = await client.listen({ taskIds: [taskId] });
    await earlier.task(taskId, "cancelled");
    await store.delete(taskId, OWNER);
    await store.create(OWNER, "tools/call", { taskId });
    const later = await client.listen({ taskIds: [taskId] });
    await later.task(taskId, "working");
    await store.update(taskId, OWNER, { status: "failed" });
    await later.task(taskId, "failed");
    await earlier.leave();
    await later.leave();
  });
});

Deno.test("a listen under way while the server drains is refused with 503 (E4)", async () => {
  await withServer({}, async ({ backend, store, server, client }) => {
    const taskIds = [await newTask(store)];
    const gate = Promise.withResolvers<void>();
    backend.gate = gate.promise;
    const underWay = client.listen({ taskIds });
    await waitUntil("it is looked up", () => backend.waited === 1);
    await server.extension.drain();
    gate.resolve();
    for (
      const listening of [await underWay, await client.listen({ taskIds })]
    ) {
      const { status, headers } = listening.response;
      assertEquals([status, headers.get("retry-after")], [503, "1"]);
      assert((await refusal(listening)).includes("shutting down"));
    }
  });
});

Deno.test("new listeners are refused from the start of a drain, not its end (E4)", async () => {
  await withServer({}, async ({ server, client }) => {
    const id = await client.start("ignores_signal");
    const draining = server.extension.drain({ timeoutMs: 500 });
    const { response } = await client.listen({ taskIds: [id] });
    assertEquals(response.status, 503);
    await response.text();
    await draining;
  });
});

Deno.test("drain() ends listeners with the latest state, and those that do not read (E4)", async () => {
  await withServer({}, async ({ store, server, client }) => {
    const taskId = await newTask(store);
    const [reads, waits, stuck] = await Promise.all(
      [1, 2, 3].map(() => client.listen({ taskIds: [taskId] })),
    ) as [Listening, Listening, Listening];
    const end = (async () => {
      const states: Json[] = [];
      for (let next; (next = await reads.next());) states.push(next);
      return states;
    })();
    await waits.task(taskId, "working");
    const long = "x".repeat(1_000_000);
    await store.update(taskId, OWNER, { statusMessage: long });
    // One of them stops in the middle of a state.
    const raw = stuck.response.body!.getReader();
    while ((await raw.read()).value!.length < 60_000);
    await deadline("the drain", server.extension.drain({ timeoutMs: 0 }), 3000);
    const states = await end;
    assertEquals(states.at(-1)?.result.resultType, "complete");
    assertEquals(states.at(-2)?.params.statusMessage, long);
    // Of those that did not read, one had nothing begun.
    assertEquals((await waits.next())?.result.resultType, "complete");
    assertEquals(await waits.next(), undefined);
    await assertRejects(async () => {
      while (!(await raw.read()).done);
    });
  });
});

Deno.test("by default there are 1,024 places, 64 for each owner, and 30 s to read", async () => {
  await withServer({}, async ({ store, server }) => {
    const delays: (number | undefined)[] = [];
    const { setTimeout } = globalThis;
    globalThis.setTimeout = ((run: () => void, ms?: number) => {
      delays.push(ms);
      return setTimeout(run, ms);
    }) as typeof setTimeout;
    let open = 0;
    const all: Listening[] = [];
    try {
      for (let i = 0; i < 17; i++) {
        const owner = `owner-${i}`;
        const client = new RpcClient(server.fetch, { owner });
        const taskIds = [await newTask(store, owner)];
        const tried = await Promise.all(
          Array.from({ length: 65 }, () => client.listen({ taskIds })),
        );
        const count = tried.filter(isOpen).length;
        if (i < 16) assertEquals(count, 64);
        open += count;
        all.push(...tried);
      }
    } finally {
      globalThis.setTimeout = setTimeout;
    }
    assertEquals(open, 1024);
    assertEquals(delays.filter((ms) => ms === 30_000).length, 1024);
    for (const listening of all) await listening.leave();
  });
});
