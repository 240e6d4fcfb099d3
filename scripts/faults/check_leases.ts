/** Checks leases and steps: fences, holders by the server's clock, records. */

import { type Call, isSuccess, isUnknown } from "./calls.ts";
import { type Findings, report } from "./report.ts";
import { SLACK_MS } from "./check_records.ts";
import { ANY, type LeaseTruth, type State, type Truth } from "./states.ts";

/** See the module. */
export function checkLeases(
  truth: Truth,
  calls: readonly Call[],
  byId: ReadonlyMap<string, Call>,
  findings: Findings,
): void {
  const byHolder = new Map<string, Call>();
  const byStep = new Map<string, Call>();
  for (const call of calls) {
    if (call.holder !== undefined) byHolder.set(call.holder, call);
    if (call.operation === "record step") byStep.set(call.token, call);
  }
  for (const [key, states] of truth.records) {
    let highest = 0;
    for (let i = 1; i < states.length; i++) {
      const state = states[i]!;
      const before = states[i - 1]!;
      const writer = state.isWrite ? byId.get(state.id) : undefined;
      checkSteps(
        key,
        before,
        state,
        byStep,
        (call) => hasLifeEnded(states, i, byId, call),
        findings,
      );
      const { lease, at } = state;
      if (state.version === 0 || state.token === ANY) continue;
      if (lease === undefined) {
        if (before.lease && state.isWrite && before.version > 0) {
          const released = writer?.operation === "expire" ||
            writer?.releaseLease;
          if (!released) {
            const detail = "a write without a release has ended the lease";
            const kind = "lease differs from its call";
            report(findings, kind, key, detail, writer, at);
          }
        }
        continue;
      }
      const call = byHolder.get(lease.holder);
      if (lease.fence !== before.lease?.fence) {
        if (lease.fence <= highest) {
          const detail = `${lease.fence} after ${highest}`;
          report(findings, "fences do not grow", key, detail, call, at);
        }
        // The fence is the server's time in microseconds.
        const { lease: other } = before;
        if (other && other.untilMs > Math.ceil(lease.fence / 1000)) {
          const detail =
            `${lease.holder} at ${lease.fence}, ${other.holder} until ${other.untilMs}`;
          report(findings, "two holders of a lease", key, detail, call, at);
        }
        checkGrant(key, state, call, findings);
      } else if (lease.untilMs !== before.lease.untilMs && call) {
        const renewedMs = lease.untilMs - call.forMs!;
        if (before.lease.untilMs < renewedMs) {
          const detail =
            `${lease.holder} until ${before.lease.untilMs}, renewed at ${renewedMs}`;
          const kind = "lease renewed after its end";
          report(findings, kind, key, detail, call, at);
        }
      }
      highest = Math.max(highest, lease.fence);
    }
  }
}

function checkGrant(
  key: string,
  { lease, at }: State,
  call: Call | undefined,
  findings: Findings,
): void {
  const kind = "lease differs from its call";
  if (call === undefined || call.key !== key) {
    const detail = `a grant to ${lease!.holder}, who did not ask`;
    report(findings, kind, key, detail, call, at);
  } else if (!isUnknown(call) && !isSuccess(call) && !hasEnded(lease!, call)) {
    const detail = `told ${call.answer!.is}, granted ${lease!.fence}`;
    report(findings, kind, key, detail, call, at);
  } else if (
    // An earlier try may have had a lease that ran out before the next one.
    call.answer?.is === "fence" && call.answer.fence < lease!.fence
  ) {
    const detail = `told ${call.answer.fence}, granted ${lease!.fence}`;
    report(findings, kind, key, detail, call, at);
  }
}

/** Whether a lease was over, or its record, when the call was refused it. */
function hasEnded({ untilMs }: LeaseTruth, { answer, endMs }: Call): boolean {
  return answer!.is === "absent" ||
    (answer!.is === "leased" && untilMs <= endMs + SLACK_MS);
}

/**
 * Whether the life of a record had ended when a call was answered: then a
 * refusal says that nothing of it is stored, whatever was before.
 */
function hasLifeEnded(
  states: readonly State[],
  from: number,
  byId: ReadonlyMap<string, Call>,
  call: Call,
): boolean {
  const end = states.slice(from + 1).find(({ version }) => version <= 1);
  const writer = end?.isWrite ? byId.get(end.id) : undefined;
  return end !== undefined &&
    (writer === undefined || writer.startMs <= call.endMs);
}

function checkSteps(
  key: string,
  before: State,
  state: State,
  byStep: ReadonlyMap<string, Call>,
  hasLifeEnded: (call: Call) => boolean,
  findings: Findings,
): void {
  if (state.steps === before.steps || state.token === ANY) return;
  const kind = "step recorded twice or without the lease";
  const { at } = state;
  for (const name of before.steps.keys()) {
    if (state.version > 0 && !state.steps.has(name)) {
      report(findings, kind, key, `${name} was lost`, undefined, at);
    }
  }
  for (const [name, text] of state.steps) {
    const old = before.steps.get(name);
    if (old === text) continue;
    const call = byStep.get(text.slice(text.indexOf("|") + 1));
    const fence = Number(text.slice(0, text.indexOf("|")));
    if (old !== undefined) {
      const detail = `${name} was ${old}, became ${text}`;
      report(findings, kind, key, detail, call, at);
    } else if (
      state.lease?.fence !== fence || call?.fence !== fence ||
      call.key !== key || call.step !== name
    ) {
      const detail = `${name} = ${text} under fence ${state.lease?.fence}`;
      report(findings, kind, key, detail, call, at);
    } else if (
      !isSuccess(call) && !isUnknown(call) &&
      call.answer!.is !== "absent" && !hasLifeEnded(call)
    ) {
      const detail = `${name} was recorded, its call told ${call.answer!.is}`;
      report(findings, kind, key, detail, call, at);
    }
  }
}
