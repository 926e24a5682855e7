// SPDX-License-Identifier: Apache-2.0
// Commands that pages of the documentation show, and have a test run. A page marks them by HTML comments, which readers do not see:
//
//   <!-- run -->         the next block of code is run: a `console` one has commands behind `$ ` (continued behind `> `) and between them what they
//                        print, as far as that is shown; any other has commands alone
//   <!-- run
//   COMMAND…             what the test does besides
//   -->
//
// A command ends with 0, or as its comment says: `# ends with code 4`. What is printed is compared where something is shown: in a line `…` is any text, alone any number of lines.

export interface DocumentedCommand {
  /** In the page, from 1. */
  readonly line: number;
  readonly text: string;
  /** What it has to end with. */
  readonly code: number;
  /** What it has to print, `undefined` where that is not shown. */
  readonly output: string | undefined;
}

interface Line {
  readonly line: number;
  readonly text: string;
}

/** The commands that a page has a test run, in order. Throws `SyntaxError` for a mark without commands. */
export function parseDocumentedCommands(markdown: string): readonly DocumentedCommand[] {
  const lines = markdown.split("\n").map((text, index) => ({ line: index + 1, text }));
  return lines.flatMap(({ text }, index) => {
    if (text === "<!-- run") return commandsOf(linesUntil(lines, index + 1, (line) => line === "-->"));
    return text === "<!-- run -->" ? commandsAfter(lines, index + 1) : [];
  });
}

/** Whether a command printed what the page shows; how columns are spaced is no matter. */
export function isAsShown(output: string, shown: string): boolean {
  const pattern = linesOf(shown)
    .map((line) => (line === "…" ? "(?:.*\n)*?" : `${line.split("…").map(escaped).join(".*")}\n`))
    .join("");
  return new RegExp(`^${pattern}$`).test(linesOf(output).join("\n") + "\n");
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

function linesOf(text: string): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().replace(/\s+/g, " "));
}

function commandsAfter(lines: readonly Line[], at: number): readonly DocumentedCommand[] {
  const start = lines.findIndex(({ text }, index) => index >= at && text !== "");
  const first = lines[start];
  if (first?.text.startsWith("    ") === true) {
    const block = linesUntil(lines, start, (text) => text !== "" && !text.startsWith("    "));
    return commandsOf(block.map(({ line, text }) => ({ line, text: text.slice(4) })));
  }
  const [fence = "", language] = /^```(\S*)$/.exec(first?.text ?? "") ?? [];
  if (fence === "") throw new SyntaxError(`Cannot run what follows line ${at}: want a block of code`);
  const block = linesUntil(lines, start + 1, (text) => text === "```");
  return language === "console" ? dialogueOf(block) : commandsOf(block);
}

function linesUntil(
  lines: readonly Line[],
  start: number,
  isEnd: (text: string) => boolean,
): readonly Line[] {
  const length = lines.slice(start).findIndex(({ text }) => isEnd(text));
  return lines.slice(start, length === -1 ? undefined : start + length);
}

/** Commands alone: each has a line, unless that ends with a backslash or begins a here-document. */
function commandsOf(lines: readonly Line[]): readonly DocumentedCommand[] {
  const commands: Line[] = [];
  let open = false;
  for (const { line, text } of lines) {
    const last = open ? commands.pop() : undefined;
    const command = last === undefined ? { line, text } : { line: last.line, text: `${last.text}\n${text}` };
    if (command.text.trim() !== "") commands.push(command);
    open = isOpen(command.text);
  }
  return commands.map((command) => toCommand(command, undefined));
}

function isOpen(text: string): boolean {
  const end = /<<-?\s*(['"]?)(\w+)\1/.exec(text)?.[2];
  return text.endsWith("\\") || (end !== undefined && !text.split("\n").includes(end));
}

/** Commands and what they print, as a terminal shows them. */
function dialogueOf(lines: readonly Line[]): readonly DocumentedCommand[] {
  const commands: { command: Line; output: string[] }[] = [];
  for (const { line, text } of lines) {
    const last = commands.at(-1);
    if (text.startsWith("$ ")) commands.push({ command: { line, text: text.slice(2) }, output: [] });
    else if (last === undefined) throw new SyntaxError(`Cannot run line ${line}: want a command, "$ …"`);
    else if (text.startsWith("> ") && last.output.length === 0)
      last.command = { ...last.command, text: `${last.command.text}\n${text.slice(2)}` };
    else last.output.push(text);
  }
  return commands.map(({ command, output }) => {
    const shown = output.join("\n").trimEnd();
    return toCommand(command, shown === "" ? undefined : shown);
  });
}

function toCommand({ line, text }: Line, output: string | undefined): DocumentedCommand {
  const code = /#.*\bends with code (\d+)\b/.exec(text)?.[1];
  return { line, text, code: Number(code ?? 0), output };
}
