/** The names of keys in Redis, read back as keys of the contract. */

/** From names in Redis to keys of the contract: `undefined` where of another kind. */
export type Names =
  & ((kind: Kind | "idx" | "exp" | "act", name: string) => string | undefined)
  & {
    record(key: string): string;
    index(kind: "idx" | "exp" | "act", owner: string): string;
    split(key: string): [owner: string, task: string];
  };

/** What a Redis key of one record holds. */
export type Kind = "tasks" | "gone" | "queue";

/** The names under a prefix. */
export function namesOf(prefix: string): Names {
  const split = (key: string): [string, string] => {
    const colon = key.indexOf(":");
    return [key.slice(0, colon), key.slice(colon + 1)];
  };
  const names = (kind: string, name: string): string | undefined => {
    const start = `${prefix}:${kind}:{`;
    if (!name.startsWith(start)) return undefined;
    const end = name.indexOf("}", start.length);
    const owner = name.slice(start.length, end);
    return end + 1 === name.length ? owner : `${owner}${name.slice(end + 1)}`;
  };
  return Object.assign(names, {
    split,
    record: (key: string) => {
      const [owner, task] = split(key);
      return `${prefix}:tasks:{${owner}}:${task}`;
    },
    index: (kind: string, owner: string) => `${prefix}:${kind}:{${owner}}`,
  });
}
