/**
 * The contract on `RedisBackend`, every instance on a connection of its own.
 *
 * @module
 */

import { backendSuite } from "../support/suite/backend_suite.ts";
import { redisEnabled } from "../support/gate.ts";
import { withRedis } from "../support/redis_fixture.ts";

backendSuite({
  name: "redis",
  ignore: !redisEnabled,
  expiresByItself: true,
  use: (body, { instances = 1, maxRecordBytes } = {}) =>
    withRedis(async (redis) => {
      const options = maxRecordBytes === undefined ? {} : { maxRecordBytes };
      const backends = await Promise.all(
        Array.from({ length: instances }, () => redis.connect(options)),
      );
      await body(backends);
    }),
});
