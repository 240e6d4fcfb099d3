/**
 * The SDKs a server may have: the first with tasks, the last that queues
 * without a session, and the one the other tests use. All in the types of the
 * latter.
 *
 * @module
 */

import type { Client } from "@modelcontextprotocol/sdk/client";
import type { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp";
import type * as Types from "@modelcontextprotocol/sdk/types";

/** What a test needs of one version of the SDK. */
export interface Sdk {
  readonly Client: typeof Client;
  readonly InMemoryTransport: typeof InMemoryTransport;
  readonly McpServer: typeof McpServer;
  readonly types: typeof Types;
}

type Modules = readonly Promise<unknown>[];

/** Loads a version of the SDK. */
export const SDKS: Readonly<Record<string, () => Promise<Sdk>>> = {
  "1.24.0": () =>
    load([
      import("npm:@modelcontextprotocol/sdk@1.24.0/client/index.js"),
      import("npm:@modelcontextprotocol/sdk@1.24.0/inMemory.js"),
      import("npm:@modelcontextprotocol/sdk@1.24.0/server/mcp.js"),
      import("npm:@modelcontextprotocol/sdk@1.24.0/types.js"),
    ]),
  "1.30.0": () =>
    load([
      import("npm:@modelcontextprotocol/sdk@1.30.0/client/index.js"),
      import("npm:@modelcontextprotocol/sdk@1.30.0/inMemory.js"),
      import("npm:@modelcontextprotocol/sdk@1.30.0/server/mcp.js"),
      import("npm:@modelcontextprotocol/sdk@1.30.0/types.js"),
    ]),
  "1.32.2": () =>
    load([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/inMemory.js"),
      import("@modelcontextprotocol/sdk/server/mcp.js"),
      import("@modelcontextprotocol/sdk/types.js"),
    ]),
};

async function load(modules: Modules): Promise<Sdk> {
  const [client, inMemory, server, types] = await Promise.all(modules);
  return Object.assign({ types }, client, inMemory, server) as Sdk;
}
