/**
 * `deno task npm`: builds the npm package into `npm/` with dnt, for ECMAScript
 * and CommonJS, and runs the contract suite on Node in both: on Redis too
 * where `REDIS_TESTS` is set. The one who publishes to npm calls it.
 *
 * `--import-map FILE` resolves the bare imports where JSR is mapped elsewhere
 * (default: `deno.json`); `--no-test` only builds.
 *
 * @module
 */

import { build, emptyDir } from "@deno/dnt";
import config from "../deno.json" with { type: "json" };

const OUT_DIR = "npm";

/** What dnt's shim of `Deno` can run: the contract, on both backends. */
const CONTRACT_TESTS =
  "tests/{memory/memory_backend,redis/redis_backend_redis}_test.ts";

async function main(importMap: string, test: boolean): Promise<void> {
  await emptyDir(OUT_DIR);
  await build({
    entryPoints: ["./mod.ts"],
    outDir: OUT_DIR,
    importMap,
    // For the tests alone: what is published has no shims.
    shims: { deno: "dev" },
    test,
    testPattern: CONTRACT_TESTS,
    typeCheck: "both",
    // The package npm's deno-std, which stands in where JSR is out of reach,
    // has no declarations (TS7016). Only tests import it.
    filterDiagnostic: ({ code, messageText }) =>
      code !== 7016 || !JSON.stringify(messageText).includes("deno-std"),
    compilerOptions: {
      target: "ES2022",
      lib: ["ES2022", "DOM", "DOM.Iterable", "ESNext.Disposable"],
    },
    package: {
      name: "mcp-tasks-redis",
      version: config.version,
      description: "Durable storage for MCP tasks on Redis",
      keywords: ["mcp", "model-context-protocol", "tasks", "redis", "storage"],
      license: config.license,
      engines: { node: ">=20" },
      sideEffects: false,
    },
    async postBuild() {
      for (const file of ["README.md", "LICENSE"]) {
        await Deno.copyFile(file, `${OUT_DIR}/${file}`);
      }
    },
  });
}

function readArgs(args: readonly string[]): [string, boolean] {
  let importMap = "deno.json";
  let test = true;
  for (let at = 0; at < args.length; at++) {
    const value = args[at + 1];
    if (args[at] === "--no-test") test = false;
    else if (args[at] === "--import-map" && value !== undefined) {
      importMap = value;
      at++;
    } else {
      console.error("usage: deno task npm [--import-map FILE] [--no-test]");
      Deno.exit(2);
    }
  }
  return [importMap, test];
}

if (import.meta.main) {
  Deno.chdir(new URL("..", import.meta.url));
  await main(...readArgs(Deno.args));
}
