/**
 * Waiting for a condition instead of for a time.
 *
 * @module
 */

/**
 * Waits until the condition holds, and fails with its name once the deadline
 * has passed.
 *
 * @returns What the condition returned, when that was no longer falsy.
 */
export async function waitUntil<T>(
  what: string,
  condition: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 5 } = {},
): Promise<T> {
  const endMs = Date.now() + deadlineMs;
  while (true) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > endMs) {
      throw new Error(`not within ${deadlineMs} ms: ${what}`);
    }
    await pause(everyMs);
  }
}

/** Fails, with the name, a promise that takes longer than the deadline. */
export async function deadline<T>(
  what: string,
  promise: Promise<T>,
  deadlineMs = 10_000,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${deadlineMs} ms: ${what}`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A pause between two looks at a condition; on its own it proves nothing. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
