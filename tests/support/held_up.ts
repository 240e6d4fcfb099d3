/**
 * Writes whose first bytes are held up on the way, for the tests of what such
 * bytes do when they arrive.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { RedisBackend, RedisBackendOptions } from "../../mod.ts";
import { type CutAt, isScript, TcpProxy } from "./proxy.ts";
import type { RedisFixture } from "./redis_fixture.ts";

/** A way to Redis on which the first try of a write is held up. */
export class HeldUp implements AsyncDisposable {
  readonly #redis: RedisFixture;
  readonly #proxy: TcpProxy;

  constructor(redis: RedisFixture) {
    this.#redis = redis;
    this.#proxy = new TcpProxy(redis.url);
  }

  connect(options: RedisBackendOptions = {}): Promise<RedisBackend> {
    return this.#redis.connect(options, this.#proxy.url);
  }

  /**
   * Cuts the first tries of a write, the first of them before the server has
   * it; returns its bytes.
   */
  async holdUp(
    write: () => Promise<unknown>,
    ...more: CutAt[]
  ): Promise<string> {
    const cuts: CutAt[] = ["before request", ...more];
    let bytes = "";
    this.#proxy.fault = (request) => {
      if (!isScript(request)) return undefined;
      const cut = cuts.shift();
      if (cut === undefined) return undefined;
      bytes ||= request;
      return { cut };
    };
    await write();
    assert(bytes !== "", "nothing was sent");
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
  }
}
