/**
 * Finds the files of the project. `scripts/ok.ts` checks them, `scripts/lint.ts`
 * reads them.
 *
 * @module
 */

/** Folders of the root that are not ours to check. */
const SKIPPED = /^(\..*|npm|node_modules|coverage)$/;

/** Every file with one of the endings (`.ts`), sorted; hidden ones are skipped. */
export async function findFiles(
  dir: string,
  endings: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (dir === "." && SKIPPED.test(name)) continue;
    const path = dir === "." ? name : `${dir}/${name}`;
    if (isDirectory) found.push(...await findFiles(path, endings));
    else if (endings.some((ending) => name.endsWith(ending))) found.push(path);
  }
  return found.sort();
}
