/**
 * The owner that a verified token names.
 *
 * @module
 */

import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type AuthInfoLike,
  MemoryBackend,
  ownerOf,
  TaskStore,
} from "../../mod.ts";

/** A token of one application, for whom its verifier says. */
function tokenOf(extra?: Record<string, unknown>): AuthInfoLike {
  return {
    token: "t",
    clientId: "inspector",
    scopes: [],
    ...(extra ? { extra } : {}),
  };
}

Deno.test("ownerOf() returns the subject, after its issuer where there is one", () => {
  assertEquals(ownerOf(tokenOf({ sub: "auth0|7" })), "auth0|7");
  assertEquals(
    ownerOf(tokenOf({ sub: "7", iss: "https://idp.example/x" })),
    "https://idp.example/x#7",
  );
});

Deno.test("ownerOf() refuses a token without a subject, and never takes its client (E7)", () => {
  const wrong: [AuthInfoLike | undefined, string][] = [
    [undefined, "no authInfo"],
    [tokenOf(), "no subject"],
    [tokenOf({}), "no subject"],
    [tokenOf({ sub: "" }), "no subject"],
    [tokenOf({ sub: 7 }), "no subject"],
    [tokenOf({ sub: null, iss: "https://idp.example" }), "no subject"],
    [tokenOf({ sub: "inspector" }), "its client"],
    [tokenOf({ sub: "inspector", iss: "https://idp.example" }), "its client"],
    [tokenOf({ sub: "7", iss: "" }), "issuer"],
    [tokenOf({ sub: "7", iss: 7 }), "issuer"],
  ];
  for (const [token, message] of wrong) {
    assertThrows(() => ownerOf(token), TypeError, message);
  }
});

Deno.test("ownerOf() makes no one of a subject named as tasks without an owner", async () => {
  await using tasks = new TaskStore(new MemoryBackend(), {
    allowAnonymous: true,
  });
  await tasks.create("", "tools/call");
  const owner = ownerOf(tokenOf({ sub: "local" }));
  assertEquals(owner, "%6Cocal");
  assertNotEquals(ownerOf(tokenOf({ sub: owner })), owner);
  assertEquals((await tasks.list(owner)).tasks, []);
  assertEquals((await tasks.list("")).tasks.length, 1);
});

Deno.test("ownerOf() makes no two tokens one owner", () => {
  const text = fc.oneof(
    fc.string({ minLength: 1, unit: fc.constantFrom(..."a#%25") }),
    fc.constantFrom("local", "%6Cocal", "%256Cocal"),
  );
  const token = fc.record({
    sub: text,
    iss: fc.option(text, { nil: undefined }),
  });
  fc.assert(
    fc.property(token, token, (one, other) => {
      const isSame = one.sub === other.sub && one.iss === other.iss;
      assertEquals(ownerOf(tokenOf(one)) === ownerOf(tokenOf(other)), isSame);
    }),
    { numRuns: 1000 },
  );
});
