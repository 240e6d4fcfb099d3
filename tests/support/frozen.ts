/**
 * A server that is there and does not answer.
 *
 * @module
 */

/** Runs a body while a server does not run; its connections stay. */
export async function whileFrozen(
  server: { readonly pid: number },
  body: () => Promise<unknown>,
): Promise<void> {
  Deno.kill(server.pid, "SIGSTOP");
  try {
    await body();
  } finally {
    Deno.kill(server.pid, "SIGCONT");
  }
}
