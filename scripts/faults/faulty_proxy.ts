/**
 * A TCP proxy that does to a connection what networks do: it cuts, delays,
 * holds back, truncates, and goes silent. It never reorders what one
 * connection carries: no network does.
 */

/** What may happen to a burst of requests, or to its answer. */
export const NETWORK_FAULTS = [
  /** Cut before the server has got any of the burst. */
  "cut request",
  /** Cut when the server has got half of it. */
  "cut mid request",
  /** Cut when the server has answered and the client has got nothing. */
  "cut answer",
  /** Cut when the client has got half of the answer. */
  "truncate answer",
  /** Neither the burst nor anything after it arrives, until a cut. */
  "swallow request",
  /** Neither the answer nor anything after it arrives, until a cut. */
  "swallow answer",
  /** The client is cut off at once; the server gets the burst later. */
  "hold request",
  /** The burst arrives late. */
  "delay request",
  /** The answer arrives late. */
  "delay answer",
] as const;

/** See {@linkcode NETWORK_FAULTS}. */
export type NetworkFault = typeof NETWORK_FAULTS[number];

/** A fault, and how long what it holds, delays or silences takes. */
export interface PlannedFault {
  readonly kind: NetworkFault;
  readonly forMs: number;
}

/** Two ends of one connection. */
interface Link {
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
  /** What becomes of the next answer. */
  onAnswer: PlannedFault | undefined;
  /** Whether requests, or answers, are read and dropped. */
  requestsDead: boolean;
  answersDead: boolean;
}

/** See the module. */
export class FaultyProxy implements AsyncDisposable {
  /** Decides what becomes of the next burst of requests. */
  plan: () => PlannedFault | undefined = () => undefined;
  readonly #target: Deno.ConnectOptions;
  readonly #listener: Deno.TcpListener;
  readonly #links = new Set<Link>();
  readonly #running = new Set<Promise<void>>();
  /** What is to be done later, by its timer. */
  readonly #later = new Map<ReturnType<typeof setTimeout>, () => void>();

  /** @param target The port of the server on the loopback. */
  constructor(target: number) {
    this.#target = { hostname: "127.0.0.1", port: target };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#run(this.#accept());
  }

  /** The port clients connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const link of this.#links) this.#cut(link);
    for (const [timer, what] of this.#later) {
      clearTimeout(timer);
      what();
    }
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #run(work: Promise<void>): void {
    const running = work.catch(() => {}).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  #after(ms: number, what: () => void): void {
    const timer = setTimeout(() => {
      this.#later.delete(timer);
      what();
    }, ms);
    this.#later.set(timer, what);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) this.#run(this.#open(client));
  }

  async #open(client: Deno.TcpConn): Promise<void> {
    let server: Deno.TcpConn;
    try {
      server = await Deno.connect(this.#target) as Deno.TcpConn;
    } catch {
      return close(client);
    }
    client.setNoDelay();
    server.setNoDelay();
    const link: Link = {
      client,
      server,
      onAnswer: undefined,
      requestsDead: false,
      answersDead: false,
    };
    this.#links.add(link);
    await Promise.all([this.#requests(link), this.#answers(link)]);
    this.#links.delete(link);
  }

  async #requests(link: Link): Promise<void> {
    const { client, server } = link;
    const buffer = new Uint8Array(65_536);
    try {
      for (let n; (n = await client.read(buffer)) !== null;) {
        if (link.requestsDead) continue;
        const burst = buffer.subarray(0, n);
        const fault = this.plan();
        switch (fault?.kind) {
          case undefined:
            break;
          case "cut request":
            return;
          case "cut mid request":
            return await write(server, burst.subarray(0, n >> 1));
          case "swallow request":
            link.requestsDead = true;
            this.#after(fault.forMs, () => this.#cut(link));
            continue;
          case "hold request": {
            const held = burst.slice();
            link.answersDead = true;
            link.requestsDead = true;
            close(client);
            await this.#pause(fault.forMs);
            await write(server, held);
            // The server reads and answers before the end is seen.
            server.closeWrite().catch(() => {});
            return await this.#pause(200);
          }
          case "delay request":
            await this.#pause(fault.forMs);
            break;
          default:
            link.onAnswer = fault;
        }
        await write(server, burst);
      }
    } catch {
      // Closed by the other direction.
    } finally {
      this.#cut(link);
    }
  }

  async #answers(link: Link): Promise<void> {
    const { client, server } = link;
    const buffer = new Uint8Array(65_536);
    try {
      for (let n; (n = await server.read(buffer)) !== null;) {
        if (link.answersDead) continue;
        const answer = buffer.subarray(0, n);
        const fault = link.onAnswer;
        link.onAnswer = undefined;
        switch (fault?.kind) {
          case "cut answer":
            return this.#cut(link);
          case "truncate answer":
            await write(client, answer.subarray(0, n >> 1));
            return this.#cut(link);
          case "swallow answer":
            link.answersDead = true;
            this.#after(fault.forMs, () => this.#cut(link));
            continue;
          case "delay answer":
            await this.#pause(fault.forMs);
        }
        await write(client, answer);
      }
    } catch {
      // Closed by the other direction.
    } finally {
      // What is held for a client that is gone still goes to the server.
      if (!link.answersDead) this.#cut(link);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve));
  }

  #cut({ client, server }: Link): void {
    close(client);
    close(server);
  }
}

async function write(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
