/**
 * What `connect` and a borrowed client may be, before anything is dialed.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createClient, createClientPool, createCluster } from "redis";
import { BackendError, RedisBackend } from "../../mod.ts";
import { connectLink } from "../../src/redis/connect.ts";
import { readTarget } from "../../src/redis/connect_target.ts";
import { borrowLink } from "../../src/redis/link.ts";

const onWarning = () => {};

Deno.test("connect() refuses what is no target, and says what it got", async () => {
  const targets: [unknown, string][] = [
    [undefined, "cannot connect to undefined"],
    [null, "cannot connect to null"],
    [6379, "cannot connect to a number"],
    [["redis://127.0.0.1"], "cannot connect to an array"],
    [Promise.resolve("redis://127.0.0.1"), "a promise (is an await missing?)"],
    [new Date(), "an instance of Date"],
    [() => "redis://127.0.0.1", "cannot connect to a function"],
    [createClient(), "goes to new RedisBackend(client)"],
    [{ url: undefined }, "url is undefined: expected a string"],
    [{ url: 5 }, "url is a number"],
    [{ host: "127.0.0.1", port: 1 }, "put it into socket"],
    [{ nodes: [] }, "call them rootNodes"],
    [{ sentinels: [], name: "main" }, "call them sentinelRootNodes"],
    [{ db: 1 }, "call it database"],
    [{ uri: "redis://127.0.0.1" }, "unknown option uri: call it url"],
    [{ hostname: "127.0.0.1" }, "put it into socket: { host, port }"],
    [{ socket: "127.0.0.1" }, "socket is a string"],
    [{ socket: { hostname: "h", port: 1 } }, "socket.hostname: call it host"],
    [{ socket: { url: "redis://h" } }, "socket.url: put it beside socket"],
    [{ socket: { host: undefined, port: 1 } }, "socket.host is undefined"],
    [{ socket: { host: "" } }, "socket.host is empty"],
    [{ socket: { path: undefined } }, "no server is named in { socket }"],
    [{ socket: {} }, "no server is named in { socket }"],
    [{}, "no server is named in {}"],
    [{ server: "h", name: "n" }, "no server is named in { server, name }"],
    [{ rootNodes: [{ name: "n" }] }, "no server is named in { name }"],
    [
      { rootNodes: [{ url: "redis://h" }], defaults: { socket: "h" } },
      "socket is a string",
    ],
    [{ rootNodes: [{ uri: "redis://h" }] }, "uri: call it url"],
    [{ rootNodes: [{ host: "h", port: 1 }] }, "host: put it into socket"],
    [{ rootNodes: undefined }, "rootNodes is undefined"],
    [{ rootNodes: [] }, "rootNodes is empty"],
    [{ rootNodes: ["redis://127.0.0.1"] }, "rootNodes[0] is a string"],
    [{ rootNodes: [{ url: undefined }] }, "url is undefined"],
    [{ sentinelRootNodes: [], name: "main" }, "sentinelRootNodes is empty"],
    [
      { sentinelRootNodes: [{ host: "127.0.0.1", port: 1 }] },
      "name is undefined",
    ],
    [
      { sentinelRootNodes: [{ url: "redis://127.0.0.1" }], name: "main" },
      "expected { host, port }",
    ],
    [
      { rootNodes: [{}], sentinelRootNodes: [{}] },
      "rootNodes and sentinelRootNodes are both given",
    ],
  ];
  for (const [target, message] of targets) {
    await assertRejects(
      () => connectLink(target as string, { onWarning }),
      TypeError,
      message,
    );
  }
});

Deno.test("connect() refuses a malformed URL without showing its password", async () => {
  const targets = [
    "",
    "127.0.0.1:6379",
    "redis:",
    "redis:6390",
    "rediss:prod:6390",
    "redis:/0",
    "redis://",
    "redis:///0",
    new URL("redis:6390"),
    { url: "redis:6390" },
    "http://user:secret@127.0.0.1",
    "redis://user:secret@127.0.0.1:port",
    new URL("https://user:secret@127.0.0.1"),
    { url: "redis://:secret@127.0.0.1", socket: { tls: true } },
    { rootNodes: [{ url: "ftp://:secret@127.0.0.1" }] },
    "unix://user:secret@",
  ];
  for (const target of targets) {
    const error = await assertRejects(
      () => connectLink(target as string, { onWarning }),
      TypeError,
    );
    assert(!`${error.message}${error.stack}`.includes("secret"), error.message);
  }
});

Deno.test("readTarget() names the address, never the password", () => {
  const socket = { host: "h", port: 1 };
  const targets: [unknown, string, string][] = [
    ["redis://user:secret@h:7/1", "client", "h:7"],
    [new URL("rediss://:secret@h"), "client", "h:6379"],
    ["unix://user:secret@/run/redis.sock?db=1", "client", "/run/redis.sock"],
    [{ socket, password: "secret" }, "client", "h:1"],
    [{ socket: { path: "/run/r" } }, "client", "/run/r"],
    [{ socket: { port: 7 } }, "client", "localhost:7"],
    [
      { rootNodes: [{ url: "redis://:secret@a:1" }, { socket }] },
      "cluster",
      "a:1, h:1",
    ],
    [
      { sentinelRootNodes: [socket], name: "main" },
      "sentinel",
      "main by Sentinel h:1",
    ],
  ];
  for (const [target, kind, address] of targets) {
    const read = readTarget(target);
    assertEquals([read.kind, read.address], [kind, address]);
  }
});

Deno.test("RedisBackend.connect() has no default for a target that is unset", async () => {
  const unset = undefined as unknown as string;
  for (
    const connect of [
      () => RedisBackend.connect(unset),
      () => RedisBackend.connect(unset, { prefix: "app" }),
    ]
  ) {
    await assertRejects(
      connect,
      TypeError,
      "cannot connect to undefined (is an environment variable unset?)",
    );
  }
});

Deno.test("RedisBackend.connect() without arguments dials 127.0.0.1:6379", async () => {
  try {
    // Whether a server is there is not this test's matter: nothing is written.
    await using _ = await RedisBackend.connect();
  } catch (error) {
    assert(error instanceof BackendError);
    assertStringIncludes(String(error), "127.0.0.1:6379");
  }
});

Deno.test("RedisBackend.connect() refuses options that are no object", async () => {
  for (const options of ["app", null, 7]) {
    await assertRejects(
      () => RedisBackend.connect("redis://127.0.0.1:1", options as never),
      TypeError,
      "options",
    );
  }
});

Deno.test("borrowLink() refuses what is no node-redis client, and says what it got", () => {
  /** Has what ioredis has in common with node-redis. */
  class Redis {
    sendCommand() {}
    duplicate() {}
    on() {}
    off() {}
    evalsha() {}
  }
  const clients: [unknown, string][] = [
    [undefined, "the client is undefined"],
    ["redis://user:secret@127.0.0.1", "the client is a string"],
    [{}, "the client is an object"],
    [new Redis(), "the client is an instance of Redis"],
    [Promise.resolve(), "a promise (is an await missing?)"],
    [{ url: "redis://127.0.0.1" }, "the client is an object"],
  ];
  for (const [client, message] of clients) {
    const error = assertThrows(
      () => borrowLink(client, onWarning),
      TypeError,
      message,
    );
    assert(error.message.includes("of node-redis 6"));
    assert(!error.message.includes("secret"));
  }
});

Deno.test("borrowLink() refuses a client that is not connected", () => {
  const rootNodes = [{ url: "redis://127.0.0.1:1" }];
  const clients = {
    client: createClient(),
    pool: createClientPool(),
    cluster: createCluster({ rootNodes }),
  };
  for (const [kind, client] of Object.entries(clients)) {
    assertThrows(
      () => borrowLink(client, onWarning),
      TypeError,
      `a node-redis ${kind} that is not connected`,
    );
  }
});
