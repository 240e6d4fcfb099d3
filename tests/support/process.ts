/**
 * Programs in processes of their own, read line by line and killed at the end.
 *
 * @module
 */

import { deadline, waitUntil } from "./wait.ts";

/** A running program. Its disposal kills it. */
export interface ProgramProcess extends AsyncDisposable {
  /** The lines it has written to stdout so far. */
  readonly lines: readonly string[];
  /**
   * Waits up to 30 seconds for a line that matches and returns it.
   *
   * @throws {Error} If the program ends without it, with what it wrote to
   * stderr.
   */
  says(line: RegExp): Promise<string>;
  /** Ends it as a crash does; returns what it wrote to stderr. */
  kill(): Promise<string>;
  /** Asks it to end with SIGTERM and waits until it has. */
  stop(): Promise<void>;
  /** Writes a line to its stdin, if that is piped. */
  write(line: string): Promise<void>;
  /** Ends its stdin, waits until it has ended by itself; returns its code. */
  endInput(): Promise<number>;
}

/** Starts a program whose stdout and stderr are piped. */
export function startProcess(command: Deno.Command): ProgramProcess {
  const child = command.spawn();
  // A test run that ends early takes its processes along.
  const onUnload = () => child.kill("SIGKILL");
  globalThis.addEventListener("unload", onUnload);
  const lines: string[] = [];
  const errors: string[] = [];
  let running = true;
  let input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  const inputOf = () => input ??= child.stdin.getWriter();
  const ended = Promise.all([
    child.status,
    readLines(child.stdout, (line) => void lines.push(line)),
    readLines(child.stderr, (line) => void errors.push(line)),
  ]).then(() => {
    running = false;
    globalThis.removeEventListener("unload", onUnload);
  });

  const kill = async () => {
    if (running) child.kill("SIGKILL");
    await ended;
    return errors.join("\n");
  };
  return {
    lines,
    says: (line) =>
      waitUntil(`the program says ${line}`, () => {
        const found = lines.find((one) => line.test(one));
        if (found === undefined && !running) {
          throw new Error(
            `the program ended: ${[...lines, ...errors].join("\n")}`,
          );
        }
        return found;
      }, { deadlineMs: 30_000 }) as Promise<string>,
    kill,
    stop: async () => {
      if (running) child.kill("SIGTERM");
      await deadline("the program ends", ended);
    },
    write: (line) => inputOf().write(new TextEncoder().encode(`${line}\n`)),
    endInput: async () => {
      await inputOf().close();
      await deadline("the program ends with its input", ended);
      return (await child.status).code;
    },
    [Symbol.asyncDispose]: async () => void await kill(),
  };
}

/** Calls back with every line of a stream. */
async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
    text = lines.pop()!;
    for (const line of lines) onLine(line);
  }
  if (text !== "") onLine(text);
}
