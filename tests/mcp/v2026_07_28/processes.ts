/**
 * Instances of the fixture's server as processes of their own, and the
 * round-robin in front of them.
 *
 * @module
 */

import type { InstanceOptions } from "./main.ts";
import { startProcess } from "../../support/process.ts";
import { waitUntil } from "../../support/wait.ts";

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
  const program = startProcess(
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", MAIN, JSON.stringify(options)],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }),
  );
  const kill = async () => void await program.kill();
  try {
    const [, port] = (await program.says(/^listening /)).split(" ");
    return {
      url: `http://127.0.0.1:${port}/mcp`,
      lines: program.lines,
      said: async (line) => {
        await waitUntil(
          `the instance says ${line}`,
          () => program.lines.find((one) => one.startsWith(line)),
        );
      },
      kill,
      stop: async () => {
        await program.stop();
        return program.lines.find((one) => one.startsWith("drained ")) ?? "";
      },
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
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
