// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, CompletedOption } from "./tree.ts";

/** A completion for fish 3 or newer. */
export function renderFish(commands: readonly CompletedCommand[], kinds: readonly string[]): string {
  const children = commands.flatMap(({ path, children: names }) =>
    names.map(({ name }) => `${path} ${name}`),
  );
  const valued = commands.flatMap(({ options }) =>
    options.flatMap(({ flags, value }) => (value.kind === "none" ? [] : flags)),
  );
  return `# Completion of margay for fish: put it into ~/.config/fish/completions/margay.fish.
# The words before the one that is being written, without options and their values.
function __margay_words
    set -l is_value 0
    for word in (commandline -opc)
        if test $is_value = 1
            set is_value 0
            continue
        end
        switch $word
            case ${[...new Set(valued)].map(quote).join(" ")}
                set is_value 1
            case '-*'
            case '*'
                echo $word
        end
    end
end

# The words that lead to the command at hand.
function __margay_path
    set -l path margay
    for word in (__margay_words)[2..]
        switch "$path $word"
            case ${children.map(quote).join(" ")}
                set path "$path $word"
        end
    end
    echo $path
end

# The words behind the command.
function __margay_arguments
    set -l path (string split ' ' -- (__margay_path))
    set -l words (__margay_words)
    for word in $words[(math (count $path) + 1)..]
        echo $word
    end
end

function __margay_at
    test (__margay_path) = "$argv"
end

function __margay_names
    set -l kind (__margay_arguments)[1]
    margay get $kind -o name 2>/dev/null | string replace -r '^.*/' ''
end

complete -c margay -f
${commands.flatMap((command) => linesOf(command, kinds)).join("\n")}
`;
}

function linesOf(command: CompletedCommand, kinds: readonly string[]): readonly string[] {
  const { path, children, options, words, takesKind } = command;
  const at = `complete -c margay -n ${quote(`__margay_at ${path}`)}`;
  const first = takesKind ? kinds : words;
  const at0 = `complete -c margay -n ${quote(`__margay_at ${path}; and test (count (__margay_arguments)) -eq 0`)}`;
  const at1 = `complete -c margay -n ${quote(`__margay_at ${path}; and test (count (__margay_arguments)) -gt 0`)}`;
  return [
    ...children.map(({ name, description }) => `${at} -a ${quote(name)} -d ${quote(description)}`),
    ...options.map((option) => `${at} ${flagsOf(option)} -d ${quote(option.description)}`),
    ...(first.length === 0 ? [] : [`${at0} -a ${quote(first.join(" "))}`]),
    ...(takesKind ? [`${at1} -a '(__margay_names)'`] : []),
  ];
}

function flagsOf({ flags, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const takes = {
    none: "",
    text: "-x",
    file: "-r -F",
    words: `-x -a ${quote(value.kind === "words" ? value.words.join(" ") : "")}`,
  }[value.kind];
  return [...names, takes].join(" ").trim();
}

/** fish knows two escapes inside single quotes: of the quote, and of the backslash. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
