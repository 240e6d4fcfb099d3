/** Whose a task is. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AnonymousOwnerError,
  ExtTaskStore,
  type ExtTaskStoreOptions,
} from "../../../../mod.ts";
import { waitUntil } from "../../../support/wait.ts";
import { ALICE, type StoreTest } from "./env.ts";

/** One application, used by several people. */
const APP = { principal: "app" };

export const ownerTests: readonly StoreTest[] = [
  {
    name: "two users of one client see nothing of each other's",
    async body({ a, b }) {
      const [alice, bob] = [a.forOwner("idp|alice"), a.forOwner("idp|bob")];
      const { taskId } = await alice.create({
        ttlMs: 60_000,
        ...APP,
        context: { secret: 1 },
      });
      for (const other of [bob, b.forOwner("idp|bob"), b]) {
        assertEquals(await other.get(taskId, APP), undefined);
        assertEquals(await other.update(taskId, {}, APP), false);
        assertEquals(await other.cancel(taskId, APP), false);
        assertEquals(await other.context(taskId, APP), undefined);
      }
      // A handle of his is none of hers, even where she works on the task.
      const working = a.handle(taskId);
      await working.status("at work");
      const stolen = bob.handle(taskId);
      assert(stolen !== working);
      await stolen.complete({ content: [] });
      await waitUntil("it aborts", () => stolen.signal.aborted);
      // She is the same person with any other client.
      const other = { principal: "another app" };
      const hers = await b.forOwner("idp|alice").get(taskId, other);
      assertEquals([hers?.status, hers?.statusMessage], ["working", "at work"]);
      assert(!working.signal.aborted);
    },
  },
  {
    name: "unbound, the principal is the owner: users of one client are one",
    async body({ a, b }) {
      const { taskId } = await a.create({ ttlMs: 60_000, ...APP });
      assertEquals((await b.get(taskId, APP))?.status, "working");
      assertEquals(await b.get(taskId, ALICE), undefined);
      assertEquals(await b.get(taskId, {}), undefined);
      assertEquals(await b.get(taskId), undefined);
    },
  },
  {
    name: "the option owner turns the principal into an identity",
    async body(two) {
      const owner = (principal?: string) => principal?.split("/")[1] ?? "";
      const bound = two.store("a", { owner });
      const { taskId } = await bound.create({
        ttlMs: 60_000,
        principal: "app/alice",
      });
      const other = { principal: "another/alice" };
      assertEquals((await bound.get(taskId, other))?.status, "working");
      assertEquals(await bound.get(taskId, APP), undefined);
    },
  },
  {
    name: "what owner throws is for onError, at every way in",
    async body(two) {
      const secret = new Error("the directory at 10.0.0.7 knows no alice");
      const broken: ExtTaskStoreOptions["owner"][] = [
        () => {
          throw secret;
        },
        () => undefined as never,
        () => "\ud800",
        () => Promise.reject(secret) as never,
      ];
      for (const owner of broken) {
        const store = two.store("a", { owner });
        const calls = [
          () => store.create({ ttlMs: 60_000, ...APP }),
          () => store.get("t", APP),
          () => store.update("t", {}, APP),
          () => store.cancel("t", APP),
          () => store.context("t", APP),
          async () => void await store.handle("t", APP).status(""),
        ];
        for (const call of calls) {
          two.errors.length = 0;
          const error = await assertRejects<Error>(call, Error);
          assertEquals(
            error.message,
            "the owner of the call could not be determined",
          );
          assertEquals(two.errors, [error]);
          assert(error.cause instanceof Error);
        }
      }
    },
  },
  {
    name: "who is no one makes no task and finds none; the server is told",
    async body({ a, errors }) {
      await assertRejects(
        () => a.create({ ttlMs: 60_000 }),
        AnonymousOwnerError,
        "forOwner",
      );
      const { taskId } = await a.create({ ttlMs: 60_000, ...ALICE });
      assertEquals(await a.get(taskId), undefined);
      assertEquals(await a.update(taskId, {}), false);
      assertEquals(await a.cancel(taskId), false);
      assertEquals(
        errors.map((error) => error instanceof AnonymousOwnerError),
        [true, true, true, true],
      );
    },
  },
  {
    name: "no one is an owner like any other where that is allowed",
    options: { allowAnonymous: true },
    async body({ a, b }) {
      const { taskId } = await a.create({ ttlMs: 60_000 });
      assertEquals((await b.get(taskId))?.status, "working");
      assertEquals(await b.get(taskId, ALICE), undefined);
      await a.handle(taskId).complete({ content: [] });
      assertEquals((await b.get(taskId))?.status, "completed");
    },
  },
  {
    name: "an identity that is missing is refused, and never falls back",
    body({ a }) {
      for (const identity of ["", undefined, null, 7, {}]) {
        assertThrows(() => a.forOwner(identity as string), TypeError);
      }
      return Promise.resolve();
    },
  },
  {
    name: "what is bound is of the same class, and closed with the other",
    async body({ tasks }) {
      class Mine extends ExtTaskStore {
        readonly field: string = "mine";
        own(): string {
          return this.field;
        }
      }
      const store = new Mine(tasks.a);
      const alice = store.forOwner("alice");
      assert(alice instanceof Mine);
      assertEquals(alice.own(), "mine");
      const { taskId } = await alice.create({ ttlMs: 60_000 });
      const { signal } = alice.handle(taskId);
      store.close();
      assert(signal.aborted);
    },
  },
];
