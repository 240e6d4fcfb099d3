/**
 * Encryption at rest: what is private cannot be read, moved or altered in the
 * storage, and keys can be rotated.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  InvalidDataError,
  MemoryBackend,
  type SealKey,
  TaskExistsError,
  TaskNotFoundError,
  TaskStorageError,
  TaskStore,
} from "../../../mod.ts";
import { deadline } from "../../support/wait.ts";
import {
  as,
  METHOD,
  OWNER,
  plant,
  recordJson,
  rejection,
  seedRaw,
  started,
  stored,
  STRANGER,
  type TaskTest,
  type TestEnv,
} from "./env.ts";

const A = new Uint8Array(32).fill(1);
const B = new Uint8Array(32).fill(2);
/** A again, as base64url. */
const A_TEXT = "AQEB".repeat(10) + "AQE";

/** Long enough not to stand in a random id or ciphertext by chance. */
const SECRETS = ["passw0rd", "résumé", "078-05-1120", "social security"];

export function sealingTests(test: TaskTest): void {
  test("sealed_fields_cannot_be_read_in_the_storage", async (ground) => {
    const store = await sealed(ground, A);
    let record = await store.create(OWNER, METHOD, {
      variables: { passw0rd: "résumé", n: "078-05-1120" },
      statusMessage: "about résumé",
    });
    const { taskId } = record.task;
    const look = async (what: string) => {
      const { json, data } = await stored(store.backend, taskId);
      for (const secret of SECRETS) {
        assert(!data.includes(secret), `${what}: ${secret} in ${data}`);
      }
      assertEquals(await store.get(taskId, OWNER), record, what);
      // What the backend and its operator need stays readable.
      assertEquals(json.task, {
        taskId,
        status: record.task.status,
        createdAt: record.task.createdAt,
        lastUpdatedAt: record.task.lastUpdatedAt,
        ttl: 3600_000,
        pollInterval: 500,
      });
      assertEquals(
        [json.ownerId, json.requestMethod, json.expiresAt],
        [OWNER, METHOD, record.expiresAt],
      );
      assertEquals([json.variables, json.result], [{}, null]);
      assertEquals(typeof json.sealed, "string");
    };
    await look("created");
    record = await store.update(record, OWNER, {
      status: "input_required",
      statusMessage: "your social security number?",
      inputRequests: { "social security": { method: "elicitation/create" } },
    });
    await look("asked");
    record = await store.update(record, OWNER, {
      status: "working",
      inputResponses: { "social security": "078-05-1120" },
    });
    await look("answered");
    record = await store.setResult(record, OWNER, { file: "résumé" });
    record = await store.fail(record, OWNER, {
      code: 1,
      message: "passw0rd",
      data: "résumé",
    });
    await look("failed");
    assertEquals((await store.list(OWNER)).tasks, [record]);
  });

  test("sealed_task_is_waited_for_and_lost_like_any", async (ground) => {
    const [store, other] = [await sealed(ground, A), await sealed(ground, A)];
    const { task } = await store.create(OWNER, METHOD, {
      variables: { ssn: "078-05-1120" },
    });
    await store.lease(task.taskId, OWNER, { forMs: 800, holder: "w" });
    const waiting = started(other.waitFor(task.taskId, OWNER, { final: true }));
    const record = await deadline("the loss", waiting, 5000);
    assertEquals(record.task.status, "failed");
    assertEquals(record.variables, { ssn: "078-05-1120" });
    const { json } = await stored(store.backend, task.taskId);
    assertEquals([json.task.status, json.error], ["failed", undefined]);
  });

  test("sealed_id_of_ones_own_is_idempotent", async (ground) => {
    const store = await sealed(ground, A);
    const options = { taskId: "t", request: { ssn: "078-05-1120" } };
    const first = await store.create(OWNER, METHOD, options);
    assertEquals(await store.create(OWNER, METHOD, options), first);
    const { data } = await stored(store.backend, "t");
    assert(!data.includes("078-05-1120"));
  });

  test("s_request_fingerprint_is_keyed", async (ground) => {
    const store = await sealed(ground, A);
    const plain = await ground.open();
    const other = await sealed(ground, B);
    // Few enough to be tried one by one, as a PIN in a request is.
    const fingerprint = async (by: TaskStore, taskId: string, pin: number) => {
      const request = { name: "pay", arguments: { pin } };
      await by.create(OWNER, METHOD, { taskId, request });
      const { json } = await stored(by.backend, taskId);
      assertEquals(typeof json.requestFingerprint, "string");
      await by.delete(taskId, OWNER);
      return json.requestFingerprint;
    };
    const known = new Set<string>();
    for (let pin = 0; pin < 20; pin++) {
      known.add(await fingerprint(plain, "t-1", pin));
      known.add(await fingerprint(other, "t-1", pin));
      known.add(await fingerprint(store, "t-2", pin));
    }
    assertEquals(known.size, 60);
    const ours = await fingerprint(store, "t-1", 7);
    assert(!known.has(ours), "it can be guessed without the key");
    assertEquals(await fingerprint(await sealed(ground, A), "t-1", 7), ours);
  });

  test("s_request_is_known_again_after_rotation", async (ground) => {
    const request = { name: "pay", arguments: { a: 1, b: 2 } };
    const same = { arguments: { b: 2, a: 1 }, name: "pay" };
    const options = { taskId: "t-1", request };
    const retired = await crypto.subtle.importKey("raw", A, "AES-GCM", false, [
      "decrypt",
    ]);
    const later: Record<string, TaskStore> = {
      rotated: await sealed(ground, B, A),
      introduced: await ground.open({
        encryption: { keys: [A], allowUnsealed: true },
      }),
    };
    const first = {
      rotated: await sealed(ground, A),
      introduced: await ground.open(),
    };
    for (const name of ["rotated", "introduced"] as const) {
      const record = await first[name].create(OWNER, METHOD, options);
      for (const again of [options, { ...options, request: same }]) {
        const found = await later[name]!.create(OWNER, METHOD, again);
        assertEquals(found, record, name);
      }
      const another = { ...options, request: { ...request, name: "refund" } };
      for (const wrong of [another, { taskId: "t-1" }]) {
        const create = later[name]!.create(OWNER, METHOD, wrong);
        await rejection(create, TaskExistsError, name);
      }
      await later[name]!.delete("t-1", OWNER);
    }
    // A retired key that may only decrypt spoils nothing for a new one.
    const decrypting = await sealed(ground, B, retired);
    const made = await decrypting.create(OWNER, METHOD, options);
    assertEquals(await decrypting.create(OWNER, METHOD, options), made);
    const another = decrypting.create(OWNER, METHOD, {
      ...options,
      request: 1,
    });
    await rejection(another, TaskExistsError);
  });

  test("s_retired_key_spoils_only_its_own_record", async (ground) => {
    const old = await sealed(ground, A);
    const store = await sealed(ground, B);
    const readable: string[] = [];
    const lost: string[] = [];
    for (let n = 0; n < 7; n++) {
      const isLost = n % 3 === 1;
      const { task } = await (isLost ? old : store).create(OWNER, METHOD);
      (isLost ? lost : readable).push(task.taskId);
    }
    // Whole, and page by page: nothing is read twice or left out.
    for (const limit of [50, 1, 2]) {
      const found: string[] = [];
      const damaged: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.list(OWNER, {
          limit,
          cursor,
          order: "oldest",
        });
        found.push(...page.tasks.map(({ task }) => task.taskId));
        for (const { taskId, error } of page.damaged ?? []) {
          damaged.push(taskId);
          as(TaskStorageError, error);
          as(InvalidDataError, error.cause);
          assert(error.message.includes(taskId), error.message);
        }
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      assertEquals([found, damaged], [readable, lost], `pages of ${limit}`);
    }
    const active = await store.list(OWNER, { active: true });
    assertEquals(active.damaged?.length, lost.length);
    // All the others are read, written and waited for as ever.
    const [taskId = ""] = readable;
    const done = started(store.waitFor(taskId, OWNER, { final: true }));
    const watched = store.waitFor(lost[0]!, OWNER, { final: true });
    await assertSealed(() => watched, lost[0]!);
    await store.completeWithResult(taskId, OWNER, 1);
    assertEquals((await deadline("the end", done, 5000)).result, 1);
    // The store that has the key reads what this one could not.
    assertEquals((await old.get(lost[0]!, OWNER)).task.status, "working");
    // What is lost can be deleted.
    for (const id of lost) assertEquals(await store.delete(id, OWNER), true);
    assertEquals((await store.list(OWNER)).damaged, undefined);
  });

  test("keys_are_rotated", async (ground) => {
    const old = await sealed(ground, A);
    const both = await sealed(ground, B, A);
    const young = await sealed(ground, B);
    const { task } = await old.create(OWNER, METHOD, { variables: { n: 1 } });
    const { taskId } = task;
    assertEquals((await both.get(taskId, OWNER)).variables, { n: 1 });
    await assertSealed(() => young.get(taskId, OWNER), taskId);
    // The next write is under the first key.
    const written = await both.setVariables(taskId, OWNER, { n: 2 });
    assertEquals(await young.get(taskId, OWNER), written);
    await assertSealed(() => old.get(taskId, OWNER), taskId);
    const before = await stored(old.backend, taskId);
    await assertSealed(
      () => old.setVariables(taskId, OWNER, { n: 3 }),
      taskId,
    );
    assertEquals(await stored(old.backend, taskId), before);
  });

  test("key_is_bytes_text_or_a_crypto_key", async (ground) => {
    const key = await crypto.subtle.importKey("raw", A, "AES-GCM", false, [
      "encrypt",
      "decrypt",
    ]);
    const stores = await Promise.all(
      [A, A_TEXT, key].map((key) => sealed(ground, key)),
    );
    for (const writer of stores) {
      const record = await writer.create(OWNER, METHOD, {
        variables: { n: 1 },
      });
      for (const reader of stores) {
        assertEquals(await reader.get(record.task.taskId, OWNER), record);
      }
    }
  });

  test("tampered_ciphertext_is_refused", async (ground) => {
    const store = await sealed(ground, A);
    await store.create(OWNER, METHOD, {
      taskId: "t-1",
      variables: { n: 1 },
    });
    const { json } = await stored(store.backend, "t-1");
    const text: string = json.sealed;
    const flipped = (at: number) => {
      const other = text.at(at) === "A" ? "B" : "A";
      return text.slice(0, at) + other + text.slice(at + 1);
    };
    const forgeries: unknown[] = [
      ...[0, 15, 16, 20, text.length >> 1, text.length - 3].map(flipped),
      text.slice(0, -4),
      text.slice(4),
      text + "AAAA",
      text.slice(0, 8),
      "",
      "not base64!",
      7,
      {},
      null,
    ];
    for (const forgery of forgeries) {
      await plant(store.backend, "t-1", { ...json, sealed: forgery }, 1);
      await assertSealed(() => store.get("t-1", OWNER), "t-1");
      await assertSealed(() => store.cancel("t-1", OWNER), "t-1");
    }
    await plant(store.backend, "t-1", json, 1);
    assertEquals((await store.get("t-1", OWNER)).variables, { n: 1 });
  });

  test("sealed_part_cannot_be_moved", async (ground) => {
    const store = await sealed(ground, A);
    const secret = { variables: { admin: true } };
    await store.create(STRANGER, METHOD, { taskId: "t-1", ...secret });
    await store.create(OWNER, METHOD, { taskId: "t-1" });
    await store.create(OWNER, METHOD, { taskId: "t-2", ...secret });
    const foreign = await stored(store.backend, "t-1", STRANGER);
    const sibling = await stored(store.backend, "t-2");
    const own = await stored(store.backend, "t-1");
    for (const { json } of [foreign, sibling]) {
      await plant(
        store.backend,
        "t-1",
        { ...own.json, sealed: json.sealed },
        1,
      );
      await assertSealed(() => store.get("t-1", OWNER), "t-1");
    }
    // A whole record of another's is no one's.
    for (const { json } of [foreign, sibling]) {
      await plant(store.backend, "t-1", json, 1);
      await rejection(store.get("t-1", OWNER), TaskNotFoundError);
    }
  });

  test("unsealed_record_is_refused_unless_allowed", async (ground) => {
    const strict = await sealed(ground, A);
    const lenient = await ground.open({
      encryption: { keys: [A], allowUnsealed: true },
    });
    const plain = await ground.open();
    await seedRaw(
      strict.backend,
      "t-1",
      recordJson("t-1", { variables: { ssn: "078-05-1120" } }),
    );
    await assertSealed(() => strict.get("t-1", OWNER), "t-1");
    await assertSealed(() => strict.cancel("t-1", OWNER), "t-1");
    const read = await lenient.get("t-1", OWNER);
    assertEquals(read.variables, { ssn: "078-05-1120" });
    // The next write seals it.
    await lenient.setVariables(read, OWNER, { more: 1 });
    const { data } = await stored(strict.backend, "t-1");
    assert(!data.includes("078-05-1120"));
    assertEquals((await strict.get("t-1", OWNER)).variables, {
      ssn: "078-05-1120",
      more: 1,
    });
    await assertSealed(() => plain.get("t-1", OWNER), "t-1");
    await assertSealed(() => plain.cancel("t-1", OWNER), "t-1");
  });

  test("same_content_is_never_sealed_the_same", async (ground) => {
    const store = await sealed(ground, A);
    const { task } = await store.create(OWNER, METHOD);
    const seen = new Set<string>();
    for (let n = 0; n < 20; n++) {
      await store.setVariables(task.taskId, OWNER, { same: 1 });
      const { json } = await stored(store.backend, task.taskId);
      // The nonce alone: 12 bytes.
      seen.add(json.sealed.slice(0, 16));
    }
    assertEquals(seen.size, 20);
  });

  test("keys_are_checked", async () => {
    const key = (name: string, length: number, usages: KeyUsage[]) =>
      crypto.subtle.generateKey({ name, length }, false, usages);
    const decrypting = await key("AES-GCM", 256, ["decrypt"]);
    const wrong: unknown[] = [
      undefined,
      null,
      A_TEXT,
      [],
      [new Uint8Array(31)],
      [new Uint8Array(0)],
      [A, new Uint8Array(16)],
      ["AQEB"],
      ["not base64!"],
      // As a variable that is not set gives it.
      [undefined],
      [A, undefined],
      [null],
      [{}],
      [7],
      [Array(32).fill(1)],
      // Keys of Web Crypto that cannot do what is wanted of them.
      [await key("AES-GCM", 128, ["encrypt", "decrypt"])],
      [await key("AES-CBC", 256, ["encrypt", "decrypt"])],
      [await key("AES-GCM", 256, ["encrypt"])],
      [decrypting],
    ];
    for (const keys of wrong) {
      const encryption = { keys: keys as SealKey[] };
      const make = () => new TaskStore(new MemoryBackend(), { encryption });
      const error = assertThrows(make, TypeError);
      assert(error.message.includes("expected"), error.message);
      assert(!error.message.includes(A_TEXT), error.message);
    }
    // A retired one need not encrypt.
    new TaskStore(new MemoryBackend(), {
      encryption: { keys: [A, decrypting] },
    });
  });
}

type KeyUsage = "encrypt" | "decrypt";

async function sealed(
  ground: TestEnv,
  ...keys: SealKey[]
): Promise<TaskStore> {
  return await ground.open({ encryption: { keys } });
}

/** The error for what cannot be opened: clear, and of the storage. */
async function assertSealed(
  call: () => Promise<unknown>,
  taskId: string,
): Promise<void> {
  const error = await rejection(call(), TaskStorageError);
  as(InvalidDataError, error.cause);
  assert(error.message.includes(taskId), error.message);
  assert(error.message.includes("sealed"), error.message);
}
