/** Promises that a caller need not await. */

/**
 * Marks a promise as handled and returns it: a caller that awaits it sees its
 * rejection, and one that does not, such as a handler whose client cancels the
 * task meanwhile, ends no process.
 */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
