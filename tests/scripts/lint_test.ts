/**
 * The house rules on made-up modules: each fails where it should, and only
 * there.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { lintHouse } from "../../scripts/lib/house_lint.ts";
import { HOUSE_RULES, type HouseRules } from "../../scripts/lib/house_rules.ts";
import { readSource } from "../../scripts/lib/source.ts";

/** The rules of this repository, with nothing left out. */
const RULES: HouseRules = { ...HOUSE_RULES, pending: [] };

/** What the lint finds in files by path: `path:line rule`. */
function find(
  files: Record<string, string>,
  rules: HouseRules = RULES,
): string[] {
  return report(files, rules).findings
    .map(({ path, line, rule }) => `${path}:${line} ${rule}`);
}

function report(files: Record<string, string>, rules: HouseRules = RULES) {
  const list = Object.entries(files).map(([path, text]) => ({ path, text }));
  return lintHouse(list, rules);
}

function imports(...specifiers: string[]): string {
  return specifiers.map((one) => `import { x } from "${one}";\n`).join("");
}

Deno.test("layers may import what is below them", () => {
  assertEquals(
    find({
      "mod.ts": imports("./src/create_task_store.ts", "./src/mcp/errors.ts"),
      "src/create_task_store.ts": imports(
        "./task/task_store.ts",
        "./redis/redis_backend.ts",
        "./memory/memory_backend.ts",
      ),
      "src/redis/redis_backend.ts": imports(
        "../storage/keys.ts",
        "./lua/get.ts",
        "redis",
      ),
      "src/redis/lua/get.ts": imports("../executor/script.ts"),
      "src/mcp/v2025_11_25/queue.ts": imports(
        "../errors.ts",
        "../../storage/message_queue.ts",
        "../../task/task_store.ts",
      ),
    }),
    [],
  );
});

Deno.test("layers fail where one calls up", () => {
  assertEquals(
    find({
      "src/util/time.ts": imports("../storage/keys.ts"),
      "src/storage/keys.ts": imports("../util/time2.ts", "../task/record.ts"),
      "src/task/task_store.ts": `export { y } from "../run/worker.ts";`,
      "src/run/worker.ts": `const m = await import("../mcp/sdk.ts");`,
      "src/redis/lua/get.ts": imports("../redis_backend.ts"),
    }),
    [
      "src/util/time.ts:1 layers",
      "src/storage/keys.ts:2 layers",
      "src/task/task_store.ts:1 layers",
      "src/run/worker.ts:1 layers",
      "src/redis/lua/get.ts:1 layers",
    ],
  );
});

Deno.test("layers fail where one reaches around the next", () => {
  assertEquals(
    find({
      "src/task/task_store.ts": imports("../redis/redis_backend.ts"),
      "src/mcp/v2025_11_25/store.ts": imports(
        "../../storage/backend.ts",
        "../../memory/memory_backend.ts",
        "../v2026_07_28/handle.ts",
      ),
      "src/memory/memory_backend.ts": imports("../redis/key_schema.ts"),
    }),
    [
      "src/task/task_store.ts:1 layers",
      "src/mcp/v2025_11_25/store.ts:1 layers",
      "src/mcp/v2025_11_25/store.ts:2 layers",
      "src/mcp/v2025_11_25/store.ts:3 layers",
      "src/memory/memory_backend.ts:1 layers",
    ],
  );
});

Deno.test("layers fail for a file in none, and for an import out of src", () => {
  assertEquals(
    find({
      "src/helpers.ts": "",
      "src/task/task_store.ts": imports("../../mod.ts", "../../scripts/std.ts"),
    }),
    [
      "src/helpers.ts:1 layers",
      "src/task/task_store.ts:1 layers",
      "src/task/task_store.ts:2 layers",
    ],
  );
});

Deno.test("packages fail where src may not import them", () => {
  assertEquals(
    find({
      "src/redis/connect.ts": imports("redis", "npm:@redis/client"),
      "src/task/a.ts": imports("redis"),
      "src/run/b.ts": `const r = await import("npm:redis@6");`,
      "src/mcp/c.ts":
        `import type { X } from "@modelcontextprotocol/sdk/x.js";`,
      "src/util/d.ts": imports("node:crypto"),
      "tests/a_test.ts": imports(
        "redis",
        "node:fs",
        "@modelcontextprotocol/sdk",
      ),
    }),
    [
      "src/task/a.ts:1 packages",
      "src/run/b.ts:1 packages",
      "src/mcp/c.ts:1 packages",
      "src/util/d.ts:1 packages",
    ],
  );
});

Deno.test("platform fails in code of src, and not in comments or strings", () => {
  assertEquals(
    find({
      "src/util/a.ts": [
        `/** @example Deno.env.get("X"), as a Buffer. */`,
        `const text = "Deno" + \`Buffer \${Deno.pid}\` + 'Deno';`,
        `const pattern = /Deno "/;`,
        `export const bytes = Buffer.from(text);`,
      ].join("\n"),
      "scripts/b.ts": "Deno.exit();",
    }),
    ["src/util/a.ts:2 platform", "src/util/a.ts:4 platform"],
  );
});

Deno.test("circles fail once each, with the way around", () => {
  const { findings } = report({
    "src/task/a.ts": imports("./b.ts"),
    "src/task/b.ts": imports("./c.ts"),
    "src/task/c.ts": `import type { A } from "./a.ts";`,
    "src/task/d.ts": imports("./a.ts"),
    "tests/x.ts": imports("./x.ts"),
  });
  assertEquals(findings.map(({ rule, path }) => [rule, path]), [
    ["circles", "src/task/a.ts"],
    ["circles", "tests/x.ts"],
  ]);
  assertStringIncludes(
    findings[0]!.message,
    "src/task/a.ts imports src/task/b.ts imports src/task/c.ts imports src/task/a.ts",
  );
});

Deno.test("words fail in comments and in prose, over the ends of lines", () => {
  assertEquals(
    find({
      "README.md": "# Title\n\nIt waits for\never, and Nobody knows.\n",
      "src/task/a.ts": [
        "/**",
        " * A record that was carried",
        " * out.",
        " */",
        `export const mend = "anew";`,
        "// It is told",
        "// of the end.",
        "export const half = 4 / 2; // and 2 / 1 mends it",
      ].join("\n"),
      "tests/a_test.ts": "/* whoever */",
      "src/redis/lua/a.ts": "const A = `\nlocal anew = 1 -- made anew\n`;",
    }),
    [
      "README.md:3 words",
      "README.md:4 words",
      "src/redis/lua/a.ts:2 words",
      "src/task/a.ts:2 words",
      "src/task/a.ts:6 words",
      "src/task/a.ts:8 words",
      "tests/a_test.ts:1 words",
    ],
  );
});

Deno.test("words pass where they mean something else", () => {
  assertEquals(
    find({
      "scripts/a.ts":
        "// `x` stands for y and stands in for z; recommended, amended, nobody_else.",
    }),
    [],
  );
});

Deno.test("openings fail for all of them above the share, and for none below", () => {
  const files = {
    "src/task/a.ts":
      "/** How it is. */\n/** The other. */\n/**\n * Whatever. */",
    "src/task/b.ts": "/**\n * Where it goes. */\n/* What */\n// Who",
    "tests/a_test.ts": "/** What it tests. */",
  };
  const openings = (maxShare: number): HouseRules => ({
    ...RULES,
    openings: { ...RULES.openings, maxShare },
  });
  assertEquals(find(files, openings(0.5)), []);
  assertEquals(find(files, openings(0.49)), [
    "src/task/a.ts:1 openings",
    "src/task/b.ts:1 openings",
  ]);
  assertEquals(report(files).docs, { all: 4, unwanted: 2 });
});

Deno.test("pending findings do not fail, and an entry without any is reported", () => {
  const pending: HouseRules["pending"] = [
    { rule: "words", under: "src/" },
    { rule: "words", under: "tests/a_test.ts" },
    { rule: "circles", under: "src/" },
  ];
  const { findings, pending: found, needless } = report({
    "src/task/a.ts": "// nobody",
    "tests/a_test.ts": "// nobody",
    "tests/b_test.ts": "// nobody",
  }, { ...RULES, pending });
  assertEquals(findings.map(({ path }) => path), ["tests/b_test.ts"]);
  assertEquals(found.length, 2);
  assertEquals(needless, [pending[2]]);
});

Deno.test("readSource() finds the ends of comments, strings, templates and patterns", () => {
  const text = [
    `const a = "// no"; // yes`,
    'const b = `/* no ${f({ c: `${"}"}` })} // no`;',
    `const d = x / y; /* yes */ const e = /[/"]\\/ \\//g.test(a) ? '\\'' : "";`,
    `export * from "./z.ts"; const from = 1;`,
  ].join("\n");
  const { code, comments, imports } = readSource(text);
  assertEquals(comments, [
    { line: 1, text: "// yes" },
    { line: 3, text: "/* yes */" },
  ]);
  assertEquals(imports, [{ line: 4, text: "./z.ts" }]);
  assertEquals(code.length, text.length);
  assertEquals(
    code.split("\n")[1]?.replaceAll(/ +/g, " "),
    'const b = ` ${f({ c: `${" "}` })} `;',
  );
});
