/**
 * The house rules as data: who may import whom, and how comments are worded.
 * `scripts/lint.ts` holds the tree to them.
 *
 * @module
 */

/** The rules of {@linkcode HouseRules}, by name. */
export type RuleName =
  | "layers"
  | "packages"
  | "platform"
  | "circles"
  | "words"
  | "openings";

/** What {@linkcode HouseRules.packages} says of one package. */
export interface PackageRule {
  /** Matches what is imported. */
  readonly specifier: RegExp;
  /** The folders of `src/` that may import it. */
  readonly only: readonly string[];
}

/** What {@linkcode HouseRules.words} says of one word. */
export interface WordRule {
  /** A word or several, in any case; a line may end between two of them. */
  readonly not: string;
  /** The words after a use that is right, as a pattern: `for` lets "it stood for" pass. */
  readonly unlessBefore?: string;
  /** What to write. */
  readonly write: string;
}

/** A rule and a part of the tree that does not follow it yet. */
export interface Pending {
  readonly rule: RuleName;
  /** A file, or a folder with its last `/`. */
  readonly under: string;
}

/** Everything the lint is told. */
export interface HouseRules {
  /**
   * The layers of `src/`: a folder (with its last `/`) or a file, and the
   * layers and files it may import. The longest name that fits a file is its
   * layer. Within a layer all may import all.
   */
  readonly layers: Readonly<Record<string, readonly string[]>>;
  /** Which part of `src/` may import a package. */
  readonly packages: readonly PackageRule[];
  /** What code in `src/` must not name: it has to run everywhere. */
  readonly platform: readonly RegExp[];
  /** Words that comments and README do not use. */
  readonly words: readonly WordRule[];
  /** First words that few doc comments of `src/` may have. */
  readonly openings: {
    readonly words: readonly string[];
    /** The share of all doc comments that may, from 0 to 1. */
    readonly maxShare: number;
  };
  /** What is reported without failing, until it is empty. */
  readonly pending: readonly Pending[];
}

const UTIL = "src/util/";
const STORAGE = "src/storage/";
const MEMORY = "src/memory/";
const REDIS = "src/redis/";
const TASK = "src/task/";
const RUN = "src/run/";
const MCP = "src/mcp/";
const ROOT = "src/create_task_store.ts";

/** What the layers above tasks may know of the storage: its words and types. */
const STORAGE_WORDS = [
  `${STORAGE}checks.ts`,
  `${STORAGE}errors.ts`,
  `${STORAGE}keys.ts`,
  `${STORAGE}message_queue.ts`,
];

/** The rules of this repository. */
export const HOUSE_RULES: HouseRules = {
  layers: {
    [UTIL]: [],
    [STORAGE]: [UTIL],
    [MEMORY]: [STORAGE, UTIL],
    [REDIS]: [STORAGE, UTIL, `${REDIS}lua/`],
    // A script knows how scripts are defined, and nothing of who runs it.
    [`${REDIS}lua/`]: [STORAGE, UTIL, `${REDIS}executor/script.ts`],
    [TASK]: [STORAGE, UTIL],
    [RUN]: [TASK, STORAGE, UTIL],
    [MCP]: [RUN, TASK, UTIL, ...STORAGE_WORDS],
    // The two eras of the protocol know nothing of each other.
    [`${MCP}v2025_11_25/`]: [MCP, RUN, TASK, UTIL, ...STORAGE_WORDS],
    [`${MCP}v2026_07_28/`]: [MCP, RUN, TASK, UTIL, ...STORAGE_WORDS],
    // The SDK's own extension of the later era: the same wire, another seam.
    [`${MCP}ext_tasks/`]: [
      ...[MCP, RUN, TASK, UTIL, ...STORAGE_WORDS],
      `${MCP}v2026_07_28/wire.ts`,
      `${MCP}v2026_07_28/lease_renewer.ts`,
    ],
    "src/ops/": [RUN, TASK, STORAGE, UTIL, ROOT],
    // The one file that knows tasks and engines.
    [ROOT]: [MEMORY, REDIS, TASK, STORAGE, UTIL],
  },
  packages: [
    { specifier: /^(npm:\/?)?(redis|@redis)(\/|@|$)/, only: [REDIS] },
    { specifier: /^(npm:\/?)?@modelcontextprotocol\//, only: [] },
    { specifier: /^node:/, only: [] },
  ],
  platform: [/\bDeno\b/, /\bBuffer\b/],
  words: [
    { not: "for ever", write: "indefinitely" },
    { not: "anew", write: "again, recreate" },
    { not: "whoever", write: "the caller, or who it is" },
    { not: "nobody", write: "no caller, no one else" },
    { not: "mend", write: "fix" },
    { not: "mends", write: "fixes" },
    { not: "mended", write: "fixed" },
    { not: "stands", unlessBefore: "for|in|still", write: "is stored" },
    { not: "carry out", write: "execute" },
    { not: "carries out", write: "executes" },
    { not: "carried out", write: "executed" },
    { not: "taken back", write: "cancelled" },
    { not: "told of", write: "notified" },
    { not: "hear of", write: "be notified" },
    { not: "hears of", write: "is notified" },
    { not: "heard of", write: "was notified" },
    { not: "one another's", write: "each other's" },
    { not: "be read by everyone as", write: "count as" },
  ],
  openings: {
    words: ["How", "What", "Who", "Where"],
    // The goal is 0.02.
    maxShare: 0.02,
  },
  pending: [],
};
