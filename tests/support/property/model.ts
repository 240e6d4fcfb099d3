/**
 * The contract as a plain list of records, without any thought of speed.
 *
 * @module
 */

import {
  CapacityExceededError,
  NotFoundError,
  VersionConflictError,
} from "../../../mod.ts";
import { describe, type Operation, type Times } from "./operations.ts";

interface ModelRecord {
  readonly key: string;
  readonly data: string;
  readonly version: number;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Answers operations as any backend must. */
export class Model {
  #records: ModelRecord[] = [];
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The value, or the error's class and fields, as `answerOf` gives them. */
  answer(operation: Operation, now: number): unknown {
    const live = (record: ModelRecord) => record.expiresAt > this.#clock();
    this.#records = this.#records.filter(live);
    try {
      return this.#carryOut(operation, now);
    } catch (error) {
      return describe(error);
    }
  }

  #carryOut(operation: Operation, now: number): unknown {
    switch (operation.kind) {
      case "get": {
        const found = this.#find(operation.key);
        if (!found) throw new NotFoundError(operation.key);
        return { data: found.data, version: found.version };
      }
      case "put":
        return this.#write(operation.key, operation.data, operation.times, now);
      case "putIfVersion": {
        const { key, data, expected, times } = operation;
        const actual = this.#find(key)?.version ?? 0;
        if (actual !== expected) {
          throw new VersionConflictError(key, expected, actual);
        }
        return this.#write(key, data, times, now);
      }
      case "create": {
        const { key, data, times, maxRecords = Infinity } = operation;
        const found = this.#find(key);
        if (found) throw new VersionConflictError(key, 0, found.version);
        const { length } = this.#list(key.slice(0, key.indexOf(":") + 1));
        if (length >= maxRecords) {
          throw new CapacityExceededError(key, "records", maxRecords, length);
        }
        return this.#write(key, data, times, now);
      }
      case "delete": {
        const found = this.#find(operation.key);
        this.#records = this.#records.filter((record) => record !== found);
        return found !== undefined;
      }
      case "listByPrefix":
        return this.#list(operation.prefix);
      case "pages": {
        const all = this.#list(operation.prefix);
        if (operation.order === "newest") all.reverse();
        const pages = [all.splice(0, operation.limit)];
        while (all.length > 0) pages.push(all.splice(0, operation.limit));
        return pages;
      }
      case "wait":
        return undefined;
    }
  }

  #find(key: string): ModelRecord | undefined {
    return this.#records.find((record) => record.key === key);
  }

  #write(key: string, data: string, times: Times, now: number): number {
    const old = this.#find(key);
    const version = (old?.version ?? 0) + 1;
    this.#records = this.#records.filter((record) => record !== old);
    const expiresAt = times.ttlMs === undefined ? Infinity : now + times.ttlMs;
    if (expiresAt > now) {
      const createdAt = times.createdAt ?? old?.createdAt ?? now;
      this.#records.push({ key, data, version, createdAt, expiresAt });
    }
    return version;
  }

  #list(prefix: string): { key: string; data: string; version: number }[] {
    return this.#records
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => a.createdAt - b.createdAt || byBytes(a.key, b.key))
      .map(({ key, data, version }) => ({ key, data, version }));
  }
}

function byBytes(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => new TextEncoder().encode(text)) as [
    Uint8Array,
    Uint8Array,
  ];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] !== y[i]) return x[i]! - y[i]!;
  }
  return x.length - y.length;
}
