/**
 * What large records cost: what the server does at once, and what goes over the
 * wire.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { StorageBackend, VersionedRecord } from "../../mod.ts";
import { Monitor, type MonitoredCommand } from "../support/monitor.ts";
import { TcpProxy } from "../support/proxy.ts";
import { type RedisFixture, redisTest } from "../support/redis_fixture.ts";
import { midSpan } from "../support/span.ts";
import { HOUR, KEY, nthKey, PREFIX } from "../support/suite/env.ts";

const META = { ...HOUR, createdAt: 1_700_000_000_000 };
const ACTIVE = { ...META, active: true };

/** What one call cost. */
interface Cost {
  /** Requests that were followed by an answer. */
  readonly roundTrips: number;
  /** What its client sent. */
  readonly sent: readonly MonitoredCommand[];
  /** What its scripts ran. */
  readonly ran: readonly MonitoredCommand[];
  /** Bytes to the server and back. */
  readonly bytes: { readonly out: number; readonly back: number };
}

/** Registers a test that can tell what a call costs, which it may repeat. */
function costTest(
  name: string,
  body: (
    backend: Awaited<ReturnType<RedisFixture["connect"]>>,
    costOf: (call: () => Promise<unknown>) => Promise<Cost>,
    redis: RedisFixture,
  ) => Promise<void>,
): void {
  redisTest(name, async (redis) => {
    await using proxy = new TcpProxy(redis.url);
    const backend = await redis.connect({}, proxy.url);
    await using monitor = await Monitor.open(redis.url, redis.raw);
    const costOf = async (call: () => Promise<unknown>): Promise<Cost> => {
      await midSpan(redis.raw);
      const before = proxy.roundTrips;
      const bytes = { out: 0, back: 0 };
      proxy.fault = (request) => void (bytes.out += request.length);
      proxy.rewriteReply = (reply) => {
        bytes.back += reply.length;
        return reply;
      };
      const { sent, ran } = ofTest(await monitor.during(call), redis);
      const roundTrips = proxy.roundTrips - before;
      // The source goes along until its digest is known.
      if (namesOf(sent).includes("EVAL")) return await costOf(call);
      return { roundTrips, sent, ran, bytes };
    };
    await body(backend, costOf, redis);
    await redis.close();
  });
}

costTest(
  "page_of_large_records_is_read_in_commands_of_one_record_each",
  async (backend, costOf, redis) => {
    const large = "x".repeat(200_000);
    for (let n = 0; n < 50; n++) await backend.put(nthKey(n), large, META);
    const { sent, ran } = await costOf(async () => {
      const { records } = await backend.listPage(PREFIX);
      assertEquals(records.length, 50);
      for (const { data } of records) assertEquals(data.length, large.length);
    });
    // Nothing the server does at once is larger than one record.
    const reads = sent.filter(({ words }) => words[0] === "HMGET");
    assertEquals(namesOf(sent), ["EVALSHA", ...reads.map(() => "HMGET")]);
    const keys = new Set(reads.map(({ words }) => words[1]));
    // HMGET takes one key.
    assertEquals([reads.length, keys.size], [50, 50]);
    // The names are found without a look at any record.
    const records = `${redis.prefix}:tasks:`;
    assert(!ran.some(({ words }) => words[1]?.startsWith(records)));
  },
);

costTest(
  "lease_renewal_reads_and_writes_only_the_lease_beside_a_large_record",
  async (backend, costOf, redis) => {
    const { leases } = backend;
    const lease = { holder: "worker-1", forMs: 60_000 };
    const { fence } = await leases.create(KEY, "x".repeat(1_000_000), lease, {
      meta: ACTIVE,
    });
    const renew = () => leases.renew(KEY, fence, 60_000);
    const { roundTrips, sent, ran, bytes } = await costOf(renew);
    assertEquals([roundTrips, namesOf(sent)], [1, ["EVALSHA"]]);
    const record = redis.record("alice", "t-1");
    assertEquals(ran.map(({ words }) => words.slice(0, 4)), [
      ["TIME"],
      ["HMGET", record, "lease", "expires_at"],
      ["HSET", record, "lease", ran[2]!.words[3]!],
    ]);
    assertEquals(ran[2]!.words.length, 4);
    assert(bytes.out < 400 && bytes.back < 20, JSON.stringify(bytes));
    assertEquals((await backend.get(KEY)).version, 1);
  },
);

costTest(
  "write_sends_its_data_once_and_reads_none",
  async (backend, costOf) => {
    const large = "x".repeat(100_000);
    await backend.put(KEY, large, ACTIVE);
    const update = await updater(backend, ACTIVE, large);
    const { bytes, ran } = await costOf(update);
    assert(bytes.out < large.length + 600, `${bytes.out} bytes were sent`);
    assert(bytes.back < 20, `${bytes.back} bytes were answered`);
    const read = ran.filter(({ words }) => /^HM?GET$/i.test(words[0]!));
    assert(read.every(({ words }) => !words.includes("data")));
  },
);

/** Updates a record again and again, each time by version and etag. */
async function updater(
  backend: StorageBackend,
  meta: typeof ACTIVE,
  data = "x",
): Promise<() => Promise<void>> {
  const first = await backend.get(KEY);
  let read: Pick<VersionedRecord, "version" | "etag"> = first;
  return async () => {
    const operationId = crypto.randomUUID();
    const version = await backend.putIfVersion(
      KEY,
      data,
      { ...read, meta },
      { ...meta, operationId },
    );
    read = { version, etag: operationId };
  };
}

/** What the client of the test sent, and what its scripts ran. */
function ofTest(
  commands: readonly MonitoredCommand[],
  redis: RedisFixture,
): Pick<Cost, "sent" | "ran"> {
  const sent: MonitoredCommand[] = [];
  const ran: MonitoredCommand[] = [];
  let isOurs = false;
  for (const command of commands) {
    // What a script runs follows it.
    if (command.from === "lua") {
      if (isOurs) ran.push(command);
      continue;
    }
    isOurs = command.words.some((word) => word.startsWith(redis.prefix));
    if (isOurs) sent.push(command);
  }
  return { sent, ran };
}

function namesOf(commands: readonly MonitoredCommand[]): string[] {
  return commands.map(({ words }) => words[0]!.toUpperCase());
}
