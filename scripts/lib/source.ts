/**
 * Reads a TypeScript module as far as the house rules need it: its comments,
 * its imports, and its code without either. `scripts/lib/house_lint.ts` uses it.
 *
 * @module
 */

/** A piece of text and the line it begins on, the first being 1. */
export interface Piece {
  readonly line: number;
  readonly text: string;
}

/** A module taken apart. */
export interface Source {
  /** The code; comments and the contents of strings are spaces. */
  readonly code: string;
  /** `/* … *\/` comments, and `//` comments, those of adjacent lines as one. */
  readonly comments: readonly Piece[];
  /** What is imported or re-exported, as it is written. */
  readonly imports: readonly Piece[];
  /** The literal parts of template strings: Lua is in them. */
  readonly templates: readonly Piece[];
}

/** What the scanner is in, innermost last: code of `${…}`, or a template. */
interface Nesting {
  /** Braces open in this code; `-1` in the literal part of a template. */
  braces: number;
}

/** Where a `/` begins a regular expression and does not divide. */
const BEFORE_REGEXP = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|of|in|case))$/;

/** Takes a module apart. */
export function readSource(text: string): Source {
  const scanner = new Scanner(text);
  scanner.run();
  const code = scanner.code.join("");
  return {
    code,
    comments: joinLineComments(scanner.comments),
    imports: readImports(text, code),
    templates: scanner.templates,
  };
}

class Scanner {
  readonly code: string[] = [];
  readonly comments: Piece[] = [];
  readonly templates: Piece[] = [];
  readonly #text: string;
  readonly #nesting: Nesting[] = [{ braces: 0 }];
  #at = 0;
  #line = 1;
  /** The code of this line or the last one that has any, for `#isRegExp`. */
  #before = "";

  constructor(text: string) {
    this.#text = text;
  }

  run(): void {
    while (this.#at < this.#text.length) {
      const inner = this.#nesting.at(-1)!;
      if (inner.braces === -1) this.#template();
      else this.#step(inner);
    }
  }

  #step(inner: Nesting): void {
    const char = this.#text[this.#at]!;
    const two = this.#text.slice(this.#at, this.#at + 2);
    if (two === "//") return this.#comment(/[^\n]*/y);
    if (two === "/*") return this.#comment(/\/\*[^]*?(?:\*\/|$)/y);
    if (char === '"') {
      return this.#blank(this.#match(/"(?:[^"\\\n]|\\[^])*"?/y));
    }
    if (char === "'") {
      return this.#blank(this.#match(/'(?:[^'\\\n]|\\[^])*'?/y));
    }
    if (char === "/" && BEFORE_REGEXP.test(this.#before.trimEnd())) {
      return this.#blank(
        this.#match(/\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])*\/?\w*/y),
      );
    }
    if (char === "{") inner.braces++;
    if (char === "`") this.#nesting.push({ braces: -1 });
    if (char === "}" && inner.braces-- === 0 && this.#nesting.length > 1) {
      this.#nesting.pop();
    }
    this.#keep(char);
  }

  /** Reads the literal part of a template, up to its end or a `${`. */
  #template(): void {
    const literal = this.#match(/(?:[^`\\$]|\\[^]|\$(?!\{))*/y);
    if (literal !== "") {
      this.templates.push({ line: this.#line, text: literal });
      this.#blank(literal);
    }
    if (this.#text[this.#at] === "`") this.#nesting.pop();
    else this.#nesting.push({ braces: 0 });
    // The closing quote, or the two characters that open the code.
    this.#keep(this.#match(/`|\$\{|$/y) || " ");
  }

  #comment(pattern: RegExp): void {
    const text = this.#match(pattern);
    this.comments.push({ line: this.#line, text });
    this.#skip(text);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0] ?? "";
  }

  #keep(code: string): void {
    this.code.push(code);
    // The last characters are enough to tell a division from a pattern.
    if (code.trim() !== "") this.#before = (this.#before + code).slice(-16);
    else if (this.#before.at(-1) !== " ") this.#before += " ";
    this.#advance(code);
  }

  /** A string or a pattern: its first and last character stay. */
  #blank(text: string): void {
    const quoted = this.#nesting.at(-1)!.braces !== -1 && text.length > 1;
    const inside = quoted ? text.slice(1, -1) : text;
    const spaces = inside.replace(/[^\n]/g, " ");
    this.code.push(quoted ? `${text[0]}${spaces}${text.at(-1)}` : spaces);
    this.#before = '"';
    this.#advance(text);
  }

  #skip(text: string): void {
    this.code.push(text.replace(/[^\n]/g, " "));
    this.#advance(text);
  }

  #advance(text: string): void {
    this.#at += text.length;
    this.#line += text.split("\n").length - 1;
  }
}

/** A sentence may run over several `//` lines. */
function joinLineComments(comments: readonly Piece[]): Piece[] {
  const joined: { line: number; text: string; lines: number }[] = [];
  for (const { line, text } of comments) {
    const last = joined.at(-1);
    const follows = last?.text.startsWith("//") && text.startsWith("//") &&
      last.line + last.lines === line;
    if (follows) {
      last!.text += `\n${text}`;
      last!.lines++;
    } else joined.push({ line, text, lines: 1 });
  }
  return joined.map(({ line, text }) => ({ line, text }));
}

/** Finds `… from "x"`, `import "x"` and `import("x")`. */
function readImports(text: string, code: string): Piece[] {
  const pattern = /\b(?:from|import)\s*\(?\s*(["'])( *)\1/g;
  return [...code.matchAll(pattern)].map((match) => {
    const end = match.index + match[0].length - 1;
    const start = end - match[2]!.length;
    return {
      line: code.slice(0, start).split("\n").length,
      text: text.slice(start, end),
    };
  });
}
