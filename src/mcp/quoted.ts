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

function quotedText(text: string): string {
  const cut = text.length > MAX_SHOWN
    ? text.slice(0, MAX_SHOWN - 1) + "…"
    : text;
  return JSON.stringify(cut).replace(
    UNQUOTED,
    (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}
