// SPDX-License-Identifier: Apache-2.0

/** Calico's label selector, parsed. */
export type Selector =
  | { readonly kind: "all" }
  /** Calico's `global()` tells endpoints of no namespace apart; on labels alone it is always true. */
  | { readonly kind: "global" }
  | { readonly kind: "has"; readonly label: string }
  | { readonly kind: Comparison; readonly label: string; readonly value: string }
  | { readonly kind: "in" | "not in"; readonly label: string; readonly values: readonly string[] }
  | { readonly kind: "not"; readonly operand: Selector }
  | { readonly kind: "and" | "or"; readonly operands: readonly Selector[] };

export type Comparison = "==" | "!=" | "contains" | "starts with" | "ends with";
export type Labels = Readonly<Record<string, string>>;

const COMPARISONS: Readonly<Record<Comparison, (have: string, want: string) => boolean>> = {
  "==": (have, want) => have === want,
  "!=": (have, want) => have !== want,
  contains: (have, want) => have.includes(want),
  "starts with": (have, want) => have.startsWith(want),
  "ends with": (have, want) => have.endsWith(want),
};
const OPERATORS: readonly (readonly [RegExp, Comparison | "in" | "not in"])[] = [
  [/==/y, "=="],
  [/!=/y, "!="],
  [/contains/y, "contains"],
  [/starts[ \t]*with/y, "starts with"],
  [/ends[ \t]*with/y, "ends with"],
  [/not[ \t]*in/y, "not in"],
  [/in/y, "in"],
];
const LABEL = /[A-Za-z0-9_./-]{1,512}/y;
/** Literals have no escapes: one that holds a double quote stands in single quotes, and the other way round. */
const LITERAL = /"([^"]*)"|'([^']*)'/y;
/** Deeper nesting is a mistake or an attack; it must not overflow the stack. */
const MAX_DEPTH = 100;

/** Parses a selector, the empty one as `all()`; throws `SyntaxError` with the position of the fault. */
export function parseSelector(text: string): Selector {
  const parser = new Parser(text);
  return parser.parse();
}

/** Whether the labels satisfy the selector. A missing label satisfies `!=` and `not in`, and nothing else. */
export function selects(selector: Selector, labels: Labels): boolean {
  switch (selector.kind) {
    case "all":
    case "global":
      return true;
    case "has":
      return Object.hasOwn(labels, selector.label);
    case "in":
      return selector.values.some((value) => valueOf(labels, selector.label) === value);
    case "not in":
      return !selector.values.some((value) => valueOf(labels, selector.label) === value);
    case "not":
      return !selects(selector.operand, labels);
    case "and":
      return selector.operands.every((operand) => selects(operand, labels));
    case "or":
      return selector.operands.some((operand) => selects(operand, labels));
    case "==":
    case "!=":
    case "contains":
    case "starts with":
    case "ends with": {
      const have = valueOf(labels, selector.label);
      return have === undefined ? selector.kind === "!=" : COMPARISONS[selector.kind](have, selector.value);
    }
  }
}

/** The selector in Calico's canonical form: equal selectors that differ in spelling give one text. */
export function renderSelector(selector: Selector): string {
  switch (selector.kind) {
    case "all":
    case "global":
      return `${selector.kind}()`;
    case "has":
      return `has(${selector.label})`;
    case "in":
    case "not in":
      return `${selector.label} ${selector.kind} {${selector.values.map(quote).join(", ")}}`;
    case "not":
      return `!${renderSelector(selector.operand)}`;
    case "and":
    case "or":
      return `(${selector.operands.map(renderSelector).join(selector.kind === "and" ? " && " : " || ")})`;
    case "==":
    case "!=":
    case "contains":
    case "starts with":
    case "ends with":
      return `${selector.label} ${selector.kind} ${quote(selector.value)}`;
  }
}

function valueOf(labels: Labels, label: string): string | undefined {
  return Object.hasOwn(labels, label) ? labels[label] : undefined;
}

function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

/** Recursive descent: `or` binds loosest, then `and`, then `!`. */
class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Selector {
    if (this.#rest() === "") return { kind: "all" };
    const selector = this.#or();
    if (this.#rest() !== "") throw this.#fault("the end");
    return selector;
  }

  #or(): Selector {
    return this.#joined("or", /\|\|/y, () => this.#joined("and", /&&/y, () => this.#unary()));
  }

  #joined(kind: "and" | "or", operator: RegExp, next: () => Selector): Selector {
    const first = next();
    const operands = [first];
    while (this.#take(operator) !== undefined) operands.push(next());
    return operands.length === 1 ? first : { kind, operands };
  }

  #unary(): Selector {
    if (++this.#depth > MAX_DEPTH) throw this.#fault(`at most ${MAX_DEPTH} levels`);
    const selector = this.#take(/!/y) === undefined ? this.#operand() : negate(this.#unary());
    this.#depth--;
    return selector;
  }

  #operand(): Selector {
    if (this.#take(/\(/y) !== undefined) {
      const inner = this.#or();
      this.#want(/\)/y, '")"');
      return inner;
    }
    if (this.#take(/all\([ \t]*\)/y) !== undefined) return { kind: "all" };
    if (this.#take(/global\([ \t]*\)/y) !== undefined) return { kind: "global" };
    if (this.#take(/has\(/y) !== undefined) {
      const label = this.#want(LABEL, "a label");
      this.#want(/\)/y, '")"');
      return { kind: "has", label };
    }
    return this.#comparison(this.#want(LABEL, "a label"));
  }

  #comparison(label: string): Selector {
    for (const [pattern, kind] of OPERATORS) {
      if (this.#take(pattern) === undefined) continue;
      if (kind === "in" || kind === "not in") return { kind, label, values: this.#set() };
      return { kind, label, value: this.#literal() };
    }
    throw this.#fault("an operator");
  }

  #set(): readonly string[] {
    this.#want(/\{/y, '"{"');
    if (this.#take(/\}/y) !== undefined) return [];
    const values = [this.#literal()];
    while (this.#take(/,/y) !== undefined) values.push(this.#literal());
    this.#want(/\}/y, '"}"');
    return [...new Set(values)].sort();
  }

  #literal(): string {
    return this.#want(LITERAL, "a quoted value").slice(1, -1);
  }

  #want(pattern: RegExp, name: string): string {
    const token = this.#take(pattern);
    if (token === undefined) throw this.#fault(name);
    return token;
  }

  #take(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    this.#at += token?.length ?? 0;
    return token;
  }

  #rest(): string {
    this.#skipSpace();
    return this.#text.slice(this.#at);
  }

  #skipSpace(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  #fault(wanted: string): SyntaxError {
    return new SyntaxError(
      `Cannot parse selector "${this.#text}": want ${wanted} at character ${this.#at + 1}`,
    );
  }
}

function negate(operand: Selector): Selector {
  return { kind: "not", operand };
}
