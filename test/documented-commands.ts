// SPDX-License-Identifier: Apache-2.0
// Commands that pages of the documentation show, and have a test run. A page marks them by HTML comments, which readers do not see:
//
//   <!-- run -->         the next block of code is run: a `console` one has commands behind `$ ` (continued behind `> `) and between them what they
//                        print, as far as that is shown; any other has commands alone
//   <!-- run
//   COMMAND…             what the test does besides
//   -->
//   <!-- not run: … -->  the next block is not run, for that reason
//
// `run on host2` is said of what is not for the first machine, host1. A command ends with 0, or as its comment says: `# ends with code 4`. What is
// printed is compared where something is shown (shown-output.ts says how).

export interface DocumentedCommand {
  /** In the page, from 1. */
  readonly line: number;
  readonly machine: string;
  readonly text: string;
  /** What it has to end with. */
  readonly code: number;
  /** What it has to print, `undefined` where that is not shown. */
  readonly output: string | undefined;
  /** How many lines of the page the command itself has. */
  readonly height: number;
}

interface Line {
  readonly line: number;
  readonly text: string;
}

/** Lines of code that stand together, without what sets them apart from the text. */
interface Block {
  /** Of the page, that of its first line of code. */
  readonly line: number;
  /** What a fence says of it: `console`, `yaml`; empty where it is set in. */
  readonly language: string;
  readonly lines: readonly Line[];
  /** The line of text above it, if only empty ones are between. */
  readonly above: string;
}

const MARK = /^ *<!-- run(?: on (\w+))?( -->)?$/;
const EXCUSE = /^ *<!-- not run: \S.* -->$/;
/** Blocks without a language may be commands. */
const COMMAND_LANGUAGES = ["", "console", "sh"];

/** The commands that a page has a test run, in order. Throws `SyntaxError` for a mark without commands. */
export function parseDocumentedCommands(markdown: string): readonly DocumentedCommand[] {
  const lines = toLines(markdown);
  const blocks = blocksOf(lines);
  return lines.flatMap(({ text }, index) => {
    const [, machine = "host1", isClosed] = MARK.exec(text) ?? [];
    if (!MARK.test(text)) return [];
    if (isClosed === undefined)
      return commandsOf(
        linesUntil(lines, index + 1, (line) => line === "-->"),
        machine,
      );
    const block = blocks.find(({ line, above }) => line > index + 1 && above === text);
    if (block === undefined || lines.slice(index + 1, block.line - 2).some((line) => line.text !== ""))
      throw new SyntaxError(`Cannot run what follows line ${index + 1}: want a block of code`);
    return block.language === "console" ? dialogueOf(block.lines, machine) : commandsOf(block.lines, machine);
  });
}

/** Where blocks of code begin that may be commands, of which the page says neither that they are run nor why they are not. */
export function unmarkedBlocks(markdown: string): readonly number[] {
  return blocksOf(toLines(markdown))
    .filter(({ language }) => COMMAND_LANGUAGES.includes(language))
    .filter(({ above }) => !MARK.test(above) && !EXCUSE.test(above))
    .map(({ line }) => line);
}

/** The page, showing that a command of it prints what it printed now. */
export function withOutput(markdown: string, command: DocumentedCommand, output: string): string {
  const lines = markdown.split("\n");
  const shown = command.output?.split("\n").length ?? 0;
  lines.splice(command.line - 1 + command.height, shown, ...output.trimEnd().split("\n"));
  return lines.join("\n");
}

function toLines(markdown: string): readonly Line[] {
  return markdown.split("\n").map((text, index) => ({ line: index + 1, text }));
}

function blocksOf(lines: readonly Line[]): readonly Block[] {
  const blocks: Block[] = [];
  let above = "";
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at]?.text ?? "";
    const fence = /^```(\S*)$/.exec(text)?.[1];
    const isComment = text.startsWith("<!--") && !text.endsWith("-->");
    if (isComment) at += linesUntil(lines, at, (line) => line === "-->").length;
    else if (fence !== undefined) {
      const code = linesUntil(lines, at + 1, (line) => line === "```");
      blocks.push({ line: at + 2, language: fence, lines: code, above });
      at += code.length + 1;
    } else if (text.startsWith("    ") && lines[at - 1]?.text === "") {
      const code = linesUntil(lines, at, (line) => line !== "" && !line.startsWith("    "));
      blocks.push({ line: at + 1, language: "", lines: code.map(setOut), above });
      at += code.length - 1;
    }
    if (text !== "") above = text;
  }
  return blocks;
}

function setOut({ line, text }: Line): Line {
  return { line, text: text.slice(4) };
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
function commandsOf(lines: readonly Line[], machine: string): readonly DocumentedCommand[] {
  const commands: Line[] = [];
  let open = false;
  for (const { line, text } of lines) {
    const last = open ? commands.pop() : undefined;
    const command = last === undefined ? { line, text } : { line: last.line, text: `${last.text}\n${text}` };
    if (command.text.trim() !== "") commands.push(command);
    open = isOpen(command.text);
  }
  return commands.map((command) => toCommand(command, machine, undefined));
}

function isOpen(text: string): boolean {
  const end = /<<-?\s*(['"]?)(\w+)\1/.exec(text)?.[2];
  return text.endsWith("\\") || (end !== undefined && !text.split("\n").includes(end));
}

/** Commands and what they print, as a terminal shows them. */
function dialogueOf(lines: readonly Line[], machine: string): readonly DocumentedCommand[] {
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
    return toCommand(command, machine, shown === "" ? undefined : shown);
  });
}

function toCommand({ line, text }: Line, machine: string, output: string | undefined): DocumentedCommand {
  const code = /#.*\bends with code (\d+)\b/.exec(text)?.[1];
  return { line, machine, text, code: Number(code ?? 0), output, height: text.split("\n").length };
}
