/**
 * `deno task lint`: holds the tree to the house rules: layers, packages,
 * circles of imports, and the words of comments. `deno lint` does the rest;
 * `deno task ok` runs both. The last line is the count.
 *
 * `--openings` lists, by file, doc comments that begin with an unwanted word.
 *
 * @module
 */

import { lintHouse, percent } from "./lib/house_lint.ts";
import { HOUSE_RULES } from "./lib/house_rules.ts";
import { findFiles } from "./lib/files.ts";

if (import.meta.main) {
  Deno.chdir(new URL("..", import.meta.url));
  const paths = (await findFiles(".", [".ts", ".md"]))
    .filter((path) =>
      /^(mod\.ts$|README\.md$|src\/|scripts\/|tests\/)/.test(path)
    );
  const files = await Promise.all(
    paths.map(async (path) => ({ path, text: await Deno.readTextFile(path) })),
  );
  const report = lintHouse(files, HOUSE_RULES);

  for (const { rule, path, line, message } of report.findings) {
    console.log(`${path}:${line}: ${rule}: ${message}`);
  }
  if (Deno.args.includes("--openings")) {
    for (const [path, n] of report.unwantedByFile) console.log(`${n} ${path}`);
  }
  for (const { rule, under } of HOUSE_RULES.pending) {
    const n = report.pending
      .filter((one) => one.rule === rule && one.path.startsWith(under)).length;
    console.log(`pending: ${rule} under ${under}: ${n}`);
  }
  for (const { rule, under } of report.needless) {
    console.log(`pending without need: ${rule} under ${under}: take it out`);
  }
  const { all, unwanted } = report.docs;
  console.log(
    `${files.length} files, ${report.findings.length} findings, ${report.pending.length} pending; ${unwanted} of ${all} doc comments (${
      percent(unwanted / all)
    }) begin with ${HOUSE_RULES.openings.words.join(", ")}`,
  );
  if (report.findings.length > 0) Deno.exitCode = 1;
}
