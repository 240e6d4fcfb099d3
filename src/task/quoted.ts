/**
 * Text of callers and clients in messages of errors: whatever it is, a message
 * stays one line of moderate length.
 */

import { kindOf } from "./value_kind.ts";

/** The most UTF-16 units that are shown of a text. */
const MAX_SHOWN = 120;
/** Characters that end or turn a line in a terminal or a log, and JSON leaves. */
const CONTROLS = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Quotes a text and cuts it. */
export function quoted(text: unknown): string {
  if (typeof text !== "string") return kindOf(text);
  const shown = text.length > MAX_SHOWN
    ? text.slice(0, MAX_SHOWN - 1) + "…"
    : text;
  return JSON.stringify(shown).replace(CONTROLS, escaped);
}

/** Returns an id as it is, as nearly all are; quoted and cut, if it is unusual. */
export function idText(id: unknown): string {
  return typeof id === "string" && /^[\w.:~-]{1,120}$/.test(id)
    ? id
    : quoted(id);
}

function escaped(unit: string): string {
  return "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0");
}
