/**
 * The servers that README shows for MCP: what a reader copies has to be right
 * in all of them, whatever the block.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { readEnabled } from "../support/gate.ts";

const README = readEnabled
  ? Deno.readTextFileSync(new URL("../../README.md", import.meta.url))
  : "";
const BLOCKS = [...README.matchAll(/^```ts\b.*\n([^]*?)^```$/gm)]
  .map(([, text]) => text!);

/** Registers a test that reads the README. */
function readmeTest(name: string, fn: () => void): void {
  Deno.test({ name, ignore: !readEnabled, fn });
}

function blocksWith(word: string): string[] {
  const blocks = BLOCKS.filter((text) => text.includes(word));
  assert(blocks.length > 0, `no block has ${word}`);
  return blocks;
}

readmeTest(
  "every queue of README's servers is a store's, which seals where encryption is on",
  () => {
    for (const block of blocksWith("new SdkTaskMessageQueue(")) {
      const given = block.matchAll(/new SdkTaskMessageQueue\((\w+)\.queues/g);
      for (const [, of] of given) {
        assert(new RegExp(`const ${of} = new TaskStore\\(`).test(block), of);
      }
    }
  },
);

readmeTest(
  "every server of README's that has a token takes its owner by ownerOf()",
  () => {
    for (const block of blocksWith("authInfo")) {
      assert(/ownerOf\(/.test(block), block);
      assert(!/extra!?\.sub/.test(block), block);
    }
  },
);

readmeTest("both eras of README's common server name one person alike", () => {
  const [block] = blocksWith("isLegacyRequest");
  const owners = [...block!.matchAll(/ownerOf\(([^()]*)\)/g)]
    .map(([, of]) => of);
  assertEquals(owners, ["ctx.http?.authInfo", "authInfo"]);
});
