/**
 * What the tests against the MCP SDK v1 stand on: README's server as a process
 * of its own, and the SDK's real client.
 *
 * @module
 */

import { Client } from "@modelcontextprotocol/sdk/client";
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import config from "../../../deno.json" with { type: "json" };
import { processesEnabled } from "../../support/gate.ts";
import { type ProgramProcess, startProcess } from "../../support/process.ts";

export { processesEnabled };

/**
 * Returns a server of README for an era of the protocol: the first one whose
 * code contains a word.
 */
export async function readmeServer(
  era = "2025-11-25",
  word = "",
): Promise<string> {
  const readme = await Deno.readTextFile(
    new URL("../../../README.md", import.meta.url),
  );
  const section = readme.split(/^## /m)
    .find((text) => text.startsWith(`MCP ${era}`));
  const code = section?.matchAll(/^```ts\b.*\n([^]*?)^```$/gm)
    .map(([, text]) => text!).find((text) => text.includes(word));
  if (code === undefined) throw new Error("README has no server to run");
  return code;
}

/** A program of README, in a folder of its own. */
export class Program implements AsyncDisposable {
  readonly #dir: string;
  readonly #file: string;

  private constructor(dir: string, file: string) {
    this.#dir = dir;
    this.#file = file;
  }

  /** Writes the program to a file. */
  static async write(code: string): Promise<Program> {
    const dir = await Deno.makeTempDir({ prefix: "mcp-tasks-redis-" });
    const file = `${dir}/server.ts`;
    await Deno.writeTextFile(file, code);
    return new Program(dir, file);
  }

  /** Type-checks it as its user would; what is wrong, or `""`. */
  async check(): Promise<string> {
    const { success, stderr } = await this.#deno("check").output();
    return success ? "" : new TextDecoder().decode(stderr);
  }

  /** Starts it on a free port and waits until it says which. */
  async start(redisUrl: string): Promise<ServerProcess> {
    const env = { REDIS_URL: redisUrl, PORT: "0" };
    const server = startProcess(this.#deno("run", ["-A", "--no-check"], env));
    try {
      const [, port] = /port: (\d+)/.exec(await server.says(/port: \d+/))!;
      return { ...server, url: new URL(`http://127.0.0.1:${port}/mcp`) };
    } catch (error) {
      await server.kill();
      throw error;
    }
  }

  /** Starts it with its stdin piped, as the client of a stdio server does. */
  startOnStdio(redisUrl: string): ProgramProcess {
    const env = { REDIS_URL: redisUrl, USER: "ada" };
    const flags = ["-A", "--no-check"];
    return startProcess(this.#deno("run", flags, env, "piped"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#dir, { recursive: true });
  }

  #deno(
    command: string,
    flags: string[] = [],
    env: Record<string, string> = {},
    stdin: "null" | "piped" = "null",
  ): Deno.Command {
    return new Deno.Command(Deno.execPath(), {
      args: [
        ...[command, ...flags, "--quiet", "--no-config", "--no-lock"],
        ...["--import-map", importMap(), this.#file],
      ],
      env: { NO_COLOR: "1", ...env },
      stdin,
      stdout: "piped",
      stderr: "piped",
    });
  }
}

/** A server that runs. */
export interface ServerProcess extends AsyncDisposable {
  /** Where its clients reach it. */
  readonly url: URL;
  /** Ends it as a crash does; returns what it wrote to stderr. */
  kill(): Promise<string>;
}

/** The packages of `deno.json`, and ours under the name its users import. */
function importMap(): string {
  const ours = new URL("../../../mod.ts", import.meta.url).href;
  const imports = Object.fromEntries(
    Object.entries(config.imports)
      .filter(([, target]) => target.startsWith("npm:")),
  );
  const json = JSON.stringify({
    imports: { ...imports, "@mcp-tasks/redis": ours },
  });
  return `data:application/json,${encodeURIComponent(json)}`;
}

/** The SDK's client, with the few calls these tests make. */
export class TestClient implements AsyncDisposable {
  readonly #client = new Client({ name: "test", version: "1.0.0" });

  /** Connects as the bearer of a token. */
  static async connect(url: URL, token: string): Promise<TestClient> {
    const test = new TestClient();
    await test.#client.connect(
      new StreamableHTTPClientTransport(url, {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    );
    return test;
  }

  /** Starts counting; the id of the task. */
  async count(to: number, ttl = 60_000): Promise<string> {
    const { task } = await this.#client.request(
      { method: "tools/call", params: { name: "count", arguments: { to } } },
      CreateTaskResultSchema,
      { task: { ttl } },
    );
    return task.taskId;
  }

  get(taskId: string) {
    return this.#client.experimental.tasks.getTask(taskId);
  }

  cancel(taskId: string) {
    return this.#client.experimental.tasks.cancelTask(taskId);
  }

  /** What `tasks/result` answers, without its `_meta`. */
  async result(taskId: string) {
    const { _meta, ...result } = await this.#client.experimental.tasks
      .getTaskResult(taskId, CallToolResultSchema);
    return result;
  }

  /** The ids on all pages of `tasks/list`. */
  async list(): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page: { tasks: { taskId: string }[]; nextCursor?: string } =
        await this.#client.experimental.tasks.listTasks(cursor);
      ids.push(...page.tasks.map(({ taskId }) => taskId));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return ids;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}
