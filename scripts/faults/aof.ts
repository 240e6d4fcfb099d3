/**
 * Reads an append-only file: the commands that changed the data, in the one
 * order in which they did. A script is in it by its effects, between MULTI and
 * EXEC where they are several.
 */

/** The effects of one script or command. */
export type Transaction = readonly (readonly string[])[];

/**
 * Reads the append-only files of a server, the base first. The server must
 * have been started empty, with `aof-use-rdb-preamble no` and without
 * rewrites.
 *
 * @param dir The server's folder.
 */
export async function readAof(dir: string): Promise<Transaction[]> {
  const folder = `${dir}/appendonlydir`;
  const manifest = await Deno.readTextFile(
    `${folder}/appendonly.aof.manifest`,
  );
  const files = manifest.split("\n").filter((line) => line.startsWith("file "))
    .map((line) => line.split(" "))
    .filter((words) => words.includes("b") || words.includes("i"))
    // The base, then the increments by their number.
    .map((words) => ({
      name: words[1]!,
      seq: Number(words[3]),
      base: words[5] === "b",
    }))
    .toSorted((a, b) => Number(b.base) - Number(a.base) || a.seq - b.seq);
  const transactions: Transaction[] = [];
  for (const { name } of files) {
    const bytes = await Deno.readFile(`${folder}/${name}`);
    const parsed = parseAof(bytes, name);
    if (name.includes(".base.") && parsed.length > 0) {
      throw new Error(
        `${name} begins with ${parsed.length} commands of a rewrite: the history before it is lost`,
      );
    }
    transactions.push(...parsed);
  }
  return transactions;
}

/**
 * Whether the file of a server begins with the first write: a replica that had
 * to be filled again begins with what it was filled with.
 */
export async function isWholeHistory(dir: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(`${dir}/appendonlydir`)) {
    if (!name.includes(".base.")) continue;
    const bytes = await Deno.readFile(`${dir}/appendonlydir/${name}`);
    if (parseAof(bytes, name).length > 0) return false;
  }
  return true;
}

/** Parses the text of one file; what a crash has cut off at its end is left. */
export function parseAof(bytes: Uint8Array, name = "aof"): Transaction[] {
  const found: Transaction[] = [];
  let open: string[][] | undefined;
  for (const command of commandsOf(bytes, name)) {
    const verb = command[0]!.toUpperCase();
    if (verb === "MULTI") open = [];
    else if (verb === "EXEC") {
      found.push(open ?? []);
      open = undefined;
    } else if (verb === "SELECT") continue;
    else if (open) open.push(command);
    else found.push([command]);
  }
  return found;
}

function* commandsOf(bytes: Uint8Array, name: string): Generator<string[]> {
  const decoder = new TextDecoder();
  let at = 0;
  const line = (): string | undefined => {
    const end = bytes.indexOf(10, at);
    if (end < 0) return undefined;
    // Lengths and annotations are short: no decoder is needed.
    let text = "";
    for (let i = at; i < end - 1; i++) text += String.fromCharCode(bytes[i]!);
    at = end + 1;
    return text;
  };
  while (at < bytes.length) {
    const head = line();
    if (head === undefined) return;
    if (head.startsWith("#")) continue;
    if (!head.startsWith("*")) {
      throw new Error(
        `${name} is not a plain append-only file at byte ${at}: ${head}`,
      );
    }
    const command: string[] = [];
    for (let n = Number(head.slice(1)); n > 0; n--) {
      const length = Number(line()?.slice(1));
      if (!(at + length + 2 <= bytes.length)) return;
      command.push(decoder.decode(bytes.subarray(at, at + length)));
      at += length + 2;
    }
    yield command;
  }
}
