/**
 * How the truth of a run is read: append-only files, moved slots, histories
 * that a failover has ended.
 *
 * @module
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseAof, readAof } from "../../scripts/faults/aof.ts";
import { Random } from "../../scripts/faults/random.ts";
import { Replay } from "../../scripts/faults/replay.ts";
import { command } from "../../scripts/faults/server_faults.ts";
import { historiesOfOwners } from "../../scripts/faults/slots.ts";
import { branchOf, persistentIn } from "../../scripts/faults/topology.ts";
import { startRedisServer } from "../../scripts/lib/redis_server.ts";
import { ownServerEnabled } from "../support/gate.ts";

/** Commands as a file has them. */
function aof(...commands: string[]): Uint8Array {
  const text = commands.map((line) => {
    const words = line.split(" ");
    return `*${words.length}\r\n${
      words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")
    }`;
  }).join("");
  return new TextEncoder().encode(text);
}

Deno.test("parseAof() joins what a script did and leaves what a crash cut off", () => {
  const whole = aof("SELECT 0", "SET a 1", "MULTI", "DEL b", "DEL c", "EXEC");
  const expected = [[["SET", "a", "1"]], [["DEL", "b"], ["DEL", "c"]]];
  assertEquals(parseAof(whole), expected);
  const annotated = new Uint8Array([
    ...new TextEncoder().encode("#TS:1700000000\r\n"),
    ...whole,
    ...aof("MULTI", "DEL d"),
    ...aof("SET e 1").subarray(0, 20),
  ]);
  assertEquals(parseAof(annotated), expected);
});

Deno.test("Replay refuses a command it does not know", () => {
  assertThrows(() => new Replay().apply(["GETEX", "a"]), Error, "GETEX");
});

Deno.test("Random repeats itself for the same seed", () => {
  const [a, b] = [new Random(7), new Random(7)];
  const draw = (random: Random) =>
    Array.from({ length: 20 }, () => random.integer(1, 6));
  assertEquals(draw(a), draw(b));
  assertEquals(draw(new Random(8)).every((n) => n >= 1 && n <= 6), true);
});

Deno.test("historiesOfOwners() follows a slot that moves away and back", () => {
  const mark = [["SET", "faults:mark:{r1}", "1"]];
  const set = (n: number) => [["SET", "k:{r1}", `${n}`]];
  const other = [["SET", "k:{r2}", "x"]];
  const restore = [["RESTORE", "k:{r1}", "0", "…"]];
  const removal = [["DEL", "k:{r1}", "old:{r1}"]];
  const logs = [
    { transactions: [set(1), other, removal, mark, restore, set(4)], lost: [] },
    { transactions: [mark, restore, set(2), set(3), removal], lost: [] },
  ];
  const owners = new Map([["r1", { slot: 5, shard: 0 }]]);
  const moves = [{ slot: 5, toShard: 1 }, { slot: 5, toShard: 0 }];
  const [history] = historiesOfOwners(logs, owners, moves);
  assertEquals(history!.transactions, [
    set(1),
    // What was not restored elsewhere was removed by its owner.
    [["DEL", "old:{r1}"]],
    set(2),
    set(3),
    [["DEL", "old:{r1}"]],
    set(4),
  ]);
  assertEquals(history!.covers!("r1:t"), true);
  assertEquals(history!.covers!("r2:t"), false);
});

Deno.test("branchOf() is what a master wrote that its successor has not got", () => {
  const t = (n: number) => [["SET", "a", `${n}`]];
  const survived = [t(1), t(2), t(4)];
  assertEquals(branchOf(survived, survived, [t(1), t(2), t(3)]), {
    transactions: [t(1), t(2), t(3)],
    common: 2,
  });
  assertEquals(branchOf(survived, survived, [t(1)]), undefined);
});

Deno.test({
  name: "redis_append_only_file_has_the_effects_of_scripts_after_a_kill",
  ignore: !ownServerEnabled,
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "mcp-faults-" });
    try {
      const args = persistentIn(dir);
      const server = await startRedisServer({ args });
      const script = "redis.call('HSET', KEYS[1], 'version', ARGV[1])" +
        " return redis.call('PEXPIRE', KEYS[1], 1000000)";
      await command(server.port, ["EVAL", script, "1", "h", "1"]);
      await server.kill();
      await using again = await startRedisServer({ args });
      await command(again.port, ["EVAL", script, "1", "h", "2"]);
      const found = await readAof(dir);
      assertEquals(
        found.map((commands) => commands.map(([verb]) => verb)),
        [["HSET", "PEXPIREAT"], ["HSET", "PEXPIREAT"]],
      );
      await command(again.port, ["BGREWRITEAOF"]);
      await assertRejects(async () => {
        // Until the rewrite is done there is nothing to refuse.
        for (let i = 0; i < 200; i++) {
          await readAof(dir);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }, Error);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
