/**
 * The owner of the tasks and messages of a call, for `SdkTaskStore` and
 * `SdkTaskMessageQueue` alike: both must name the same one.
 *
 * The SDK tells of a call its session at most. Three rules follow:
 * - What is read is read for the owner the call names: the identity bound with
 *   `forOwner`, else its session or what `resolveOwner` says of it, else
 *   `defaultOwner`.
 * - What is written without a session goes to the owner of the task, where
 *   this process has made or read it for a session. SDK 1.24 to 1.31 queue a
 *   task's questions so, and servers store results so. The SDK reads a task
 *   for its client before it changes the task at that client's request.
 * - A call that names no owner at all has the tasks of its process, by their
 *   ids, which cannot be guessed. That is enough on stdio, where the process
 *   is its client's. A stateless HTTP server looks the same from here, so such
 *   a call lists nothing: no client learns the id of another's task.
 */

import { ANONYMOUS } from "../../task/anonymous.ts";
import { AnonymousOwnerError } from "../../task/errors.ts";
import { requireCallback, requireName } from "../options.ts";
import { requireIdentity, requireOwner, throwOwnerError } from "../owner.ts";
import type { TaskRecord } from "../../task/record.ts";
import type { TaskOwners } from "./task_owners.ts";

/** The ways to find the owner of a call that is not bound to an identity. */
export interface SdkOwnerOptions {
  /**
   * The owner of calls without a session, as on stdio. Default: this process,
   * until it ends, and its tasks are found by their ids and not listed. Not
   * for an HTTP server without sessions, whose clients would share all tasks:
   * bind each request with `forOwner` there.
   */
  readonly defaultOwner?: string | undefined;
  /**
   * Finds the owner by the session of the call, for a server that keeps who
   * its sessions belong to. Default: the session id itself, so that tasks
   * belong to one session and end their visibility with it. An error without
   * a JSON-RPC code is not shown to clients.
   */
  readonly resolveOwner?:
    | ((sessionId: string | undefined) => string | Promise<string>)
    | undefined;
}

/**
 * An owner; a promise of one where the host's own code has to look. Only then:
 * a message that is pushed is there for a `dequeue` that is called after it,
 * even if the push was not waited for, and the SDK does not.
 */
type Found = string | Promise<string>;

/** Finds the owners of calls. */
export class CallOwner {
  readonly #options: SdkOwnerOptions;
  readonly #known: TaskOwners;
  readonly #unnamed: () => string;
  readonly #identity: string | undefined;

  /** @param unnamed Returns the owner of the tasks of calls that name none. */
  constructor(
    options: SdkOwnerOptions,
    known: TaskOwners,
    unnamed: () => string,
    identity?: string,
  ) {
    const { defaultOwner, resolveOwner } = options;
    if (defaultOwner !== undefined && defaultOwner !== "") {
      requireName("defaultOwner", defaultOwner, "the owner of such calls");
    }
    requireCallback("resolveOwner", resolveOwner);
    // As they were when they were checked.
    this.#options = { defaultOwner, resolveOwner };
    this.#known = known;
    this.#unnamed = unnamed;
    this.#identity = identity;
  }

  /**
   * Returns the same for one identity, whatever the session.
   *
   * @throws {TypeError} If it is empty, not a text, or `"local"`.
   */
  bind(identity: string): CallOwner {
    requireIdentity(identity);
    return new CallOwner(this.#options, this.#known, this.#unnamed, identity);
  }

  /**
   * Remembers a task that was made or read for this owner. What is bound to an
   * identity is bound wherever the server uses it: no call is to reach such a
   * task without the identity.
   */
  remember(record: TaskRecord): void {
    if (this.#identity === undefined) this.#known.remember(record);
  }

  /** Returns the owner a call names; `""` if it names none. */
  named(sessionId: string | undefined): Found {
    if (sessionId) this.#known.sawSession = true;
    if (this.#identity !== undefined) return this.#identity;
    const { defaultOwner = "", resolveOwner } = this.#options;
    return resolveOwner
      ? resolve(resolveOwner, sessionId)
      : sessionId || defaultOwner;
  }

  /** Returns the owner whose tasks and messages a call may read by id. */
  ofReader(sessionId: string | undefined): Found {
    const named = this.named(sessionId);
    // What resolveOwner says is the last word, `""` included.
    return this.#options.resolveOwner ? named : named || this.#unnamed();
  }

  /** Returns the owner of the task a call writes to. */
  ofWriter(taskId: string, sessionId: string | undefined): Found {
    return this.#ofTask(taskId, sessionId) ?? this.ofReader(sessionId);
  }

  /**
   * Returns the owner of the task a message is for.
   *
   * @throws {AnonymousOwnerError} If no owner is named and none is known on a
   * server with sessions: the message would wait where it is never read.
   */
  ofPusher(taskId: string, sessionId: string | undefined): Found {
    const known = this.#ofTask(taskId, sessionId);
    if (known !== undefined) return known;
    const owner = this.named(sessionId);
    return typeof owner === "string"
      ? this.#toPushFor(owner)
      : owner.then((found) => this.#toPushFor(found));
  }

  #toPushFor(owner: string): string {
    if (owner !== "") return owner;
    const unnamed = this.#unnamed();
    const isLocal = !this.#known.sawSession || unnamed === ANONYMOUS;
    if (isLocal && !this.#options.resolveOwner) return unnamed;
    throw new AnonymousOwnerError(owner);
  }

  /**
   * A call with a session is about that session's tasks only: SDK 1.24 to 1.31
   * queue answers for any task id a client writes into its request.
   */
  #ofTask(taskId: string, sessionId: string | undefined): string | undefined {
    return this.#identity === undefined && !sessionId
      ? this.#known.ownerOf(taskId)
      : undefined;
  }
}

/** Asks the host; what it throws is shown where it is meant for clients. */
function resolve(
  resolveOwner: (sessionId: string | undefined) => Found,
  sessionId: string | undefined,
): Found {
  try {
    const owner = resolveOwner(sessionId);
    return typeof owner === "string"
      ? requireOwner(owner)
      : Promise.resolve(owner).then(requireOwner).catch(throwOwnerError);
  } catch (cause) {
    return throwOwnerError(cause);
  }
}
