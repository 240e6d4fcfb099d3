/**
 * A server with the tools that the conformance suite calls, and those that the
 * tests of the Tasks extension need: the same one in the test's own process,
 * in processes of their own and under the suite.
 *
 * @module
 */

import {
  createMcpHandler,
  fromJsonSchema,
  inputRequired,
  McpServer,
  ProtocolError,
} from "@modelcontextprotocol/server";
import {
  type AuthInfoLike,
  type InputRequest,
  ownerOf,
  type TaskHandle,
  TasksExtension,
  type TasksExtensionOptions,
  type TaskStore,
} from "../../../mod.ts";

/** A server, as far as HTTP goes. */
export interface FixtureServer {
  /** Answers a request, for who its `Authorization: Bearer <owner>` says. */
  readonly fetch: (request: Request) => Promise<Response>;
  readonly extension: TasksExtension;
  /** The SDK's handler, for its own notifications. */
  readonly handler: ReturnType<typeof createMcpHandler>;
}

/** What a test may do when a tool runs. */
export interface FixtureHooks {
  /** Called by `slow_start` before there is a task; the task waits for it. */
  readonly beforeTask?: () => Promise<void>;
  /** The handler of `asks`. */
  readonly asks?: (task: TaskHandle) => Promise<string>;
  /** Called by `throws`, with its handle, and by `answer_throws`. */
  readonly throwing?: (task?: TaskHandle) => void | Promise<void>;
  /**
   * Called by every running handler with its task's id and signal;
   * `slow_compute` waits for it.
   */
  readonly onRun?: (
    taskId: string,
    signal: AbortSignal,
  ) => void | Promise<void>;
}

/**
 * The schemas of the tools. They are made once: the SDK's validator keeps what
 * it has compiled of each, and a server object is made for every request.
 */
const SCHEMAS = {
  greet: fromJsonSchema<{ name: string }>({
    type: "object",
    properties: { name: { type: "string" } },
    required: ["name"],
  }),
  slowCompute: fromJsonSchema<{ seconds: number; label: string }>({
    type: "object",
    properties: { seconds: { type: "number" }, label: { type: "string" } },
    required: ["seconds", "label"],
  }),
  confirmDelete: fromJsonSchema<{ filename: string }>({
    type: "object",
    properties: { filename: { type: "string" } },
    required: ["filename"],
  }),
  withSchema: fromJsonSchema<{ total: unknown }>({
    type: "object",
    required: ["total"],
  }),
  withSchemaOut: fromJsonSchema<{ total: number }>({
    type: "object",
    properties: { total: { type: "number" } },
    required: ["total"],
  }),
  returns: fromJsonSchema<{ kind: string }>({
    type: "object",
    required: ["kind"],
  }),
  busy: fromJsonSchema<{ ms: number }>({
    type: "object",
    properties: { ms: { type: "number" } },
    required: ["ms"],
  }),
};

/** Makes a server on a store. */
export function makeServer(
  store: TaskStore,
  options: Partial<TasksExtensionOptions> = {},
  hooks: FixtureHooks = {},
): FixtureServer {
  const extension = new TasksExtension(store, {
    owner: (ctx) =>
      ctx.http?.authInfo ? ownerOf(ctx.http.authInfo) : "conformance",
    ...options,
  });
  const handler = createMcpHandler(() => {
    const mcp = new McpServer({ name: "fixture", version: "1.0.0" });
    extension.attach(mcp);
    addTools(extension, mcp, hooks);
    return mcp;
  }, { keepAliveMs: 0 });
  const answer = extension.fetch(handler);
  return {
    extension,
    handler,
    fetch: (request) => {
      const authInfo = authInfoOf(request);
      return answer(request, authInfo ? { authInfo } : {});
    },
  };
}

function addTools(
  tasks: TasksExtension,
  mcp: McpServer,
  hooks: FixtureHooks,
): void {
  mcp.registerTool("greet", {
    inputSchema: SCHEMAS.greet,
  }, ({ name }) => text(`Hello, ${name}!`));

  tasks.registerTool(mcp, "slow_compute", {
    task: "optional",
    inputSchema: SCHEMAS.slowCompute,
    answer: ({ seconds, label }) =>
      seconds === 0 ? text(`computed ${label}`) : undefined,
  }, async ({ seconds, label }, { taskId, signal }) => {
    if (taskId) await hooks.onRun?.(taskId, signal);
    await sleep(seconds * 1000, signal);
    return text(`computed ${label}`);
  });

  tasks.registerTool(mcp, "failing_job", { task: "required" }, async () => {
    await sleep(50);
    throw new Error("the job has failed");
  });

  tasks.registerTool(mcp, "protocol_error_job", {
    task: "required",
  }, () => {
    throw new ProtocolError(-32050, "the protocol has failed", { why: "test" });
  });

  tasks.registerTool(mcp, "confirm_delete", {
    task: "required",
    inputSchema: SCHEMAS.confirmDelete,
  }, async ({ filename }, task) => {
    hooks.onRun?.(task.taskId!, task.signal);
    const { confirm } = await task.requestInput({
      confirm: elicit(`Delete ${filename}?`, "confirm", "boolean"),
    });
    const content = confirm.content as { confirm?: boolean } | undefined;
    return text(
      confirm.action === "accept" && content?.confirm
        ? `deleted ${filename}`
        : `kept ${filename}`,
    );
  });

  tasks.registerTool(mcp, "multi_input", {
    task: "required",
  }, async (_, task) => {
    const [{ who }, { sure }] = await Promise.all([
      task.requestInput({ who: elicit("Your name?", "name", "string") }),
      task.requestInput({ sure: elicit("Sure?", "confirm", "boolean") }),
    ]);
    return text(JSON.stringify([who.content, sure.content]));
  });

  tasks.registerTool(mcp, "same_name_twice", {
    task: "required",
  }, async (_, task) => {
    const answers: unknown[] = [];
    for (const message of ["first?", "second?"]) {
      await task.setStatus(`asking ${message}`);
      const { name } = await task.requestInput({
        name: elicit(message, "name", "string"),
      });
      answers.push((name.content as { name: string }).name);
    }
    await task.setVariables({ answers });
    return text(answers.join(" "));
  });

  tasks.registerTool(mcp, "test_tool_with_task", {
    task: "required",
    answer: (_, ctx) =>
      ctx.mcpReq.inputResponses?.user_name ? undefined : inputRequired({
        inputRequests: {
          user_name: inputRequired.elicit({
            message: "Your name?",
            requestedSchema: {
              type: "object",
              properties: { name: { type: "string" } },
            },
          }),
        },
      }),
  }, (_args, _task, ctx) => {
    const answer = ctx.mcpReq.inputResponses?.user_name as {
      content: { name: string };
    };
    return text(`Hello, ${answer.content.name}!`);
  });

  tasks.registerTool(mcp, "optional_input", {
    task: "optional",
  }, async (_, task) => {
    await task.setStatus("asking");
    await task.requestInput({ x: elicit("x?", "x", "string") });
    return text("answered");
  });

  tasks.registerTool(
    mcp,
    "with_schema",
    {
      task: "optional",
      inputSchema: SCHEMAS.withSchema,
      outputSchema: SCHEMAS.withSchemaOut,
    },
    ({ total }) => ({ ...text("see the data"), structuredContent: { total } }),
  );

  tasks.registerTool(mcp, "returns", {
    task: "required",
    inputSchema: SCHEMAS.returns,
  }, ({ kind }) => {
    if (kind === "nothing") return undefined as never;
    if (kind === "no_text") {
      return {
        toJSON() {
          throw Object.create(null);
        },
      };
    }
    if (kind === "bigint") return { content: [], n: 1n };
    if (kind === "huge") return text("x".repeat(9 * 1024 * 1024));
    if (kind === "input") return { resultType: "input_required" };
    throw new DOMException("a code of another kind", "AbortError");
  });

  tasks.registerTool(mcp, "slow_start", {
    task: "required",
    answer: async () => {
      await hooks.beforeTask?.();
      return undefined;
    },
  }, () => text("started"));

  tasks.registerTool(
    mcp,
    "asks",
    { task: "required" },
    async (_, task) => text(await hooks.asks?.(task) ?? "asked nothing"),
  );

  // Computes and waits for nothing.
  tasks.registerTool(mcp, "busy", {
    task: "required",
    inputSchema: SCHEMAS.busy,
  }, ({ ms }) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return text("busy no more");
  });

  const throwing = async (task?: TaskHandle) => {
    await hooks.throwing?.(task);
    return text("nothing was thrown");
  };
  tasks.registerTool(
    mcp,
    "throws",
    { task: "optional" },
    (_, task) => throwing(task),
  );
  tasks.registerTool(mcp, "answer_throws", {
    task: "required",
    answer: () => throwing(),
  }, () => throwing());

  tasks.registerTool(mcp, "ignores_signal", {
    task: "required",
  }, (_, { taskId, signal }) => {
    hooks.onRun?.(taskId!, signal);
    return new Promise(() => {});
  });
}

/** A result of one text. */
export function text(text: string) {
  return { content: [{ type: "text" as const, text }] };
}

/** A question. */
export function elicit(
  message: string,
  field: string,
  type: string,
): InputRequest {
  return {
    method: "elicitation/create",
    params: {
      message,
      requestedSchema: { type: "object", properties: { [field]: { type } } },
    },
  };
}

function authInfoOf(request: Request): AuthInfoLike | undefined {
  const token = request.headers.get("authorization")?.split(" ")[1];
  return token === undefined
    ? undefined
    : { token, clientId: "the client", scopes: [], extra: { sub: token } };
}

/** Work that can be stopped. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
