/**
 * Operation ids: a write that is tried again under its name is applied at most
 * once, and answers what it did, whatever has happened since.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { validate } from "@std/uuid";
import {
  NotFoundError,
  type StorageBackend,
  VersionConflictError,
} from "../../../mod.ts";
import { type Anything, unchanged, writesOf } from "./calls.ts";
import {
  type ContractTest,
  deleteAll,
  HOUR,
  KEY,
  newId,
  nthKey,
  OWNER,
  PREFIX,
} from "./env.ts";

const TWO = { instances: 2 };

/** A write under a name, and what must be stored before it. */
interface NamedWrite {
  readonly name: string;
  prepare(backend: StorageBackend): Promise<unknown>;
  write(backend: StorageBackend, operationId: string): Promise<unknown>;
}

const WRITES: NamedWrite[] = [
  {
    name: "create",
    prepare: () => Promise.resolve(),
    write: (backend, operationId) =>
      backend.create(KEY, "mine", {
        meta: { ...HOUR, operationId },
        maxRecords: 1,
        maxActive: 1,
      }),
  },
  {
    name: "first_put",
    prepare: () => Promise.resolve(),
    write: (backend, operationId) =>
      backend.put(KEY, "mine", { ...HOUR, operationId }),
  },
  {
    name: "put",
    prepare: (backend) => backend.put(KEY, "before", HOUR),
    write: (backend, operationId) =>
      backend.put(KEY, "mine", { ...HOUR, operationId }),
  },
  {
    name: "put_if_version",
    prepare: (backend) => backend.put(KEY, "before", HOUR),
    write: (backend, operationId) =>
      backend.putIfVersion(KEY, "mine", 1, { ...HOUR, operationId }),
  },
  {
    name: "write_already_expired",
    prepare: (backend) => backend.put(KEY, "before", HOUR),
    write: (backend, operationId) =>
      backend.put(KEY, "late", { expiresAt: 1, operationId }),
  },
  {
    name: "delete",
    prepare: (backend) => backend.put(KEY, "before", HOUR),
    write: (backend, operationId) => backend.delete(KEY, { operationId }),
  },
  {
    name: "delete_of_the_expected_record",
    prepare: (backend) => backend.put(KEY, "before", HOUR),
    write: (backend, operationId) =>
      backend.delete(KEY, { expected: 1, operationId }),
  },
];

/** What others may do between a write and its second try. */
const MEANWHILE: Record<string, (backend: StorageBackend) => Promise<unknown>> =
  {
    nothing: () => Promise.resolve(),
    "other writers": async (backend) => {
      for (let n = 0; n < 20; n++) {
        // Some of them name their writes, too.
        const name = n % 2 ? {} : { operationId: newId() };
        await backend.put(KEY, `other ${n}`, { ...HOUR, ...name });
      }
    },
    "a deletion": (backend) => backend.delete(KEY),
    "a new life": async (backend) => {
      await backend.delete(KEY);
      await backend.create(KEY, "new", { meta: HOUR });
    },
    "a new life like the old": async (backend) => {
      await backend.delete(KEY);
      await backend.put(KEY, "before", HOUR);
    },
    "many lives": async (backend) => {
      for (let n = 0; n < 5; n++) {
        await backend.delete(KEY);
        await backend.put(KEY, "one", HOUR);
        await backend.put(KEY, "two", HOUR);
      }
      await backend.delete(KEY);
    },
    "a full quota": async (backend) => {
      await backend.delete(KEY);
      await backend.put(nthKey(2), "x", { ...HOUR, active: true });
    },
    "a write already expired": (backend) =>
      backend.put(KEY, "late", { expiresAt: 1 }),
  };

export function operationIdTests(test: ContractTest): void {
  for (const { name, prepare, write } of WRITES) {
    test(`${name}_tried_again_is_one_write`, async (backend, other) => {
      for (const [what, meanwhile] of Object.entries(MEANWHILE)) {
        await deleteAll(backend, OWNER);
        await prepare(backend);
        const id = newId();
        const answer = await write(backend, id);
        await meanwhile(other);
        const stored = await other.listByPrefix(PREFIX);
        for (const instance of [other, backend]) {
          assertEquals(await write(instance, id), answer, what);
          assertEquals(await other.listByPrefix(PREFIX), stored, what);
        }
        // Another name is another write, wherever that one is possible.
        if (name === "put") {
          await write(other, newId());
          assertEquals((await other.get(KEY)).data, "mine", what);
        }
      }
    }, TWO);

    test(
      `${name}_tried_many_times_at_once_is_one_write`,
      async (backend, _, pick) => {
        await prepare(backend);
        const id = newId();
        const answers = await Promise.all(
          Array.from({ length: 24 }, (_, n) => write(pick(n), id)),
        );
        assertEquals(new Set(answers).size, 1);
        const { length } = await backend.listByPrefix(PREFIX);
        assertEquals(length, /delete|expired/.test(name) ? 0 : 1);
        if (length === 1) {
          assertEquals((await backend.get(KEY)).version, answers[0]);
        }
      },
      { instances: 4 },
    );
  }

  test("operation_id_becomes_the_etag", async (backend) => {
    const ids = [newId(), newId(), newId()] as const;
    const meta = ids.map((operationId) => ({ ...HOUR, operationId }));
    const writes = [
      () => backend.create(KEY, "one", { meta: meta[0] }),
      () => backend.put(KEY, "two", meta[1]),
      () => backend.putIfVersion(KEY, "three", 2, meta[2]),
    ];
    for (const [n, write] of writes.entries()) {
      await write();
      const { etag } = await backend.get(KEY);
      assert(validate(etag));
      assertEquals(etag, ids[n]);
    }
    // So the writer can go on without reading.
    const expected = { version: 3, etag: ids[2] };
    assertEquals(await backend.putIfVersion(KEY, "4", expected, HOUR), 4);
  });

  test("operation_ids_have_8_to_64_characters", async (backend) => {
    for (const id of ["azAZ09_-", "-".repeat(64), "00000000"]) {
      await backend.put(KEY, "x", { ...HOUR, operationId: id });
      assertEquals((await backend.get(KEY)).etag, id);
      await backend.delete(KEY, { operationId: `${id.slice(1)}x` });
    }
  });

  test("malformed_operation_ids_are_refused_and_change_nothing", async (backend) => {
    const malformed: Anything[] = [
      "",
      "seven77",
      "x".repeat(65),
      "with space",
      "dotted.id",
      "colon:id",
      "line\nbreak",
      "linebreak\n",
      "ümlauts-",
      "\0".repeat(8),
      12345678,
      null,
      {},
    ];
    await unchanged(backend, async () => {
      for (const operationId of malformed) {
        const meta = { ...HOUR, operationId };
        for (const call of writesOf(backend, "x", meta)) {
          await assertRejects(call, RangeError, "operationId");
        }
        await assertRejects(
          () => backend.delete(nthKey(1), { operationId }),
          RangeError,
          "operationId",
        );
      }
    });
  });

  test("refused_write_may_be_tried_again_under_its_name", async (backend) => {
    const operationId = newId();
    const meta = { ...HOUR, operationId };
    await assertRejects(
      () => backend.putIfVersion(KEY, "mine", 1, meta),
      VersionConflictError,
    );
    await backend.put(KEY, "one", HOUR);
    assertEquals(await backend.putIfVersion(KEY, "mine", 1, meta), 2);
    const creation = { meta: { ...HOUR, operationId: newId() } };
    const create = () => backend.create(KEY, "mine", creation);
    await assertRejects(create, VersionConflictError);
    await backend.delete(KEY);
    assertEquals(await create(), 1);
    const { etag } = await backend.get(KEY);
    assertEquals(etag, creation.meta.operationId);
    await backend.put(KEY, "two", HOUR);
    const deletion = { expected: 1, operationId: newId() };
    await assertRejects(
      () => backend.delete(KEY, deletion),
      VersionConflictError,
    );
    await backend.delete(KEY);
    await backend.put(KEY, "one", HOUR);
    assertEquals(await backend.delete(KEY, deletion), true);
    await assertRejects(() => backend.get(KEY), NotFoundError);
  });
}
