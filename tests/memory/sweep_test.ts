import { assertEquals } from "@std/assert";
import { Sweep } from "../../src/memory/sweep.ts";

Deno.test("Sweep visits every entry, two a step, and begins again", () => {
  const map = new Map([["a", 1], ["b", 2], ["c", 3]]);
  const seen: string[] = [];
  const sweep = new Sweep(map, (name, now) => seen.push(`${name}${now}`));
  sweep.step(1);
  assertEquals(seen, ["a1", "b1"]);
  // The end of a round counts as a visit.
  sweep.step(2);
  sweep.step(3);
  assertEquals(seen, ["a1", "b1", "c2", "a3", "b3"]);
});

Deno.test("Sweep may delete what it visits, and visits what is added", () => {
  const map = new Map([["a", 1], ["b", 2], ["c", 3]]);
  const seen: string[] = [];
  const sweep = new Sweep(map, (name) => {
    seen.push(name);
    map.delete(name);
  });
  sweep.step(0);
  map.set("d", 4);
  sweep.step(0);
  assertEquals(seen, ["a", "b", "c", "d"]);
  assertEquals(map.size, 0);
});
