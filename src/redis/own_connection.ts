/** Connections of our own, made like the one of a client that is there. */

import { COMMAND_OPTIONS, type NodeClient } from "./client_like.ts";
import { SOCKET_TIMEOUT_MS } from "./watchdog.ts";

/**
 * Makes an unconnected client with the options of another one. It never
 * reconnects by itself and queues nothing while it is not connected: who uses
 * it opens another one.
 *
 * @param silentMs How long an answer may take, in milliseconds, where no
 * watchdog asks. Default: one does.
 */
export function duplicateOf(
  client: NodeClient,
  silentMs?: number,
): NodeClient {
  const copy = client.duplicate({
    commandOptions: COMMAND_OPTIONS,
    disableOfflineQueue: true,
    // Would move a pipeline to another connection half-way.
    maintNotifications: "disabled",
    clientSideCache: undefined,
    emitInvalidate: false,
    readonly: false,
    ...(silentMs === undefined ? {} : { pingInterval: 1000 }),
    socket: {
      ...client.options?.socket,
      reconnectStrategy: false,
      socketTimeout: silentMs ?? SOCKET_TIMEOUT_MS,
    },
  });
  // Without a listener the event would end the process; every failure reaches
  // its caller through a rejected command.
  copy.on("error", () => {});
  return copy;
}

/** Connects it; leaves nothing open where that fails. */
export async function connectOwn(client: NodeClient): Promise<NodeClient> {
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.destroy();
    throw error;
  }
}
