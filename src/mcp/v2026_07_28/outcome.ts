/** The meaning of a handler's end for its task. */

import type { TaskUpdate } from "../../task/options.ts";
import { messageOf, protocolErrorOf } from "../client_errors.ts";
import type { SchemaLike } from "./sdk.ts";
import { asObject } from "./wire.ts";

/** A tool's result: MCP's `CallToolResult`. */
export interface TaskToolResult {
  /** The content blocks. Default: none. */
  readonly content?: readonly object[];
  /** The result as data, as `outputSchema` describes it. */
  readonly structuredContent?: unknown;
  /** Whether the tool itself failed. */
  readonly isError?: boolean;
  /** Metadata. */
  readonly _meta?: Readonly<Record<string, unknown>>;
  /** Whatever else the protocol allows. */
  readonly [field: string]: unknown;
}

/** The end of a task whose handler has returned. */
export async function outcomeOf(
  tool: string,
  returned: unknown,
  outputSchema: SchemaLike | undefined,
): Promise<TaskUpdate> {
  const result = asObject(returned);
  if (result === undefined) {
    return completed(toolError(`tool ${tool} has returned no result`));
  }
  const { resultType, ...rest } = result;
  if (resultType !== undefined && resultType !== "complete") {
    return completed(toolError(
      `tool ${tool} has returned a result of type ${
        JSON.stringify(resultType)
      }: within a task, ask with requestInput()`,
    ));
  }
  const problem = await findProblem(tool, rest, outputSchema);
  return completed(problem === undefined ? rest : toolError(problem));
}

/** The end of a task whose handler has thrown. */
export function outcomeOfThrown(thrown: unknown): TaskUpdate {
  const error = protocolErrorOf(thrown);
  return error === undefined
    ? completed(toolError(messageOf(thrown)))
    : { status: "failed", statusMessage: error.message, error };
}

function completed(result: TaskToolResult): TaskUpdate {
  return { status: "completed", statusMessage: null, result };
}

/** The result that tells the model what went wrong. */
function toolError(message: string): TaskToolResult {
  return { content: [{ type: "text", text: message }], isError: true };
}

/** Why a result does not fit its schema, checked as the SDK checks others. */
async function findProblem(
  tool: string,
  { isError, structuredContent }: TaskToolResult,
  schema: SchemaLike | undefined,
): Promise<string | undefined> {
  if (schema?.["~standard"] === undefined || isError) return undefined;
  if (structuredContent === undefined) {
    return `tool ${tool} has an output schema, but no structured content was returned`;
  }
  const checked = await schema["~standard"].validate(structuredContent);
  const { issues } = checked as { issues?: readonly { message: string }[] };
  return issues === undefined
    ? undefined
    : `invalid structured content of tool ${tool}: ${
      issues.map(({ message }) => message).join("; ")
    }`;
}
