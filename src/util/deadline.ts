/** A bound on waiting, where what is waited for has none of its own. */

/** The time is over and there is no answer. */
export class DeadlineError extends Error {
  /** @param ms How long was waited, in milliseconds. */
  constructor(ms: number) {
    super(`no answer within ${Math.round(ms)} ms`);
    this.name = "DeadlineError";
  }
}

/**
 * Waits for a promise, but not longer than a time; what comes later is
 * ignored, a rejection included.
 *
 * @param ms The time, in milliseconds, up to 2^31 - 1.
 * @throws {DeadlineError} If the time is over.
 */
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
