/**
 * The name that tasks without an owner are kept under, as in pmcp-tasks. Only a
 * host that allows such tasks may say it: no one who is authenticated has it.
 */
export const ANONYMOUS = "local";
