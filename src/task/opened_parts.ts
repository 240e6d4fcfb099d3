/**
 * The sealed parts a store opened or sealed last: a record that is read again
 * as it was, as a client that polls reads it, is not decrypted again.
 */

/** The most characters that are kept, of sealed parts and of what is in them. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

interface OpenedPart {
  readonly sealed: string;
  readonly context: string;
  readonly secret: string;
}

/** Keeps the latest part of each of the records read or written last. */
export class OpenedParts {
  readonly #maxCharacters: number;
  /** The part used longest ago first. */
  readonly #parts = new Map<string, OpenedPart>();
  #characters = 0;

  constructor(maxCharacters: number = MAX_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  /**
   * Returns what is in the sealed part of a record; `undefined` if this very
   * part was not opened in this very context: then only a key can tell.
   */
  get(record: string, sealed: string, context: string): string | undefined {
    const part = this.#parts.get(record);
    if (part?.sealed !== sealed || part.context !== context) return undefined;
    this.#parts.delete(record);
    this.#parts.set(record, part);
    return part.secret;
  }

  /** Keeps the part of a record in place of the one before it. */
  set(record: string, part: OpenedPart): void {
    this.#drop(record);
    const characters = lengthOf(part);
    // One large record does not drive out all the others.
    if (characters > this.#maxCharacters / 4) return;
    this.#parts.set(record, part);
    this.#characters += characters;
    for (const oldest of this.#parts.keys()) {
      if (this.#characters <= this.#maxCharacters) return;
      this.#drop(oldest);
    }
  }

  /** Forgets the part of a record. */
  #drop(record: string): void {
    const part = this.#parts.get(record);
    if (part === undefined) return;
    this.#parts.delete(record);
    this.#characters -= lengthOf(part);
  }
}

function lengthOf({ sealed, context, secret }: OpenedPart): number {
  return sealed.length + context.length + secret.length;
}
