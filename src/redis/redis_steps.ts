/** Recorded steps on Redis: one field each of the record's hash. */

import { checkData, checkFence, checkStepName } from "../storage/checks.ts";
import { splitKey } from "../storage/keys.ts";
import type { RecordedStep, StepStorage } from "../storage/steps.ts";
import { writeScriptInput } from "./executor/script.ts";
import { LUA_STEP_RECORD } from "./lua/step_record.ts";
import { LUA_STEPS_OPEN } from "./lua/steps_open.ts";
import type { RedisContext } from "./redis_context.ts";
import { readAnswer } from "./replies.ts";

/** Every promise of `StepStorage`, on Redis. */
export class RedisSteps implements StepStorage {
  readonly #context: RedisContext;

  constructor(context: RedisContext) {
    this.#context = context;
  }

  async open(
    key: string,
    fence: number,
  ): Promise<ReadonlyMap<string, string>> {
    const record = this.#record(key);
    checkFence(fence);
    const steps = new Map<string, string>();
    let after = 0;
    do {
      const [last, ...found] = await this.#context.run({
        what: () => `read the steps of ${JSON.stringify(key)}`,
        key,
        route: record,
        script: LUA_STEPS_OPEN,
        kind: "read",
        write: (words) =>
          writeScriptInput(words, LUA_STEPS_OPEN, {
            keys: { record },
            args: {
              fence: String(fence),
              after: after === 0 ? "" : String(after),
              deadline_ms: "",
            },
          }),
        decode: (answer) =>
          readAnswer(key, answer, fence).values as [number, ...string[]],
      });
      for (let i = 0; i < found.length; i += 2) {
        steps.set(found[i]!, found[i + 1]!);
      }
      after = last;
    } while (after > 0);
    return steps;
  }

  async record(
    key: string,
    fence: number,
    name: string,
    data: string,
  ): Promise<RecordedStep> {
    const record = this.#record(key);
    checkFence(fence);
    checkStepName(name);
    checkData(key, data, this.#context.maxRecordBytes);
    return await this.#context.run<RecordedStep>({
      what: () =>
        `record step ${JSON.stringify(name)} of ${JSON.stringify(key)}`,
      key,
      route: record,
      script: LUA_STEP_RECORD,
      kind: "idempotent",
      isDurable: true,
      write: (words, { deadlineMs, isRetry }) =>
        writeScriptInput(words, LUA_STEP_RECORD, {
          keys: { record },
          args: {
            step: `step:${name}`,
            data,
            fence: String(fence),
            deadline_ms: deadlineMs,
            mode: isRetry ? "r" : "",
          },
        }),
      decode: (answer) => {
        const { values } = readAnswer(key, answer, fence);
        return values.length === 0
          ? { data, recorded: true }
          : { data: String(values[0]), recorded: values[1] === "1" };
      },
    });
  }

  #record(key: string): string {
    const { owner, task } = splitKey(key);
    return this.#context.schema.record(owner, task);
  }
}
