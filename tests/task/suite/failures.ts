/**
 * What the storage does to a store: its errors become those of the domain,
 * each with the code a server answers with.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  BackendError,
  type StorageBackend,
  StorageError,
  TaskError,
  TaskStorageError,
  TaskStore,
} from "../../../mod.ts";
import { as, METHOD, OWNER, rejection, type TaskTest } from "./env.ts";
import { METHODS } from "./owners.ts";

export function failureTests(test: TaskTest): void {
  test("closed_storage_is_an_error_of_every_method", async (ground) => {
    const store = await ground.open();
    const { task } = await store.create(OWNER, METHOD);
    await store.close();
    const calls: Record<string, () => Promise<unknown>> = {
      create: () => store.create(OWNER, METHOD),
      list: () => store.list(OWNER),
      delete: () => store.delete(task.taskId, OWNER),
      cleanupExpired: () => store.cleanupExpired(),
    };
    for (const [name, call] of METHODS) {
      // A signal outlives the storage, and has nothing to say of it.
      if (name === "signalFor") continue;
      calls[name] = () => call(store, task.taskId, OWNER);
    }
    for (const [name, call] of Object.entries(calls)) {
      const error = await rejection(call(), TaskStorageError, name);
      assertEquals(error.code, -32603, name);
      assert(as(BackendError, error.cause, name).closed, name);
      // No one who catches errors of the storage catches this by mistake.
      assert(!(error as Error instanceof StorageError), name);
    }
  });

  test("write_that_failed_is_not_tried_again", async (ground) => {
    const { backend } = await ground.open();
    let writes = 0;
    const failing: StorageBackend = new Proxy(backend, {
      get(target, name) {
        if (name === "putIfVersion" || name === "create") {
          return () => {
            writes++;
            return Promise.reject(new BackendError("out of disk"));
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { task } = await new TaskStore(backend).create(OWNER, METHOD);
    const store = new TaskStore(failing);
    for (
      const call of [
        () => store.create(OWNER, METHOD),
        () => store.cancel(task.taskId, OWNER),
      ]
    ) {
      writes = 0;
      const error = await rejection(call(), TaskError);
      assert(error.message.includes("out of disk"), error.message);
      as(BackendError, error.cause);
      assertEquals(writes, 1);
    }
    const { version } = await new TaskStore(backend).get(task.taskId, OWNER);
    assertEquals(version, 1);
  });
}
