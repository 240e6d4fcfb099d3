/**
 * A TCP proxy in front of a Redis, on the loopback: it counts round trips, and
 * cuts connections at the very point a test asks for.
 *
 * @module
 */

/** Where a connection is cut, seen from one burst of requests. */
export type CutAt =
  /** Before the server has got any of it: surely not executed. */
  | "before request"
  /** When the server has got half of it: surely not executed. */
  | "mid request"
  /** When the server has answered and the client has got nothing of it. */
  | "before reply"
  /** When the client has got half of the answer. */
  | "mid reply";

export const CUTS: readonly CutAt[] = [
  "before request",
  "mid request",
  "before reply",
  "mid reply",
];

/** A cut, and what happens before the client learns of it. */
export interface Fault {
  readonly cut: CutAt;
  readonly meanwhile?: () => Promise<unknown>;
}

/** What the proxy does with new connections. */
export type ProxyMode =
  /** Passes them on. */
  | "up"
  /** Ends them at once. */
  | "down"
  /** Accepts them and stays silent. */
  | "silent";

interface Link {
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
  /** The fault of the request whose answer is awaited. */
  fault?: Fault | undefined;
  /** Whether the last bytes seen went to the client. */
  answered: boolean;
  cut: boolean;
  /** Whether nothing is passed on any more. */
  frozen: boolean;
}

/** See the module. Its address takes the place of the server's. */
export class TcpProxy implements AsyncDisposable {
  /** Decides, for each burst of requests, whether and where it is cut. */
  fault: (request: string) => Fault | undefined = () => undefined;
  mode: ProxyMode = "up";
  /** Changes what the server answers, burst by burst. */
  rewriteReply: (reply: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> = (
    reply,
  ) => reply;
  /** Requests that were followed by an answer, bursts counted once. */
  roundTrips = 0;
  /** How many connections were cut. */
  cuts = 0;

  readonly #target: { hostname: string; port: number };
  readonly #path: string;
  readonly #auth: string;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #links = new Set<Link>();
  readonly #running = new Set<Promise<void>>();

  /** @param url The Redis behind it. */
  constructor(url: string) {
    const { hostname, port, username, password, pathname } = new URL(url);
    this.#target = { hostname, port: Number(port || 6379) };
    this.#auth = password ? `${username}:${password}@` : "";
    this.#path = pathname;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#run(this.#accept());
  }

  /** What a client connects to. */
  get url(): string {
    const { port } = this.#listener.addr;
    return `redis://${this.#auth}127.0.0.1:${port}${this.#path}`;
  }

  /** Cuts the next burst that carries a script (or another), and no other. */
  cutNext(
    cut: CutAt,
    meanwhile?: () => Promise<unknown>,
    isMeant: (request: string) => boolean = isScript,
  ): void {
    this.fault = (request) => {
      if (!isMeant(request)) return undefined;
      this.fault = () => undefined;
      return meanwhile ? { cut, meanwhile } : { cut };
    };
  }

  /** Ends every connection there is. */
  cutAll(): void {
    for (const connection of this.#open) close(connection);
    this.#open.clear();
  }

  /** Makes the connections there are silent; new ones are not concerned. */
  freezeAll(): void {
    for (const link of this.#links) link.frozen = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cutAll();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #run(work: Promise<void>): void {
    const running = work.catch(() => {}).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      if (this.mode === "down") close(client);
      else if (this.mode === "silent") this.#open.add(client);
      else this.#run(this.#connect(client));
    }
  }

  async #connect(client: Deno.TcpConn): Promise<void> {
    this.#open.add(client);
    const server = await Deno.connect(this.#target);
    this.#open.add(server);
    client.setNoDelay();
    server.setNoDelay();
    const link = { client, server, answered: true, cut: false, frozen: false };
    this.#links.add(link);
    this.#run(this.#requests(link));
    this.#run(this.#replies(link));
  }

  async #requests(link: Link): Promise<void> {
    try {
      for await (const chunk of chunksOf(link.client)) {
        if (link.frozen) continue;
        if (link.answered) this.roundTrips++;
        link.answered = false;
        const fault = this.fault(new TextDecoder().decode(chunk));
        if (fault?.cut === "before request") {
          return await this.#cut(link, fault);
        }
        if (fault?.cut === "mid request") {
          await writeAll(link.server, chunk.subarray(0, chunk.length >> 1));
          return await this.#cut(link, fault);
        }
        if (fault) link.fault = fault;
        await writeAll(link.server, chunk);
      }
    } finally {
      if (!link.cut) this.#end(link);
    }
  }

  async #replies(link: Link): Promise<void> {
    try {
      for await (const bytes of chunksOf(link.server)) {
        if (link.frozen) continue;
        const chunk = this.rewriteReply(bytes);
        link.answered = true;
        if (link.fault) {
          if (link.fault.cut === "mid reply") {
            await writeAll(link.client, chunk.subarray(0, chunk.length >> 1));
          }
          return await this.#cut(link, link.fault);
        }
        await writeAll(link.client, chunk);
      }
    } finally {
      if (!link.cut) this.#end(link);
    }
  }

  async #cut(link: Link, fault: Fault): Promise<void> {
    link.cut = true;
    this.cuts++;
    close(link.server);
    await fault.meanwhile?.();
    this.#end(link);
  }

  #end(link: Link): void {
    const { client, server } = link;
    this.#links.delete(link);
    for (const connection of [client, server]) {
      close(connection);
      this.#open.delete(connection);
    }
  }
}

/** Whether a burst carries a script: every operation of ours is one. */
export function isScript(request: string): boolean {
  return /\bEVAL(SHA)?\r\n/.test(request);
}

/** Whether a request reads a record by a plain command. */
export function isRead(request: string): boolean {
  return /\bHMGET\r\n/.test(request);
}

/** Sends bytes over a connection of their own, and waits for the answer. */
export async function sendRaw(url: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  try {
    await connection.write(new TextEncoder().encode(bytes));
    const answer = await connection.read(new Uint8Array(1000));
    if (answer === null) throw new Error("the connection ended");
  } finally {
    connection.close();
  }
}

async function* chunksOf(
  connection: Deno.TcpConn,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(65_536);
  while (true) {
    const length = await connection.read(buffer).catch(() => null);
    if (length === null) return;
    yield buffer.slice(0, length);
  }
}

async function writeAll(
  connection: Deno.TcpConn,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at));
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
