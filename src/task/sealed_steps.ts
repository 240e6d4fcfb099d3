/** Recorded steps that are sealed, each bound to its record and its name. */

import type { RecordedStep, StepStorage } from "../storage/steps.ts";
import type { TextSealer } from "./sealed_text.ts";

/**
 * Keeps every promise of `StepStorage` on top of one. A step that no key opens
 * is an error of the run: taken for one that is missing, it would be repeated.
 */
export class SealedSteps implements StepStorage {
  readonly #stored: StepStorage;
  readonly #sealer: TextSealer;

  constructor(stored: StepStorage, sealer: TextSealer) {
    this.#stored = stored;
    this.#sealer = sealer;
  }

  /** @throws {InvalidDataError} If no key opens a step. */
  async open(key: string, fence: number): Promise<ReadonlyMap<string, string>> {
    const steps = await this.#stored.open(key, fence);
    const opened = await Promise.all(
      [...steps].map(async ([name, sealed]) =>
        [name, await this.#sealer.open(key, ["step", name], sealed)] as const
      ),
    );
    return new Map(opened);
  }

  /** @throws {InvalidDataError} If no key opens the step recorded before. */
  async record(
    key: string,
    fence: number,
    name: string,
    data: string,
  ): Promise<RecordedStep> {
    const place = ["step", name];
    const sealed = await this.#sealer.seal(key, place, data);
    const step = await this.#stored.record(key, fence, name, sealed);
    const isOurs = step.data === sealed;
    return {
      ...step,
      data: isOurs ? data : await this.#sealer.open(key, place, step.data),
    };
  }
}
