/** Text as UTF-8 can represent it. */

/** Whether text has no lone surrogate, so that UTF-8 can represent it. */
export function isWellFormed(text: string): boolean {
  const native = (text as { isWellFormed?: () => boolean }).isWellFormed;
  return native ? native.call(text) : !/\p{Surrogate}/u.test(text);
}
