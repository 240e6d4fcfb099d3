/**
 * Times as text: what is usual is read and written by a shorter way, with the
 * very result of the platform's own.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { isoTime, parseTime } from "../../src/util/time.ts";

/** What `parseTime` promises, said without a shorter way. */
function parsed(text: string): number {
  const rfc3339 =
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
  return rfc3339.test(text)
    ? Date.parse(text.toUpperCase().replace(" ", "T"))
    : NaN;
}

const date = fc.date({ noInvalidDate: true });
const usual = fc.date({
  noInvalidDate: true,
  min: new Date("1970-01-01T00:00:00Z"),
  max: new Date("9999-12-31T23:59:59.999Z"),
});

Deno.test("isoTime() writes what toISOString() writes", () => {
  const check = (ms: number) =>
    assertEquals(isoTime(ms), new Date(ms).toISOString(), `${ms}`);
  fc.assert(fc.property(date, (one) => check(one.getTime())));
  fc.assert(fc.property(usual, fc.double({ min: 0, max: 1, noNaN: true }), (
    one,
    fraction,
  ) => check(one.getTime() + fraction)));
  const edges = [0, -0, -1, -0.5, 0.5, 59_999, 60_000, 60_000.9, -60_000];
  const years = [253_402_300_799_999, 253_402_300_800_000, 8.64e15, -8.64e15];
  for (const ms of [...edges, ...years]) check(ms);
  // One minute after another, and back: what is kept of one is not another's.
  const start = Date.parse("2026-02-28T23:58:59.998Z");
  for (let i = 0; i < 300_000; i += 997) {
    check(start + i);
    check(start - i);
    check(start + i * 480_000);
  }
});

Deno.test("isoTime() refuses what is no time", () => {
  for (const ms of [NaN, Infinity, -Infinity, 8.64e15 + 1]) {
    assertThrows(() => isoTime(ms), RangeError);
  }
});

Deno.test("parseTime() reads what toISOString() wrote", () => {
  fc.assert(fc.property(usual, (one) => {
    assertEquals(parseTime(one.toISOString()), one.getTime());
  }));
});

Deno.test("parseTime() reads RFC 3339 and nothing else", () => {
  const some = [
    "2026-11-24T12:34:56.789Z",
    "2026-11-24t12:34:56.789z",
    "2026-11-24 12:34:56.789Z",
    "2026-11-24T12:34:56Z",
    "2026-11-24T12:34:56.7Z",
    "2026-11-24T12:34:56.789123456Z",
    "2026-11-24T12:34:56.789+05:30",
    "2024-02-29T00:00:00.000Z",
    "0000-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "2026-11-24T24:00:00.000Z",
    // None at all, some of them close.
    "2026-02-29T00:00:00.000Z",
    "2026-02-30T00:00:00.000Z",
    "2026-13-01T00:00:00.000Z",
    "2026-00-01T00:00:00.000Z",
    "2026-11-00T00:00:00.000Z",
    "2026-11-32T00:00:00.000Z",
    "2026-11-24T25:00:00.000Z",
    "2026-11-24T24:00:00.001Z",
    "2026-11-24T12:60:00.000Z",
    "2026-11-24T12:34:60.000Z",
    "2026-11-24T12:34:56.78aZ",
    "2026-11-24T12:34:56.7 9Z",
    "2026-11-24T12:34:56,789Z",
    "2026-11-24T12-34-56.789Z",
    "2026/11/24T12:34:56.789Z",
    "26-11-24T12:34:56.789999Z",
    "+02026-11-24T12:34:56.78Z",
    " 026-11-24T12:34:56.789Z",
    "202６-11-24T12:34:56.789Z",
    "２026-11-24T12:34:56.789Z",
    "2026-11-24T1２:34:56.789Z",
    "24 Nov 26 T12:34:56.789Z",
    "Nov 24, 26T12:34:56.789Z",
    "2026-11-24",
    "",
  ];
  for (const text of [...some, ...some]) {
    assertEquals(parseTime(text), parsed(text), text);
  }
  // Any text with one character of a right one changed.
  const right = "2026-11-24T12:34:56.789Z";
  const place = fc.nat(right.length - 1);
  const other = fc.constantFrom(..." 0123456789-:.TtZz+/aé１", "");
  fc.assert(
    fc.property(place, other, place, other, (a, one, b, two) => {
      const characters = [...right];
      characters[a] = one;
      characters[b] = two;
      const text = characters.join("");
      assertEquals(parseTime(text), parsed(text), text);
    }),
    { numRuns: 5000 },
  );
});
