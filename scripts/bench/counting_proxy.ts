/** A TCP proxy that counts round trips, on Deno and Node. */

import { connect, createServer, type Server } from "node:net";

/** How long requests must have paused before answers are passed on. */
const PAUSE_MS = 1;

/**
 * Passes everything on, and counts bursts of requests. Answers are held back
 * until the client has paused: a long pipeline is one round trip, though its
 * first answers come before its last requests have been sent.
 */
export class CountingProxy {
  /** Bursts of requests, each followed by an answer. */
  roundTrips = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port in front of the Redis at `url`. */
  static async open(url: string): Promise<CountingProxy> {
    const { hostname, port } = new URL(url);
    const server = createServer({ noDelay: true });
    const proxy = new CountingProxy(server);
    server.on("connection", (client) => {
      let answered = true;
      let held: Uint8Array[] = [];
      let timer: ReturnType<typeof setTimeout> | undefined;
      const passOn = () => {
        timer = undefined;
        if (held.length === 0) return;
        for (const bytes of held) client.write(bytes);
        held = [];
        answered = true;
      };
      const passOnLater = () => {
        clearTimeout(timer);
        // Twice: after a block of this process the first timer is overdue, and
        // runs before the requests that have come meanwhile are read.
        timer = setTimeout(() => {
          timer = setTimeout(passOn, PAUSE_MS);
        }, PAUSE_MS);
      };
      const redis = connect({ host: hostname, port: Number(port) });
      redis.setNoDelay(true);
      client.on("data", (bytes) => {
        if (answered) proxy.roundTrips++;
        answered = false;
        redis.write(bytes);
        if (timer !== undefined) passOnLater();
      });
      redis.on("data", (bytes) => {
        held.push(bytes);
        if (timer === undefined) passOnLater();
      });
      for (const [one, other] of [[client, redis], [redis, client]] as const) {
        one.on("error", () => other.destroy());
        one.on("close", () => other.destroy());
      }
    });
    await new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", resolve)
    );
    return proxy;
  }

  /** What a client connects to. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new Error("the proxy does not listen");
    }
    return `redis://127.0.0.1:${address.port}`;
  }

  /** Accepts no more connections; those that are open end with their peers. */
  close(): void {
    this.#server.close();
  }
}
