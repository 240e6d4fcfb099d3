/**
 * The package itself, as its tools see it: TypeScript consumers compile under
 * `tsc --strict` and run on Node and Bun, publint and attw find nothing.
 * `scripts/lib/npm_tests.ts` runs it.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";

const tarball = "../mcp-tasks-redis.tgz";

test("tsc accepts the consumers", () => run("node_modules/.bin/tsc"));

for (const file of readdirSync(".").filter((name) => name.endsWith(".ts"))) {
  const program = `built/${file.replace(/\.ts$/, ".js")}`;
  test(`${file} runs on Node`, () => run(process.execPath, program));
  test(`${file} runs on Bun`, () => run("node_modules/.bin/bun", program));
}

test("publint finds nothing", () =>
  run("node_modules/.bin/publint", tarball, "--strict"));

test("attw finds nothing", () =>
  run("node_modules/.bin/attw", tarball, "--profile", "esm-only"));

async function run(program, ...args) {
  const ended = promisify(execFile)(program, args, { timeout: 120_000 });
  await ended.catch(({ code, stdout, stderr }) =>
    assert.fail(`${program} ended with ${code}:\n${stdout}${stderr}`)
  );
}
