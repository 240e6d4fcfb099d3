/**
 * What every story of `demo_mcp.ts` is made of: server processes that can be
 * killed, a tiny round-robin in front of them, and checks.
 *
 * @module
 */

/** One protocol era, told. */
export interface Story {
  /** What it is about. */
  readonly title: string;
  /** Plays it; throws if anything is not as promised. */
  tell(stage: Stage): Promise<void>;
}

/** What a story is given. */
export interface Stage {
  /** `REDIS_URL` and `PREFIX`, for its processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Says a line, with the time it took so far. */
  say(text: string): void;
}

/** Throws with what was promised, if it does not hold. */
export function check(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`not as promised: ${promise}`);
}

/** A server process. It prints `port: <number>` when it listens. */
export class Instance implements AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(name: string, url: string, child: Deno.ChildProcess) {
    this.name = name;
    this.url = url;
    this.#child = child;
  }

  /** Runs a program of ours and waits until it listens. */
  static async start(
    name: string,
    program: URL,
    env: Readonly<Record<string, string>>,
  ): Promise<Instance> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", program.pathname],
      env: { ...env, INSTANCE: name, PORT: "0" },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const onUnload = () => end(child);
    globalThis.addEventListener("unload", onUnload);
    child.status.then(() => globalThis.removeEventListener("unload", onUnload));
    let said = "";
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of lines) {
      said += text;
      const port = /port: (\d+)/.exec(said)?.[1];
      if (port) return new Instance(name, `http://127.0.0.1:${port}`, child);
    }
    throw new Error(`instance ${name} has ended instead of listening: ${said}`);
  }

  /** Ends it as a crash does, with SIGKILL. */
  async kill(): Promise<void> {
    end(this.#child);
    await this.#child.status;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** Hands requests to the instances in turn, and skips those that are down. */
export class RoundRobin implements AsyncDisposable {
  /** The instance that answered last. */
  servedBy = "";
  readonly #instances: readonly Instance[];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #turn = 0;

  /** @param instances In the order of their turns. */
  constructor(instances: readonly Instance[]) {
    this.#instances = instances;
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
    }, (request) => this.#answer(request));
  }

  /** What clients connect to. */
  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#server.addr.port}/mcp`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { method, headers } = request;
    const body = method === "POST" ? await request.arrayBuffer() : null;
    const { pathname } = new URL(request.url);
    const count = this.#instances.length;
    const first = this.#turn++;
    for (let turn = first; turn < first + count; turn++) {
      const instance = this.#instances[turn % count]!;
      try {
        const target = `${instance.url}${pathname}`;
        const response = await fetch(target, { method, headers, body });
        this.servedBy = instance.name;
        return response;
      } catch {
        // It is down: the next one.
      }
    }
    return new Response(null, { status: 502 });
  }
}
