/**
 * Steps of a run, recorded beside its record: each once, and only by the
 * holder of the record's lease.
 *
 * @module
 */

/** The step that a recording left in the storage. */
export interface RecordedStep {
  /** The data recorded under the name, by this call or before it. */
  readonly data: string;
  /** Whether it is this call's (a repetition under the same fence included). */
  readonly recorded: boolean;
}

/**
 * Recorded steps of records. They live and die with their record: deletion,
 * expiry and a new life of the key end them. A refusal says that nothing of the
 * step is stored: it never was, or its record has ended since.
 *
 * Every method throws `NotFoundError` if there is no live record,
 * `FencedError` if the fence is not that of the current lease or the lease has
 * run out, and what every method of a backend throws.
 *
 * @example A step is recorded once
 * ```ts
 * import { makeKey, MemoryBackend } from "@mcp-tasks/redis";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new MemoryBackend();
 * const key = makeKey("alice", "t-1");
 * const lease = { holder: "worker-1", forMs: 30_000 };
 * const { fence } = await backend.leases.create(key, "working", lease);
 * await backend.steps.record(key, fence, "charge", `"receipt 7"`);
 * const steps = await backend.steps.open(key, fence);
 * assertEquals(steps.get("charge"), `"receipt 7"`);
 * ```
 */
export interface StepStorage {
  /** Reads all recorded steps, by name, in the order they were recorded. */
  open(key: string, fence: number): Promise<ReadonlyMap<string, string>>;

  /**
   * Records a step; where its name has been recorded under another fence,
   * nothing changes.
   *
   * @param name The name of the step, 1 to 256 bytes of UTF-8.
   * @param data What to record.
   * @throws {InvalidDataError} If UTF-8 cannot hold the data.
   * @throws {CapacityExceededError} If it is over the backend's
   * `maxRecordBytes`.
   */
  record(
    key: string,
    fence: number,
    name: string,
    data: string,
  ): Promise<RecordedStep>;
}
