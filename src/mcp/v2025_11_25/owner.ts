/**
 * Who owns the tasks and messages of a call, for `SdkTaskStore` and
 * `SdkTaskMessageQueue` alike: both must name the same owner.
 */

/** How the owner of a call is found that is not bound to an identity. */
export interface SdkOwnerOptions {
  /**
   * The owner of calls without a session, as on stdio or a stateless server.
   * Default: none; a `TaskStore` refuses such calls unless it allows anonymous
   * owners.
   */
  readonly defaultOwner?: string | undefined;
  /**
   * Finds the owner by the session of the call, for a server that keeps who
   * its sessions belong to. Default: the session id itself, so that tasks
   * belong to one session and end their visibility with it.
   */
  readonly resolveOwner?:
    | ((sessionId: string | undefined) => string | Promise<string>)
    | undefined;
}

/** Finds the owner of one call; `""` for nobody. */
export type OwnerOf = (sessionId: string | undefined) => Promise<string>;

/** The owner by session, as the options say. */
export function ownerBySession(
  { defaultOwner = "", resolveOwner }: SdkOwnerOptions,
): OwnerOf {
  return async (sessionId) =>
    resolveOwner ? await resolveOwner(sessionId) : sessionId ?? defaultOwner;
}

/** The owner is this identity, whatever the session. */
export function ownerByIdentity(identity: string): OwnerOf {
  // A missing identity must never fall back to anything: it would be a way in.
  if (typeof identity !== "string" || identity === "") {
    throw new TypeError(
      `identity is ${
        identity === "" ? "empty" : typeof identity
      }: expected the authenticated identity, a non-empty string`,
    );
  }
  return () => Promise.resolve(identity);
}
