/** Times as RFC 3339 text, and back. */

/** The most minutes whose text is kept: the times of a record are few. */
const KEPT_MINUTES = 8;
const minutes: number[] = [];
const minuteTexts: string[] = [];

/**
 * Writes a time as RFC 3339, with milliseconds.
 *
 * @param ms Epoch milliseconds.
 * @throws {RangeError} If it is no time.
 */
export function isoTime(ms: number): string {
  // A part of a millisecond is dropped, toward the epoch.
  const whole = Math.trunc(ms);
  const minute = Math.floor(whole / 60_000);
  const slot = minute & (KEPT_MINUTES - 1);
  if (minutes[slot] !== minute) {
    const text = new Date(minute * 60_000).toISOString();
    // Years with a sign are longer, and are not kept.
    if (text.length !== 24) return new Date(ms).toISOString();
    minuteTexts[slot] = text.slice(0, 17);
    minutes[slot] = minute;
  }
  const rest = whole - minute * 60_000;
  const seconds = Math.floor(rest / 1000);
  return `${minuteTexts[slot]!}${padded(seconds, 2)}.${
    padded(rest - seconds * 1000, 3)
  }Z`;
}

function padded(value: number, length: number): string {
  return String(value).padStart(length, "0");
}

/** Reads an RFC 3339 time; `NaN` if it is none. */
export function parseTime(text: string): number {
  const usual = parseUsualTime(text);
  if (!Number.isNaN(usual)) return usual;
  const rfc3339 =
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
  return rfc3339.test(text)
    ? Date.parse(text.toUpperCase().replace(" ", "T"))
    : NaN;
}

let lastDay = "";
let lastDayMs = NaN;

/** Reads what `isoTime` writes, most times of one day; `NaN` if it is not. */
function parseUsualTime(text: string): number {
  const isUsual = text.length === 24 && text.charCodeAt(10) === T &&
    text.charCodeAt(13) === COLON && text.charCodeAt(16) === COLON &&
    text.charCodeAt(19) === DOT && text.charCodeAt(23) === Z;
  if (!isUsual) return NaN;
  const day = text.slice(0, 10);
  if (day !== lastDay) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day)) return NaN;
    lastDayMs = Date.parse(`${day}T00:00:00.000Z`);
    lastDay = day;
  }
  const hours = twoDigits(text, 11);
  const minutes = twoDigits(text, 14);
  const seconds = twoDigits(text, 17);
  const hundredths = twoDigits(text, 20);
  const thousandths = text.charCodeAt(22) - ZERO;
  if (hours > 23 || minutes > 59 || seconds > 59) return NaN;
  if (thousandths < 0 || thousandths > 9) return NaN;
  return lastDayMs + hours * 3_600_000 + minutes * 60_000 + seconds * 1000 +
    hundredths * 10 + thousandths;
}

const ZERO = 48;
const DOT = 46;
const COLON = 58;
const T = 84;
const Z = 90;

/** Reads two digits; `NaN` if they are none. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO;
  const ones = text.charCodeAt(at + 1) - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9
    ? tens * 10 + ones
    : NaN;
}
