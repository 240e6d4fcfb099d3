/**
 * A private `redis-server` for the length of a test: on a free port of the
 * loopback, in a temporary folder, without persistence, and gone afterwards.
 * `scripts/test.ts` and the tests that break a server call it.
 *
 * @module
 */

/** Options of {@linkcode startRedisServer}. */
export interface RedisServerOptions {
  /**
   * Arguments after our own, and so stronger than they are: `["--requirepass",
   * "secret"]`, `["--replicaof", "127.0.0.1", "7001"]`, `["--cluster-enabled",
   * "yes"]`. Default: none.
   */
  readonly args?: readonly string[];
  /**
   * Starts a Sentinel with these configuration lines (`sentinel monitor …`)
   * instead of a server. Default: a server.
   */
  readonly sentinel?: readonly string[];
  /**
   * The server program, by name or path. Default: the one the environment
   * variable `REDIS_SERVER` names, or else `redis-server`.
   */
  readonly program?: string;
  /** The port, to start again where a server was. Default: a free one. */
  readonly port?: number;
  /** How long the server may take until it answers. Default: 10,000. */
  readonly readyTimeoutMs?: number;
}

/** A running server. Its disposal is {@linkcode RedisServer.stop}. */
export interface RedisServer extends AsyncDisposable {
  /** `redis://127.0.0.1:<port>`, without credentials. */
  readonly url: string;
  /** The address, always the loopback. */
  readonly hostname: "127.0.0.1";
  /** The port. */
  readonly port: number;
  /** What the program calls itself: `v=7.0.15`. */
  readonly version: string;
  /** The process id, to pause it (`Deno.kill(pid, "SIGSTOP")`). */
  readonly pid: number;
  /**
   * Ends the server and removes its folder: SIGTERM, and SIGKILL if that takes
   * longer than two seconds. A second call does nothing.
   */
  stop(): Promise<void>;
  /** Ends the server as a crash does, with SIGKILL, and removes its folder. */
  kill(): Promise<void>;
}

/** Names another program than `redis-server`, such as `valkey-server`. */
export const PROGRAM_ENV = "REDIS_SERVER";

/** The oldest server with sharded channels. */
const OLDEST_MAJOR = 7;

const STOP_TIMEOUT_MS = 2_000;

/**
 * Starts a server and waits until it answers.
 *
 * It needs permission to run programs, to read and write temporary files, to
 * read the environment and to connect. A server that was not stopped is killed
 * when the module that started it unloads.
 *
 * @throws {Error} If there is no server program, it is too old, or it ends or
 * stays silent instead of answering; with what it printed.
 *
 * @example
 * ```ts ignore
 * await using server = await startRedisServer({ args: ["--maxmemory", "1mb"] });
 * await using backend = await RedisBackend.connect(server.url);
 * ```
 */
export async function startRedisServer(
  options: RedisServerOptions = {},
): Promise<RedisServer> {
  const program = await findProgram(options.program);
  // Another process may take a free port before the server does.
  for (let attempt = 1;; attempt++) {
    const port = options.port ?? freePort();
    try {
      return await launch(program, port, options);
    } catch (error) {
      const taken = error instanceof Error &&
        error.message.includes("Address already in use");
      if (!taken || options.port !== undefined || attempt === 5) throw error;
    }
  }
}

async function launch(
  { path: program, version }: Program,
  port: number,
  { args = [], sentinel, readyTimeoutMs = 10_000 }: RedisServerOptions,
): Promise<RedisServer> {
  const dir = await Deno.makeTempDir({ prefix: "mcp-tasks-redis-" });
  // Who answers here is this server; on a port it may be another's.
  const socket = `${dir}/socket`;
  const child = new Deno.Command(program, {
    args: [
      ...(sentinel ? [await writeSentinelConfig(dir, sentinel)] : []),
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", dir],
      ...["--unixsocket", socket],
      ...(sentinel ? ["--sentinel"] : ["--save", "", "--appendonly", "no"]),
      ...args,
    ],
    cwd: dir,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output();
  let running = true;
  ended.then(() => running = false);

  const signal = (name: Deno.Signal) => {
    if (running) child.kill(name);
  };
  const onUnload = () => {
    signal("SIGKILL");
    Deno.removeSync(dir, { recursive: true });
  };
  globalThis.addEventListener("unload", onUnload);

  const end = async (first: Deno.Signal) => {
    signal(first);
    const timer = setTimeout(() => signal("SIGKILL"), STOP_TIMEOUT_MS);
    const { stdout, stderr } = await ended;
    clearTimeout(timer);
    globalThis.removeEventListener("unload", onUnload);
    await Deno.remove(dir, { recursive: true }).catch(ignoreNotFound);
    const decoder = new TextDecoder();
    return `${decoder.decode(stderr)}${decoder.decode(stdout)}`.trim();
  };

  const endMs = Date.now() + readyTimeoutMs;
  while (running && !await answers(socket)) {
    if (Date.now() > endMs) {
      const printed = await end("SIGTERM");
      throw new Error(
        `${program} did not answer on port ${port} within ${readyTimeoutMs} ms:\n${printed}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!running) {
    throw new Error(
      `${program} ended instead of listening on port ${port}:\n${await end(
        "SIGTERM",
      )}`,
    );
  }

  const stop = async () => {
    await end("SIGTERM");
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    hostname: "127.0.0.1",
    port,
    version,
    pid: child.pid,
    stop,
    kill: async () => {
      await end("SIGKILL");
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** A Sentinel keeps its state in its configuration file, and demands one. */
async function writeSentinelConfig(
  dir: string,
  lines: readonly string[],
): Promise<string> {
  const path = `${dir}/sentinel.conf`;
  await Deno.writeTextFile(path, lines.join("\n") + "\n");
  return path;
}

/** Whether a server that can serve is there; one that wants a password can. */
async function answers(path: string): Promise<boolean> {
  try {
    using connection = await Deno.connect({ transport: "unix", path });
    await connection.write(new TextEncoder().encode("PING\r\n"));
    const reply = new Uint8Array(64);
    const length = await connection.read(reply) ?? 0;
    const text = new TextDecoder().decode(reply.subarray(0, length));
    return text.startsWith("+PONG") || text.startsWith("-NOAUTH");
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.ConnectionRefused ||
      error instanceof Deno.errors.ConnectionReset ||
      error instanceof Deno.errors.BrokenPipe
    ) return false;
    throw error;
  }
}

/** A free port that leaves room for the cluster bus, 10,000 above it. */
function freePort(): number {
  while (true) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    if (port <= 55_535) return port;
  }
}

/** A server program that was found. */
interface Program {
  readonly path: string;
  readonly version: string;
}

/** Finds the server program; where it is missing and can be had, installs it. */
async function findProgram(wanted?: string): Promise<Program> {
  const named = wanted ?? Deno.env.get(PROGRAM_ENV);
  const path = named || "redis-server";
  let version = await versionOf(path);
  if (version === undefined && !named && await installFromDebian()) {
    version = await versionOf(path);
  }
  if (version === undefined) {
    throw new Error(
      `${path} is not installed: install Redis >= 7.0 (Debian: apt-get install redis-server), set ${PROGRAM_ENV} to a server's path, or set REDIS_URL to a running Redis`,
    );
  }
  const major = Number(/v=(\d+)/.exec(version)?.[1]);
  if (!(major >= OLDEST_MAJOR)) {
    throw new Error(
      `${path} is too old (${version}): Redis >= 7.0 or Valkey >= 7.2 is needed`,
    );
  }
  return { path, version: /v=\S+/.exec(version)![0] };
}

async function versionOf(program: string): Promise<string | undefined> {
  return (await run(program, ["--version"]))?.trim();
}

async function installFromDebian(): Promise<boolean> {
  const isRoot = (await run("id", ["-u"]))?.trim() === "0";
  if (!isRoot || await run("apt-get", ["--version"]) === undefined) {
    return false;
  }
  console.error("redis-server is missing: installing Debian's package");
  await run("apt-get", ["update", "-q"], { stderr: "inherit" });
  const install = ["install", "-y", "-q", "--no-install-recommends"];
  return await run("apt-get", [...install, "redis-server"], {
    stderr: "inherit",
    env: {
      DEBIAN_FRONTEND: "noninteractive",
      // As in single-user mode: the package must not start a service.
      RUNLEVEL: "1",
    },
  }) !== undefined;
}

/** What the program prints, or `undefined` if it is missing or fails. */
async function run(
  program: string,
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<string | undefined> {
  try {
    const command = new Deno.Command(program, {
      ...options,
      args,
      stdin: "null",
    });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    return ignoreNotFound(error);
  }
}

function ignoreNotFound(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
