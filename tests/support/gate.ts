/**
 * Which tests may run here. The permission system is asked first, and in its
 * sync form, which never prompts: plain `deno test` ignores what needs Redis.
 *
 * @module
 */

/** Whether the tests that need Redis run: `REDIS_TESTS` is set and readable. */
export const redisEnabled: boolean = (readEnv("REDIS_TESTS") ?? "") !== "";

/** The Redis under test. */
export const redisUrl: string = redisEnabled
  ? readEnv("REDIS_URL") || "redis://127.0.0.1:6379"
  : "";

/**
 * Whether the tests that start a `redis-server` of their own run too: they
 * need to run it, and a folder to read and write.
 */
export const ownServerEnabled: boolean = redisEnabled &&
  (granted({ name: "run", command: "redis-server" })) &&
  granted({ name: "read" }) && granted({ name: "write" });

/** Whether the tests that start Deno processes of their own run too. */
export const processesEnabled: boolean = ownServerEnabled &&
  granted({ name: "run" });

/** Whether code that reads the whole environment runs too. */
export const wholeEnvEnabled: boolean = granted({ name: "env" });

/** Whether code that reads the files of this repository runs too. */
export const readEnabled: boolean = granted({ name: "read" });

function readEnv(variable: string): string | undefined {
  return granted({ name: "env", variable })
    ? Deno.env.get(variable)
    : undefined;
}

function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
