/**
 * Decides where `@std/*` comes from, for every script that runs `deno`: from
 * JSR where it can be reached, from npm where it cannot. Nothing else decides.
 *
 * Run as a program it prints the arguments for a `deno` of your own:
 * `deno test --allow-net --allow-env $(deno run -A scripts/std.ts)`.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };

/** What stands in for a JSR package: the same code, published on npm. */
const NPM_STAND_INS: Record<string, string> = {
  "@std/assert": "npm:deno-std@^1.4.0/assert/mod.js",
  // Its uuid/mod.js imports a file that the npm package does not contain.
  "@std/uuid": "npm:deno-std@^1.4.0/uuid/common.js",
};

/** Set to `jsr` or `npm`, it decides instead of the probe. */
const OVERRIDE = "MCP_TASKS_STD";

/** How long JSR may take to answer before it counts as out of reach. */
const PROBE_TIMEOUT_MS = 15_000;

/** Where `@std/*` comes from, and how to tell `deno` so. */
export interface StdSource {
  /** The registry. */
  readonly registry: "jsr" | "npm";
  /** What to add to a `deno` command that runs or checks our modules. */
  readonly args: readonly string[];
  /** What to add to its environment, so that no child probes again. */
  readonly env: Readonly<Record<string, string>>;
}

/** Decides, and says in one line on stderr which it took and why. */
export async function findStd(): Promise<StdSource> {
  const { registry, why } = await decide();
  console.error(`@std/* comes from ${registry} (${why})`);
  return {
    registry,
    args: registry === "jsr" ? [] : ["--import-map", standInMap()],
    env: { [OVERRIDE]: registry },
  };
}

async function decide(): Promise<{ registry: "jsr" | "npm"; why: string }> {
  const wish = Deno.env.get(OVERRIDE);
  if (wish === "jsr" || wish === "npm") {
    return { registry: wish, why: `${OVERRIDE} says so` };
  }
  if (wish) {
    throw new TypeError(`${OVERRIDE} is "${wish}": expected "jsr" or "npm"`);
  }
  return await jsrAnswers()
    ? { registry: "jsr", why: "JSR answers" }
    : { registry: "npm", why: "JSR is out of reach" };
}

/** Lets `deno` itself fetch what the tests import from JSR. */
async function jsrAnswers(): Promise<boolean> {
  const specifiers = Object.values(config.imports)
    .filter((specifier) => specifier.startsWith("jsr:@std/"));
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["cache", "--no-config", "--no-lock", ...specifiers],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    }).output();
    return success;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}

/**
 * The imports of `deno.json`, which an import map replaces as a whole, with
 * the stand-ins put in; as a URL that holds the map itself.
 */
function standInMap(): string {
  const imports = Object.fromEntries(
    Object.entries(config.imports).map(([name, target]) => [
      name,
      NPM_STAND_INS[name] ??
        (target.startsWith("./")
          ? new URL(`../${target}`, import.meta.url).href
          : target),
    ]),
  );
  const json = JSON.stringify({ imports });
  return `data:application/json,${encodeURIComponent(json)}`;
}

if (import.meta.main) console.log((await findStd()).args.join(" "));
