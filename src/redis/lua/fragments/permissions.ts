/**
 * Ends the script with the server's own error if the user may not run one of
 * these commands, before anything has been written: a refusal half-way would
 * leave a record without its index entries. Keys need no check, a forbidden
 * one is refused before the script runs.
 *
 * Needs `call`.
 *
 * @param commands Lua tables, each a command as it may be run.
 */
export function requirePermissions(commands: readonly string[]): string {
  return `
if redis.acl_check_cmd then
  for _, command in ipairs({${commands.join(", ")}}) do
    -- Forbidden: the call raises the error and does nothing else.
    if not redis.acl_check_cmd(unpack(command)) then call(unpack(command)) end
  end
end
`;
}

/**
 * The same for the shortest update, where `mode` asks for it.
 *
 * Needs `call`, `mode`, `record`, `channel`, and `active_index_start`.
 */
export const CHECK_UPDATE = `
if mode == 'p' then
  ${
  requirePermissions([
    "{'HSET', record, 'version', '0'}",
    "{'HDEL', record, 'lease'}",
    "{'ZREM', KEYS[active_index_start] or record, '0'}",
    "{'SPUBLISH', channel, '0'}",
  ]).trim()
}
end
`;

/**
 * The same for every command that a write of a record may run, where `mode`
 * asks for it: after each connection, and every few seconds.
 *
 * Needs `STATE`, `mode`, the record keys, `channel`, `task`.
 */
export const CHECK_PERMISSIONS = `
if string.find(mode, 'p', 1, true) then
  ${
  requirePermissions([
    "{'SPUBLISH', channel, '0'}",
    "{'HSET', record, 'version', '0'}",
    "{'HDEL', record, 'log'}",
    "{'UNLINK', record}",
    "{'PEXPIREAT', record, '0'}",
    "{'PERSIST', record}",
    "{'SET', gone, '0', 'PX', '1'}",
    "{'ZADD', created_index, '0', task}",
    "{'ZREM', created_index, task}",
    "{'ZCARD', created_index}",
    "{'ZCOUNT', created_index, '0', '0'}",
    "{'ZRANGE', created_index, '0', '0'}",
    "{'ZSCORE', created_index, task}",
    "{'PEXPIRETIME', created_index}",
  ]).trim()
}
end
`;
