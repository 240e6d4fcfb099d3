/** Values of others in messages: bounded, and on one line. */

/** The most characters of a text that a message shows. */
const MAX_SHOWN = 120;

/** Line breaks and control characters that JSON leaves as they are. */
const UNQUOTED = /[\u007f-\u009f\u2028\u2029]/g;

/** Quotes a value, and cuts it where it is long. */
export function quoted(value: unknown): string {
  if (typeof value === "string") return quotedText(value);
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** Cuts a text where it is long. */
export function cut(text: string): string {
  return text.length > MAX_SHOWN ? text.slice(0, MAX_SHOWN - 1) + "…" : text;
}

/** Quotes a text only where it is long, or would not stay on its line. */
export function quotedIfOdd(text: string): string {
  const asQuoted = quoted(text);
  return asQuoted === `"${text}"` ? text : asQuoted;
}

function quotedText(text: string): string {
  return JSON.stringify(cut(text)).replace(
    UNQUOTED,
    (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
