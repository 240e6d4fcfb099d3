/** Server-sent events, as MCP sends them: read, and written with patience. */

/** Frames of events, for a client that may read slowly or leave. */
export class SseStream {
  /** The body of the response. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly #encoder = new TextEncoder();
  readonly #left = new AbortController();
  readonly #tasks = new Set<AbortController>();
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #waiting: (() => void)[] = [];

  constructor() {
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#wake(),
      cancel: () => this.end(),
    }, { highWaterMark: 8 });
  }

  /** Aborts once the stream has ended, from either side. */
  get ended(): AbortSignal {
    return this.#left.signal;
  }

  /**
   * Calls a task with a signal of its own that aborts with the stream: of one
   * signal, Node suspects more than ten listeners to be a leak.
   */
  async during<T>(task: (ended: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    if (this.ended.aborted) controller.abort();
    this.#tasks.add(controller);
    try {
      return await task(controller.signal);
    } finally {
      this.#tasks.delete(controller);
    }
  }

  /** Sends a JSON-RPC message; resolves when there is room for another. */
  async send(message: object): Promise<void> {
    if (this.ended.aborted) return;
    this.#enqueue(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    while (!this.ended.aborted && (this.#controller.desiredSize ?? 0) <= 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Shows that the connection lives, unless the client has yet to read. */
  keepAlive(): void {
    if (this.ended.aborted || (this.#controller.desiredSize ?? 0) <= 0) return;
    this.#enqueue(": keepalive\n\n");
  }

  /** Ends the stream; a second call does nothing. */
  end(): void {
    if (this.ended.aborted) return;
    this.#left.abort();
    for (const task of this.#tasks) task.abort();
    this.#wake();
    try {
      this.#controller.close();
    } catch {
      // The client has cancelled it already.
    }
  }

  #enqueue(frame: string): void {
    this.#controller.enqueue(this.#encoder.encode(frame));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Yields the JSON-RPC messages of a stream of events. */
export async function* readMessages(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown>, void, void> {
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const frames = text.split(/\r?\n\r?\n/);
      text = frames.pop()!;
      for (const frame of frames) {
        const data = frame.split(/\r?\n/)
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice("data:".length).trimStart());
        if (data.length > 0) yield JSON.parse(data.join("\n"));
      }
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}
