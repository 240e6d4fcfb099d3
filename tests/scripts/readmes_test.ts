/**
 * The READMEs of the folders of `src/`: each folder has one, the top README
 * links to it, and what they name exists.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { readEnabled } from "../support/gate.ts";

const SRC = new URL("../../src/", import.meta.url);

/** The names of the files below a folder, without their folders. */
async function filesBelow(folder: URL): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    names.add(name);
    if (!isDirectory) continue;
    for (const found of await filesBelow(new URL(`${name}/`, folder))) {
      names.add(found);
    }
  }
  return names;
}

Deno.test({
  name: "every folder of src has a README that names files that exist",
  ignore: !readEnabled,
  async fn() {
    const top = await Deno.readTextFile(new URL("../README.md", SRC));
    let named = 0;
    for await (const { name, isDirectory } of Deno.readDir(SRC)) {
      if (!isDirectory) continue;
      const folder = new URL(`${name}/`, SRC);
      const text = await Deno.readTextFile(new URL("README.md", folder));
      assert(top.includes(`(src/${name}/README.md)`), `no link to src/${name}`);
      const files = await filesBelow(folder);
      for (const [, path] of text.matchAll(/`([\w/]+\.ts|[\w/]+\/)`/g)) {
        if (path!.startsWith("src/") || path!.startsWith("tests/")) continue;
        const file = path!.replace(/\/$/, "").split("/").at(-1)!;
        assert(files.has(file), `src/${name}/README.md names ${path}`);
        named++;
      }
    }
    assertEquals(named > 30, true, `${named} names`);
  },
});
