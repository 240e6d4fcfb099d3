/**
 * Owners are any text, and never meet: no owner sees, lists, counts or
 * overwrites what is another's.
 *
 * @module
 */

import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  CapacityExceededError,
  makeKey,
  makePrefix,
  NotFoundError,
  parseKey,
} from "../../../mod.ts";
import { allPages, type ContractTest, getPlain, HOUR } from "./env.ts";

/** Identities as they are, and as an attacker would choose them. */
const OWNERS = [
  "urn",
  "urn:bob",
  "urn%3Abob",
  "urn%3abob",
  "urn%253Abob",
  "a:b",
  "a",
  "a:",
  ":a",
  "{a}",
  "{a",
  "a}",
  "a}b",
  "{}",
  "%3A",
  "%",
  "%25",
  "%7Ba%7D",
  ":",
  "*",
  "?",
  "[a]",
  "\\",
  " ",
  "\0",
  "auth0|7",
  "https://idp.example/x?y=z#1",
  "🦕",
  "👩‍👩‍👧",
  "é",
  "e\u0301",
  "local",
  "A",
  "x".repeat(512),
  "x".repeat(511) + "y",
  "🦕".repeat(128),
];

/** Task ids that look like the rest of another owner's key. */
const TASKS = ["t-1", "bob:t-1", "b:t-1", "}:t-1", "b}:t-1", ":"];

export function ownerTests(test: ContractTest): void {
  test("owners_never_share_a_key", (_backend) => {
    const keys = new Set<string>();
    for (const owner of OWNERS) {
      for (const task of TASKS) {
        const key = makeKey(owner, task);
        assertEquals(parseKey(key), { owner, task });
        keys.add(key);
      }
    }
    assertEquals(keys.size, OWNERS.length * TASKS.length);
    for (const one of OWNERS) {
      for (const other of OWNERS) {
        const foreign = makeKey(other, "t-1").startsWith(makePrefix(one));
        assertEquals(foreign, one === other, `${one} / ${other}`);
      }
    }
    return Promise.resolve();
  });

  test("owners_never_see_one_another", async (backend) => {
    for (const owner of OWNERS) {
      for (const task of TASKS) {
        const data = JSON.stringify([owner, task]);
        const version = await backend.create(makeKey(owner, task), data, {
          meta: HOUR,
        });
        assertEquals(version, 1);
      }
    }
    for (const owner of OWNERS) {
      const listed = await backend.listByPrefix(makePrefix(owner));
      assertEquals(
        listed.map(({ key, data }) => [parseKey(key), data]).sort(),
        TASKS.map((task) => [{ owner, task }, JSON.stringify([owner, task])])
          .sort(),
        owner,
      );
      const pages = await allPages(backend, makePrefix(owner), { limit: 4 });
      assertEquals(
        pages.flat().sort(),
        TASKS.map((task) => makeKey(owner, task)).sort(),
      );
    }
  });

  test("owners_never_count_one_another", async (backend) => {
    for (const owner of OWNERS) {
      const options = { meta: HOUR, maxRecords: 1 };
      await backend.create(makeKey(owner, "t-1"), owner, options);
      const error = await assertRejects(
        () => backend.create(makeKey(owner, "t-2"), owner, options),
        CapacityExceededError,
      );
      assertEquals(error.actual, 1, owner);
    }
  });

  test("owners_never_overwrite_one_another", async (backend) => {
    for (const owner of OWNERS) {
      await backend.put(makeKey(owner, "t-1"), owner, HOUR);
    }
    for (const owner of OWNERS) {
      const key = makeKey(owner, "t-1");
      assertEquals(await getPlain(backend, key), { data: owner, version: 1 });
      assertEquals(await backend.putIfVersion(key, "mine", 1, HOUR), 2);
      assertEquals(await backend.delete(key), true);
      await assertRejects(() => backend.get(key), NotFoundError);
    }
    for (const owner of OWNERS) {
      assertEquals(await backend.listByPrefix(makePrefix(owner)), []);
    }
  });

  test("two_spellings_of_one_owner_are_refused", (_backend) => {
    // Were `%3a` taken for `%3A`, its owner would have two sets of keys.
    for (const owner of ["urn%3abob", "a{b", "a}b", "%", "%zz", "%41"]) {
      assertNotEquals(makePrefix(owner), `${owner}:`);
    }
    return Promise.resolve();
  });
}
