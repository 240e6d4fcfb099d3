/**
 * Replays the commands of an append-only file. It knows those our scripts
 * cause and refuses every other: a command it guessed at would make a truth
 * that is none.
 */

/** A hash and its expiry, in epoch milliseconds. */
export interface Hash {
  readonly fields: Map<string, string>;
  expiresAt: number | undefined;
}

/** The keys of one server as they were at some place in its file. */
export class Replay {
  readonly hashes = new Map<string, Hash>();
  readonly sets = new Map<string, Map<string, string>>();
  readonly strings = new Map<string, string>();
  readonly lists = new Map<string, string[]>();
  /** When sets end, in epoch milliseconds; without an entry: never. */
  readonly setEnds = new Map<string, number>();
  /** Called before a key that is there is removed or overwritten. */
  onRemove: (key: string) => void = () => {};
  /** Called with what was taken from a list. */
  onTake: (key: string, messages: readonly string[], whole: boolean) => void =
    () => {};
  /** Called with what was appended to a list. */
  onPush: (key: string, messages: readonly string[]) => void = () => {};

  /** Applies one command. */
  apply(command: readonly string[]): void {
    const [verb, key = "", ...rest] = command;
    switch (verb!.toUpperCase()) {
      case "HSET":
      case "HMSET": {
        const hash = this.#hash(key);
        for (let i = 0; i < rest.length; i += 2) {
          hash.fields.set(rest[i]!, rest[i + 1]!);
        }
        break;
      }
      case "HDEL": {
        const hash = this.#hash(key);
        for (const field of rest) hash.fields.delete(field);
        if (hash.fields.size === 0) this.#remove(key);
        break;
      }
      case "DEL":
      case "UNLINK":
        for (const name of [key, ...rest]) this.#remove(name);
        break;
      case "PEXPIREAT": {
        const hash = this.hashes.get(key);
        if (hash) hash.expiresAt = Number(rest[0]);
        if (this.sets.has(key)) this.setEnds.set(key, Number(rest[0]));
        break;
      }
      case "PERSIST": {
        const hash = this.hashes.get(key);
        if (hash) hash.expiresAt = undefined;
        this.setEnds.delete(key);
        break;
      }
      case "ZADD": {
        const set = this.sets.get(key) ?? new Map<string, string>();
        this.sets.set(key, set);
        const pairs = rest.filter((word) => !/^(NX|XX|GT|LT|CH)$/i.test(word));
        for (let i = 0; i < pairs.length; i += 2) {
          set.set(pairs[i + 1]!, pairs[i]!);
        }
        break;
      }
      case "ZREM":
        this.#removeMembers(key, rest);
        break;
      case "ZREMRANGEBYSCORE": {
        const inRange = range(rest[0]!, rest[1]!);
        const set = this.sets.get(key) ?? new Map<string, string>();
        const members = [...set].filter(([, score]) => inRange(Number(score)));
        this.#removeMembers(key, members.map(([member]) => member));
        break;
      }
      case "SET":
        this.strings.set(key, rest[0]!);
        break;
      case "RPUSH": {
        const list = this.lists.get(key) ?? [];
        this.lists.set(key, list);
        list.push(...rest);
        this.onPush(key, rest);
        break;
      }
      case "LPOP": {
        const list = this.lists.get(key) ?? [];
        this.onTake(key, list.splice(0, Number(rest[0] ?? 1)), false);
        if (list.length === 0) this.lists.delete(key);
        break;
      }
      case "LTRIM": {
        // Only ever from the front, to the end.
        const list = this.lists.get(key) ?? [];
        this.onTake(key, list.splice(0, Number(rest[0])), false);
        if (list.length === 0) this.lists.delete(key);
        break;
      }
      case "SCRIPT":
      case "PING":
        break;
      default:
        throw new Error(
          `the append-only file has ${
            command.slice(0, 3).join(" ")
          } …: expected one of the commands of our scripts`,
        );
    }
  }

  #hash(key: string): Hash {
    let hash = this.hashes.get(key);
    if (!hash) {
      hash = { fields: new Map(), expiresAt: undefined };
      this.hashes.set(key, hash);
    }
    return hash;
  }

  #removeMembers(key: string, members: readonly string[]): void {
    const set = this.sets.get(key);
    for (const member of members) set?.delete(member);
    if (set?.size !== 0) return;
    this.sets.delete(key);
    this.setEnds.delete(key);
  }

  #remove(key: string): void {
    const list = this.lists.get(key);
    if (list) this.onTake(key, list, true);
    if (this.hashes.has(key)) this.onRemove(key);
    this.lists.delete(key);
    this.hashes.delete(key);
    this.sets.delete(key);
    this.setEnds.delete(key);
    this.strings.delete(key);
  }
}

/** A range of scores as Redis writes it: `(5` is without the 5. */
function range(min: string, max: string): (score: number) => boolean {
  const bound = (text: string) =>
    Number(text.replace("(", "").replace(/inf/i, "Infinity"));
  const above = min.startsWith("(")
    ? (score: number) => score > bound(min)
    : (score: number) => score >= bound(min);
  const below = max.startsWith("(")
    ? (score: number) => score < bound(max)
    : (score: number) => score <= bound(max);
  return (score) => above(score) && below(score);
}
