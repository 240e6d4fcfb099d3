/**
 * The contract on `RedisBackend`, every instance on a connection of its own.
 *
 * @module
 */

import { backendContract } from "./backend_contract.ts";
import { redisEnabled } from "./gate.ts";
import { withRedis } from "./redis_fixture.ts";

backendContract({
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
