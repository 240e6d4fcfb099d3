/**
 * Instances of the fixture's server as processes of their own, and the
 * round-robin in front of them.
 *
 * @module
 */

import type { InstanceOptions } from "./main.ts";
import { deadline, waitUntil } from "../../support/wait.ts";

const MAIN = new URL("./main.ts", import.meta.url).href;

/** A running instance. Its disposal kills it. */
export interface Instance extends AsyncDisposable {
  /** Where it listens. */
  readonly url: string;
  /** What it has said so far. */
  readonly lines: readonly string[];
  /** Waits until it has said a line. */
  said(line: string): Promise<void>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Asks it to drain and end; resolves to what it said of that. */
  stop(): Promise<string>;
}

/** Starts an instance and waits until it listens. */
export async function startInstance(
  options: InstanceOptions,
): Promise<Instance> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, JSON.stringify(options)],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let complaints = "";
  // Whoever is ended while it runs takes it along.
  const onUnload = () => child.kill("SIGKILL");
  globalThis.addEventListener("unload", onUnload);
  const lines: string[] = [];
  const reading = Promise.all([
    readLines(child.stdout, (line) => void lines.push(line)),
    readLines(child.stderr, (line) => void (complaints += `${line}\n`)),
  ]);
  let running = true;
  const ended = Promise.all([child.status, reading]).then(() => {
    running = false;
    globalThis.removeEventListener("unload", onUnload);
  });
  const find = (start: string) => lines.find((line) => line.startsWith(start));
  const kill = async () => {
    if (running) child.kill("SIGKILL");
    await ended;
  };
  try {
    const listening = await waitUntil("the instance listens", () => {
      if (!running) throw new Error(`the instance ended: ${complaints}`);
      return find("listening ");
    }, { deadlineMs: 30_000 });
    return {
      url: `http://127.0.0.1:${listening!.split(" ")[1]}/mcp`,
      lines,
      said: async (line) => {
        await waitUntil(`the instance says ${line}`, () => find(line));
      },
      kill,
      stop: async () => {
        child.kill("SIGTERM");
        await deadline("the instance ends", ended);
        return find("drained ") ?? "";
      },
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
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

/** Sends every request to another of several URLs; those that are gone are passed over. */
export class RoundRobin {
  readonly #urls: string[];
  #next = 0;

  constructor(urls: readonly string[]) {
    this.#urls = [...urls];
  }

  /** Adds an instance. */
  add(url: string): void {
    this.#urls.push(url);
  }

  /** Sends a request on. A call that may have begun is not sent again. */
  readonly send = async (request: Request): Promise<Response> => {
    const body = await request.text();
    const { method, headers, signal } = request;
    for (let tried = 1;; tried++) {
      const url = this.#urls[this.#next++ % this.#urls.length]!;
      try {
        return await fetch(url, { method, headers, body, signal });
      } catch (error) {
        const refused = String((error as Error).cause ?? error)
          .includes("refused");
        if (!refused || tried === this.#urls.length) throw error;
      }
    }
  };
}

/** Opens the round-robin on a port of its own. */
export function serveRoundRobin(
  urls: readonly string[],
): AsyncDisposable & { readonly url: string } {
  const robin = new RoundRobin(urls);
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
  }, robin.send);
  return {
    url: `http://127.0.0.1:${server.addr.port}/mcp`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
