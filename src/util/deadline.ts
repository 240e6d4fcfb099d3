/** A bound on waiting for Redis, where node-redis itself would wait for ever. */

/** The time is over and there is no answer. */
export class DeadlineError extends Error {
  /** @param ms How long was waited, in milliseconds. */
  constructor(ms: number) {
    super(`no answer within ${Math.round(ms)} ms`);
    this.name = "DeadlineError";
  }
}

/** Waits for a promise, but not longer; what comes later is ignored. */
export async function deadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(ms)), ms);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
