/**
 * Holds modules to the house rules. `scripts/lint.ts` gives it the tree, its
 * test made-up modules.
 *
 * @module
 */

import type { HouseRules, Pending, RuleName } from "./house_rules.ts";
import { type Piece, readSource, type Source } from "./source.ts";

/** A file of the tree: a TypeScript module, or prose (`.md`). */
export interface HouseFile {
  /** From the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** A rule that is broken, and where. */
export interface Finding {
  readonly rule: RuleName;
  readonly path: string;
  /** The first line is 1. */
  readonly line: number;
  /** What was found and what was expected. */
  readonly message: string;
}

/** What the lint found. */
export interface HouseReport {
  /** In the order of rules, paths and lines. */
  readonly findings: readonly Finding[];
  /** The same, where `pending` says that it need not fail. */
  readonly pending: readonly Finding[];
  /** Entries of `pending` that nothing needs any more. */
  readonly needless: readonly Pending[];
  /** Doc comments of `src/`, and those with an unwanted opening. */
  readonly docs: { readonly all: number; readonly unwanted: number };
  /** Unwanted openings by file, most first. */
  readonly unwantedByFile: ReadonlyMap<string, number>;
}

interface Module extends Source {
  readonly path: string;
}

/** Holds every file to the rules. */
export function lintHouse(
  files: readonly HouseFile[],
  rules: HouseRules,
): HouseReport {
  const modules = files.filter(({ path }) => path.endsWith(".ts"))
    .map(({ path, text }): Module => ({ path, ...readSource(text) }));
  const prose = files.filter(({ path }) => path.endsWith(".md"));
  const src = modules.filter(({ path }) => path.startsWith("src/"));
  const openings = findOpenings(src, rules);
  const all = [
    ...findLayers(src, rules),
    ...findPackages(src, rules),
    ...findPlatform(src, rules),
    ...findCircles(modules),
    ...findWords(modules, prose, rules),
    ...openings.findings,
  ];
  const covers = (pending: Pending, { rule, path }: Finding) =>
    pending.rule === rule &&
    (pending.under.endsWith("/")
      ? path.startsWith(pending.under)
      : path === pending.under);
  const isPending = (finding: Finding) =>
    rules.pending.some((pending) => covers(pending, finding));
  return {
    findings: all.filter((finding) => !isPending(finding)),
    pending: all.filter(isPending),
    needless: rules.pending.filter((pending) =>
      !all.some((finding) => covers(pending, finding))
    ),
    docs: openings.docs,
    unwantedByFile: openings.byFile,
  };
}

/** The layer of a file of `src/`; `undefined` if it has none. */
function layerOf(path: string, { layers }: HouseRules): string | undefined {
  return Object.keys(layers)
    .filter((layer) =>
      layer.endsWith("/") ? path.startsWith(layer) : path === layer
    )
    .sort((a, b) => b.length - a.length)[0];
}

function findLayers(src: readonly Module[], rules: HouseRules): Finding[] {
  const findings: Finding[] = [];
  for (const { path, imports } of src) {
    const add = (line: number, message: string) =>
      findings.push({ rule: "layers", path, line, message });
    const layer = layerOf(path, rules);
    if (layer === undefined) {
      add(1, "is in no layer: expected one of scripts/lib/house_rules.ts");
      continue;
    }
    const may = rules.layers[layer]!;
    for (const { line, text } of imports) {
      const target = resolve(path, text);
      if (target === undefined) continue;
      const theirs = layerOf(target, rules);
      if (theirs === undefined) {
        add(line, `imports ${target}, which is in no layer of src/`);
      } else if (
        theirs !== layer && !may.includes(theirs) && !may.includes(target)
      ) {
        add(
          line,
          `${layer} imports ${target}: expected ${
            ["itself", ...may].join(", ")
          }`,
        );
      }
    }
  }
  return findings;
}

function findPackages(src: readonly Module[], rules: HouseRules): Finding[] {
  return src.flatMap(({ path, imports }) =>
    imports.flatMap(({ line, text }): Finding[] => {
      const rule = rules.packages.find(({ specifier }) => specifier.test(text));
      if (!rule || rule.only.some((dir) => path.startsWith(dir))) return [];
      const where = rule.only.length === 0
        ? "nowhere in src/"
        : `only in ${rule.only.join(", ")}`;
      const message = `imports "${text}": expected ${where}`;
      return [{ rule: "packages", path, line, message }];
    })
  );
}

function findPlatform(src: readonly Module[], rules: HouseRules): Finding[] {
  return src.flatMap(({ path, code }) =>
    rules.platform.flatMap((pattern) =>
      [...code.matchAll(new RegExp(pattern, "g"))].map((
        { 0: text, index },
      ) => ({
        rule: "platform" as const,
        path,
        line: lineAt(code, index),
        message: `names ${text}: src/ has to run on Deno, Node and Bun`,
      }))
    )
  );
}

/** Finds sets of files each of which imports the others, however far. */
function findCircles(modules: readonly Module[]): Finding[] {
  const known = new Set(modules.map(({ path }) => path));
  const targets = new Map(modules.map(({ path, imports }) => [
    path,
    new Set(
      imports.map(({ text }) => resolve(path, text))
        .filter((target) => target !== undefined && known.has(target)),
    ) as Set<string>,
  ]));
  const findings: Finding[] = [];
  const reported = new Set<string>();
  for (const path of [...known].sort()) {
    const circle = shortestCircle(path, targets);
    // One report a circle: its first file is looked at first.
    if (circle === undefined || circle.some((one) => reported.has(one))) {
      continue;
    }
    for (const member of circle) reported.add(member);
    const message = circle.length === 1
      ? "imports itself"
      : `is in a circle: ${[...circle, path].join(" imports ")}`;
    findings.push({ rule: "circles", path, line: 1, message });
  }
  return findings;
}

/** The shortest way from a file back to itself, without the return. */
function shortestCircle(
  path: string,
  targets: ReadonlyMap<string, ReadonlySet<string>>,
): string[] | undefined {
  const seen = new Set<string>();
  let ways = [[path]];
  while (ways.length > 0) {
    const longer: string[][] = [];
    for (const way of ways) {
      for (const target of targets.get(way.at(-1)!)!) {
        if (target === path) return way;
        if (seen.has(target)) continue;
        seen.add(target);
        longer.push([...way, target]);
      }
    }
    ways = longer;
  }
  return undefined;
}

function findWords(
  modules: readonly Module[],
  prose: readonly HouseFile[],
  rules: HouseRules,
): Finding[] {
  const patterns = rules.words.map(({ not, unlessBefore, write }) => ({
    not,
    write,
    // Between two words a line of a comment may end and another begin.
    pattern: new RegExp(
      `(?<![\\w-])${not.split(" ").join("(?:\\s|\\*|//|--)+")}(?![\\w-])${
        unlessBefore ? `(?!\\s+(?:${unlessBefore})\\b)` : ""
      }`,
      "gi",
    ),
  }));
  const pieces: { path: string; piece: Piece }[] = [
    ...modules.flatMap(({ path, comments, templates }) =>
      [...comments, ...luaComments(path, templates)]
        .map((piece) => ({ path, piece }))
    ),
    ...prose.map(({ path, text }) => ({ path, piece: { line: 1, text } })),
  ];
  return pieces.flatMap(({ path, piece }) =>
    patterns.flatMap(({ not, write, pattern }) =>
      [...piece.text.matchAll(pattern)].map(({ index }) => ({
        rule: "words" as const,
        path,
        line: piece.line + lineAt(piece.text, index) - 1,
        message: `says "${not}": expected ${write}`,
      }))
    )
  ).sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line
  );
}

/** The comments of Lua, which is in template strings under `src/redis/`. */
function luaComments(path: string, templates: readonly Piece[]): Piece[] {
  if (!path.startsWith("src/redis/")) return [];
  return templates.map(({ line, text }) => ({
    line,
    text: text.replace(/^.*?(--|$)/gm, "$1"),
  }));
}

function findOpenings(src: readonly Module[], rules: HouseRules) {
  const { words, maxShare } = rules.openings;
  const pattern = new RegExp(`^/\\*\\*[\\s*]*(?:${words.join("|")})\\b`);
  const docs = src.flatMap(({ path, comments }) =>
    comments.filter(({ text }) => text.startsWith("/**"))
      .map((piece) => ({ path, ...piece }))
  );
  const unwanted = docs.filter(({ text }) => pattern.test(text));
  const counts = new Map<string, number>();
  for (const { path } of unwanted) {
    counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  const share = unwanted.length / Math.max(docs.length, 1);
  const message = `a doc comment begins with ${
    words.join(", ")
  }: ${unwanted.length} of ${docs.length} do, expected at most ${
    percent(maxShare)
  }`;
  const findings = share <= maxShare
    ? []
    : unwanted.map(({ path, line }): Finding => ({
      rule: "openings",
      path,
      line,
      message,
    }));
  return {
    findings,
    docs: { all: docs.length, unwanted: unwanted.length },
    byFile: new Map([...counts].sort(([, a], [, b]) => b - a)),
  };
}

/** The path of a relative import; `undefined` for a package. */
function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** A share as text: `2.0 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
