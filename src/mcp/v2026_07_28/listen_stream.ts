/**
 * The stream of one listener, written at the pace of its reader: nothing is
 * made before it is asked for, and of each task there is one note at most,
 * which becomes the state the task has when it is sent.
 */

import type { TaskNote } from "./task_feeds.ts";
import { SUBSCRIPTION_ID } from "./wire.ts";

/** The most bytes that are handed out at once. */
const CHUNK_BYTES = 64 * 1024;

/** The parts of a stream. */
export interface ListenStreamOptions {
  /** The id of the request and of the subscription. */
  readonly id: string | number;
  /**
   * The longest time a reader may take for what there is to send next, all of
   * it, in milliseconds.
   */
  readonly maxBehindMs: number;
  /** Called once, when it has ended, from either side. */
  readonly onEnd: () => void;
}

/** The bytes being sent: those of a task, between those of this stream. */
interface Sending {
  readonly parts: readonly Uint8Array[];
  part: number;
  offset: number;
}

const ENCODER = new TextEncoder();
const KEEP_ALIVE = ENCODER.encode(": keepalive\n\n");
const TASK_START = ENCODER.encode(
  'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tasks","params":',
);

/** One listener. */
export class ListenStream {
  /** The body of the response. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly #options: ListenStreamOptions;
  readonly #taskEnd: Uint8Array;
  readonly #ended = new AbortController();
  /** The tasks that have a later state than was sent, the longest first. */
  readonly #notes = new Set<TaskNote>();
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** A message that goes before all tasks, and who waits for it to go. */
  #message: { readonly text: string; readonly sent: () => void } | undefined;
  #sending: Sending | undefined;
  /** Whether the reader waits. */
  #isAsked = false;
  /**
   * Runs while something waits for the reader: from when it is the next until
   * all of it is handed out. A reader that takes a little now and then is late
   * too; one with much to read is not, for as long as it gets on.
   */
  #behind: ReturnType<typeof setTimeout> | undefined;
  /** The last message; once it is set, the stream ends when it is sent. */
  #last: string | undefined;

  constructor(options: ListenStreamOptions) {
    this.#options = options;
    const meta = JSON.stringify({ [SUBSCRIPTION_ID]: options.id });
    this.#taskEnd = ENCODER.encode(`,"_meta":${meta}}}\n\n`);
    // Without room of its own, the stream asks only where its reader does.
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.#isAsked = true;
        if (!this.#hasMore()) this.#stopClock();
        this.#answer();
      },
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  /** Aborts once the stream has ended, from either side. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Sends a message before any task; resolves once it has gone. */
  async send(message: object): Promise<void> {
    if (this.ended.aborted || this.#last !== undefined) return;
    await new Promise<void>((sent) => {
      if (!this.#hasMore()) this.#stopClock();
      this.#message = { text: frameOf(message), sent };
      this.#answer();
    });
  }

  /** Notes that a task has a later state. */
  readonly note = (note: TaskNote): void => {
    if (this.ended.aborted || this.#last !== undefined) return;
    // Till now it ran for a sign of life at most.
    if (!this.#hasMore()) this.#stopClock();
    this.#notes.add(note);
    this.#answer();
  };

  /** Shows that the connection lives, and finds out whether it does. */
  keepAlive(): void {
    if (this.ended.aborted) return;
    if (!this.#isAsked) return this.#startClock();
    this.#isAsked = false;
    this.#controller.enqueue(KEEP_ALIVE.slice());
  }

  /**
   * Ends the stream with a message, after what is noted: for a reader that
   * reads. One that does not in time gets the message alone, or, in the middle
   * of a task, nothing more.
   *
   * @param graceMs How long that may take, in milliseconds.
   */
  async finish(message: object, graceMs: number): Promise<void> {
    if (this.ended.aborted || this.#last !== undefined) return;
    this.#last = frameOf(message);
    if (this.#hasMore()) {
      this.#answer();
      await this.#endedWithin(graceMs);
    }
    if (this.ended.aborted) return;
    if (this.#sending !== undefined) return this.drop();
    this.#controller.enqueue(ENCODER.encode(this.#last));
    this.#close();
  }

  /** Ends the stream as it is, for a client that has left. */
  end(): void {
    if (!this.ended.aborted) this.#close();
  }

  /** Ends the stream and takes its bytes back, for a reader that stays behind. */
  drop(): void {
    if (this.ended.aborted) return;
    this.#end();
    this.#controller.error(new Error("the listener does not read"));
  }

  /** Hands out the next bytes, if the reader waits for some. */
  #answer(): void {
    if (this.ended.aborted) return;
    if (!this.#isAsked) return this.#startClock();
    const bytes = this.#next();
    if (bytes !== undefined) {
      this.#isAsked = false;
      // It may ask for more before this returns.
      this.#controller.enqueue(bytes);
      if (!this.#isAsked && this.#hasMore()) this.#startClock();
    } else if (this.#last !== undefined) {
      this.#controller.enqueue(ENCODER.encode(this.#last));
      this.#close();
    }
  }

  #next(): Uint8Array | undefined {
    if (this.#sending === undefined && this.#message !== undefined) {
      const { text, sent } = this.#message;
      this.#message = undefined;
      this.#stopClock();
      sent();
      return ENCODER.encode(text);
    }
    this.#sending ??= this.#nextTask();
    if (this.#sending === undefined) return undefined;
    const bytes = take(this.#sending);
    if (this.#sending.part === this.#sending.parts.length) {
      this.#sending = undefined;
      this.#stopClock();
    }
    return bytes;
  }

  #nextTask(): Sending | undefined {
    const [note] = this.#notes;
    if (note === undefined) return undefined;
    this.#notes.delete(note);
    const parts = [TASK_START, note.take(), this.#taskEnd];
    return { parts, part: 0, offset: 0 };
  }

  #hasMore(): boolean {
    return this.#message !== undefined || this.#sending !== undefined ||
      this.#notes.size > 0;
  }

  /** From now on, the reader is late. */
  #startClock(): void {
    if (this.ended.aborted) return;
    this.#behind ??= setTimeout(() => this.drop(), this.#options.maxBehindMs);
  }

  #stopClock(): void {
    clearTimeout(this.#behind);
    this.#behind = undefined;
  }

  async #endedWithin(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.ended.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.ended.addEventListener("abort", done);
    });
  }

  #close(): void {
    this.#end();
    try {
      this.#controller.close();
    } catch {
      // The client has cancelled it already.
    }
  }

  #end(): void {
    if (this.ended.aborted) return;
    this.#stopClock();
    this.#notes.clear();
    this.#sending = undefined;
    this.#message?.sent();
    this.#message = undefined;
    this.#ended.abort();
    this.#options.onEnd();
  }
}

/** Copies the next bytes, so that no reader has those that streams share. */
function take(sending: Sending): Uint8Array {
  const chunk = new Uint8Array(
    Math.min(CHUNK_BYTES, remaining(sending)),
  );
  let filled = 0;
  while (filled < chunk.length) {
    const part = sending.parts[sending.part]!;
    const piece = part.subarray(
      sending.offset,
      sending.offset + chunk.length - filled,
    );
    chunk.set(piece, filled);
    filled += piece.length;
    sending.offset += piece.length;
    if (sending.offset === part.length) {
      sending.part++;
      sending.offset = 0;
    }
  }
  return chunk;
}

function remaining({ parts, part, offset }: Sending): number {
  let bytes = -offset;
  for (let i = part; i < parts.length; i++) bytes += parts[i]!.length;
  return bytes;
}

/** A JSON-RPC message as an event. */
function frameOf(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}
