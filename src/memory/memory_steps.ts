/** Recorded steps inside one process: the `steps` of a `MemoryBackend`. */

import { checkData, checkFence, checkStepName } from "../storage/checks.ts";
import { splitKey } from "../storage/keys.ts";
import type { RecordedStep, StepStorage } from "../storage/steps.ts";
import { requireLease } from "./memory_leases.ts";
import type { MemoryRecords } from "./memory_records.ts";
import type { StoredRecord } from "./owner_records.ts";

/** Every promise of `StepStorage`, in the memory of this process. */
export class MemorySteps implements StepStorage {
  readonly #records: MemoryRecords;

  constructor(records: MemoryRecords) {
    this.#records = records;
  }

  open(key: string, fence: number): Promise<ReadonlyMap<string, string>> {
    return this.#records.answer((now) => {
      const { steps = new Map() } = this.#getHeld(key, fence, now);
      return new Map([...steps].map(([name, { data }]) => [name, data]));
    });
  }

  record(
    key: string,
    fence: number,
    name: string,
    data: string,
  ): Promise<RecordedStep> {
    return this.#records.answer((now) => {
      splitKey(key);
      checkStepName(name);
      checkData(key, data, this.#records.maxRecordBytes);
      const record = this.#getHeld(key, fence, now);
      const steps = record.steps ??= new Map();
      const found = steps.get(name);
      if (found) return { data: found.data, recorded: found.fence === fence };
      steps.set(name, { fence, data });
      return { data, recorded: true };
    });
  }

  /** The record, if its lease has this fence and holds. */
  #getHeld(key: string, fence: number, now: number): StoredRecord {
    checkFence(fence);
    const record = this.#records.get(key, now);
    requireLease(key, record, fence, now);
    return record;
  }
}
