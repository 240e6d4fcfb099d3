/**
 * Recorded steps that are sealed, each bound to its name and to its task: not
 * to the id alone, which another task may have had before.
 */

import type { RecordedStep, StepStorage } from "../storage/steps.ts";
import type { TextSealer } from "./sealed_text.ts";

/** The most leases whose tasks are remembered. */
const MAX_LEASES = 1000;

/** Returns what names the task that lives under a key, and no other one. */
export type LifeOf = (key: string) => Promise<string>;

/**
 * Keeps every promise of `StepStorage` on top of one. A step that no key opens
 * is an error of the run: taken for one that is missing, it would be repeated.
 */
export class SealedSteps implements StepStorage {
  readonly #stored: StepStorage;
  readonly #sealer: TextSealer;
  readonly #lifeOf: LifeOf;
  /** By lease: the fence of one is never that of another task of the key. */
  readonly #lives = new Map<string, string>();

  constructor(stored: StepStorage, sealer: TextSealer, lifeOf: LifeOf) {
    this.#stored = stored;
    this.#sealer = sealer;
    this.#lifeOf = lifeOf;
  }

  /** @throws {InvalidDataError} If no key opens a step, or its record. */
  async open(key: string, fence: number): Promise<ReadonlyMap<string, string>> {
    const life = await this.#lifeAt(key, fence);
    const steps = await this.#stored.open(key, fence);
    this.#remember(key, fence, life);
    const opened = await Promise.all(
      [...steps].map(async ([name, sealed]) => {
        const place = placeOf(life, name);
        return [name, await this.#sealer.open(key, place, sealed)] as const;
      }),
    );
    return new Map(opened);
  }

  /**
   * @throws {InvalidDataError} If no key opens the step recorded before, or
   * its record.
   */
  async record(
    key: string,
    fence: number,
    name: string,
    data: string,
  ): Promise<RecordedStep> {
    const life = await this.#lifeAt(key, fence);
    const place = placeOf(life, name);
    const sealed = await this.#sealer.seal(key, place, data);
    const step = await this.#stored.record(key, fence, name, sealed);
    this.#remember(key, fence, life);
    const isOurs = step.data === sealed;
    return {
      ...step,
      data: isOurs ? data : await this.#sealer.open(key, place, step.data),
    };
  }

  /**
   * Asked before the storage has judged the fence: if that holds then, it has
   * held since, and the task is the same.
   */
  async #lifeAt(key: string, fence: number): Promise<string> {
    return this.#lives.get(leaseName(key, fence)) ?? await this.#lifeOf(key);
  }

  /** Keeps what the storage has proved, the latest of it. */
  #remember(key: string, fence: number, life: string): void {
    const name = leaseName(key, fence);
    this.#lives.delete(name);
    this.#lives.set(name, life);
    if (this.#lives.size > MAX_LEASES) {
      this.#lives.delete(this.#lives.keys().next().value!);
    }
  }
}

function placeOf(life: string, name: string): readonly string[] {
  return ["step", life, name];
}

function leaseName(key: string, fence: number): string {
  return `${fence}:${key}`;
}
