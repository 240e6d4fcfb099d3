/**
 * Calls what a host has handed over; no error of its own comes back.
 *
 * @param onError Called with what it throws or rejects with; must not throw.
 */
export function callHost(
  listener: () => unknown,
  onError: (error: unknown) => void,
): void {
  try {
    const result = listener();
    // An async listener: unhandled, its rejection would end the process. It
    // need not be a `Promise` of ours: a library may have its own.
    if (typeof result === "object") Promise.resolve(result).catch(onError);
  } catch (error) {
    onError(error);
  }
}
