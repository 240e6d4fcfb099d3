/** A TCP proxy that counts round trips, on Deno and Node. */

import { connect, createServer, type Server } from "node:net";

/** Passes everything on, and counts bursts of requests. */
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
      const redis = connect({ host: hostname, port: Number(port) });
      redis.setNoDelay(true);
      client.on("data", (bytes) => {
        if (answered) proxy.roundTrips++;
        answered = false;
        redis.write(bytes);
      });
      redis.on("data", (bytes) => {
        answered = true;
        client.write(bytes);
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
