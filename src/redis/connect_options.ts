/** The targets of `RedisBackend.connect`. */

/**
 * Options of node-redis' `createClient`. All of its options are handed on;
 * these are the ones a server commonly sets.
 *
 * Always set by this library: no queue while disconnected
 * (`disableOfflineQueue`), no timeout of the client's own for a command.
 */
export interface RedisClientSettings {
  /**
   * `redis[s]://[user[:password]@]host[:port][/db]` or
   * `unix://[user[:password]@]/path`.
   */
  readonly url?: string;
  /**
   * Address, TLS and reconnecting, as node-redis describes them. Defaults
   * here: `connectTimeout` 5000, `socketTimeout` 4000, `keepAlive` `true`
   * after 5 s, and reconnecting without end, a second apart at most. The first
   * connection is made at once or not at all, whatever the strategy.
   */
  readonly socket?: object;
  /** The ACL user. */
  readonly username?: string;
  /** The password of the ACL user, or of the server. */
  readonly password?: string;
  /** A source of credentials, in place of user and password. */
  readonly credentialsProvider?: object;
  /** The name shown in `CLIENT LIST`. */
  readonly name?: string;
  /** The database number. Default: 0. */
  readonly database?: number;
  /** The protocol version. Default: 3. */
  readonly RESP?: 2 | 3;
  /**
   * Sends a `PING` of the client's own so often, in milliseconds. Default:
   * never, since each connection is asked every 750 ms anyway.
   */
  readonly pingInterval?: number;
  /** Always `true`: commands fail at once while disconnected. */
  readonly disableOfflineQueue?: boolean;
  /** The most commands that may wait. Default: no bound. */
  readonly commandsQueueMaxLength?: number;
}

/**
 * Options of node-redis' `createCluster`. All of its options are handed on;
 * these are the ones a server commonly sets.
 */
export interface RedisClusterSettings {
  /** Nodes to ask for the others. Their options are for this question only. */
  readonly rootNodes: readonly RedisClientSettings[];
  /** Options of the connections to all nodes, such as credentials and TLS. */
  readonly defaults?: RedisClientSettings;
  /** The protocol version. Default: 3. */
  readonly RESP?: 2 | 3;
  /** Maps addresses a Cluster announces to those it is reached at. */
  readonly nodeAddressMap?: object | ((address: string) => unknown);
  /**
   * The time from the loss of a node until the topology is asked for, in
   * milliseconds. Default: 500 (node-redis: 5000).
   */
  readonly topologyRefreshOnReconnectionAttemptStrategy?: number;
  /** The most redirections that one command follows. Default: 16. */
  readonly maxCommandRedirections?: number;
}

/** The address of a Sentinel. */
export interface RedisSentinelNode {
  /** Its host name or IP address. */
  readonly host: string;
  /** Its port, usually 26379. */
  readonly port: number;
}

/**
 * Options of node-redis' `createSentinel`. All of its options are handed on;
 * these are the ones a server commonly sets.
 *
 * Always set by this library: no command is sent a second time
 * (`maxCommandRediscovers: 0`), one connection to the master is shared by all
 * commands (`reserveClient`).
 */
export interface RedisSentinelSettings {
  /** The name under which the Sentinels monitor the master. */
  readonly name: string;
  /** Sentinels to ask for the master and for the other Sentinels. */
  readonly sentinelRootNodes: readonly RedisSentinelNode[];
  /** Options of the connections to master and replicas, such as credentials. */
  readonly nodeClientOptions?: RedisClientSettings;
  /** Options of the connections to the Sentinels, such as credentials. */
  readonly sentinelClientOptions?: RedisClientSettings;
  /** The protocol version. Default: 3. */
  readonly RESP?: 2 | 3;
  /** Maps addresses a Sentinel announces to those they are reached at. */
  readonly nodeAddressMap?: object | ((address: string) => unknown);
  /**
   * The time between two questions to a Sentinel for the master, besides
   * listening to it, in milliseconds. Default: 1000 (node-redis: never); with a
   * `nodeAddressMap` never, since each scan would open all connections again.
   */
  readonly scanInterval?: number;
}

/**
 * A target to connect to: a `redis[s]://` URL, or options of a client, of a
 * Cluster (`rootNodes`) or of the master behind Sentinels
 * (`sentinelRootNodes`).
 */
export type RedisConnectOptions =
  | string
  | URL
  | RedisClientSettings
  | RedisClusterSettings
  | RedisSentinelSettings;
