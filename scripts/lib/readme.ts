/**
 * README as it is tested: with the Redis under test in place of the default
 * one. `scripts/lib/deno_tests.ts` and `scripts/lib/npm_tests.ts` run its examples.
 *
 * @module
 */

const README = new URL("../../README.md", import.meta.url);

/** The address README's examples show. */
const SHOWN_URL = "redis://127.0.0.1:6379";

/** Reads README; its examples use the Redis at `redisUrl`. */
export async function readReadme(redisUrl: string): Promise<string> {
  return (await Deno.readTextFile(README)).replaceAll(SHOWN_URL, redisUrl);
}
