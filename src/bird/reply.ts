// SPDX-License-Identifier: Apache-2.0

/** One line of an answer. Codes are listed in BIRD's doc/reply_codes: 0xxx done, 1xxx and 2xxx tables, 8xxx and 9xxx errors. */
export interface ReplyLine {
  readonly code: number;
  readonly text: string;
}

/** Everything that BIRD says to one command; the last line's code tells what came of it. */
export type Reply = readonly ReplyLine[];

/** What a control connection carries. */
export type ControlEvent =
  | { readonly kind: "reply"; readonly reply: Reply }
  /** A line of BIRD's log, which may come at any time, even amid a reply. */
  | { readonly kind: "log"; readonly text: string };

/**
 * Reads a control connection (nest/cli.c of BIRD 2.0.12): `<code>-` begins a line with more to follow, `<code> ` the last
 * one, a space a line with the code of the one before, `+` a line of the log, and `<` its note that lines were lost.
 */
export class ReplyReader {
  #rest = "";
  #lines: ReplyLine[] = [];

  /** Takes what arrived, and gives what it completed; throws `SyntaxError` where it is not BIRD's. */
  push(chunk: string): readonly ControlEvent[] {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.map((line) => this.#take(line)).filter((event) => event !== undefined);
  }

  #take(line: string): ControlEvent | undefined {
    if (line.startsWith("+")) return { kind: "log", text: line.slice(1) };
    if (line.startsWith("<")) return { kind: "log", text: line };
    const [, digits, mark, rest = ""] = /^(?:([0-9]{4})([ -])| )(.*)$/.exec(line) ?? [];
    const code = digits === undefined ? this.#lines.at(-1)?.code : Number(digits);
    if (code === undefined || (digits === undefined && !line.startsWith(" ")))
      throw new SyntaxError(`Cannot read BIRD's answer "${line}": it has no code`);
    this.#lines.push({ code, text: digits === undefined ? line.slice(1) : rest });
    if (mark !== " ") return undefined;
    const reply = this.#lines;
    this.#lines = [];
    return { kind: "reply", reply };
  }
}

export function isError(reply: Reply): boolean {
  return codeOf(reply) >= 8000;
}

/** The code of the last line, which stands for the whole reply. */
export function codeOf(reply: Reply): number {
  return reply.at(-1)?.code ?? 0;
}

/** What the last line says. */
export function textOf(reply: Reply): string {
  return reply.at(-1)?.text ?? "";
}
