// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, OptionValue } from "./tree.ts";

/**
 * A completion for bash 4 or newer, in words that zsh reads alike (where `path` is the PATH). The words of the commands are written into it, so that only names of resources need the program. Those are compared and never expanded: what
 * stands in a datastore must not be run by a press of a key.
 */
export function renderBash(commands: readonly CompletedCommand[], kinds: readonly string[]): string {
  return `# Completion of margay for bash: source it, or put it into /etc/bash_completion.d/margay.
${lookup(
  "_margay_children",
  commands.map(({ path, children }) => [path, children.map(({ name }) => name)]),
)}
${lookup(
  "_margay_options",
  commands.map(({ path, options }) => [path, options.flatMap(({ flags }) => flags)]),
)}
${lookup(
  "_margay_words",
  commands.map(({ path, words, takesKind }) => [path, takesKind ? kinds : words]),
)}
# What follows an option: words, @file, or @text; fails for one that nothing follows.
${lookup("_margay_value", commands.flatMap(valuesOf), "return 1")}
_margay_takes_kind() {
  case $1 in
  ${pattern(commands.filter(({ takesKind }) => takesKind).map(({ path }) => path))}) return 0 ;;
  *) return 1 ;;
  esac
}
${FUNCTIONS}
complete -F _margay margay
`;
}

/** A function that prints words by a key. */
function lookup(
  name: string,
  rows: readonly (readonly [string, readonly string[]])[],
  otherwise = ":",
): string {
  const cases = rows
    .filter(([, words]) => words.length > 0)
    .map(([key, words]) => `  ${quote(key)}) printf '%s\\n' ${quote(words.join(" "))} ;;`);
  return `${name}() {\n  case $1 in\n${cases.join("\n")}\n  *) ${otherwise} ;;\n  esac\n}`;
}

function valuesOf({ path, options }: CompletedCommand): readonly (readonly [string, readonly string[]])[] {
  return options.flatMap(({ flags, value }) =>
    flags.map((flag) => [`${path} ${flag}`, wordsOf(value)] as const),
  );
}

function wordsOf(value: OptionValue): readonly string[] {
  switch (value.kind) {
    case "none":
      return [];
    case "words":
      return value.words;
    case "file":
    case "text":
      return [`@${value.kind}`];
  }
}

function pattern(texts: readonly string[]): string {
  return texts.length === 0 ? "''" : texts.map(quote).join(" | ");
}

/** As one word of a shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const FUNCTIONS = String.raw`# Takes those of the words in $1 that begin with $2.
_margay_take() {
  local word
  for word in $1; do
    case $word in "$2"*) COMPREPLY+=("$word") ;; esac
  done
}

_margay_take_files() {
  local file
  compopt -o filenames 2>/dev/null
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$1")
}

# Takes the names of resources of kind $1 that begin with $2; the rest says where to ask.
_margay_take_names() {
  local kind=$1 current=$2 name
  shift 2
  while IFS= read -r name; do
    name=${"$"}{name##*/}
    case $name in
    *[!A-Za-z0-9._-]*) ;;
    "$current"*) COMPREPLY+=("$name") ;;
    esac
  done < <(command "${"$"}{COMP_WORDS[0]}" get "$kind" -o name "$@" 2>/dev/null)
}

_margay() {
  local current=${"$"}{COMP_WORDS[COMP_CWORD]} at=margay kind='' option='' word values index
  local arguments=0
  local -a where
  COMPREPLY=()
  where=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${"$"}{COMP_WORDS[index]}
    # Bash takes --option=value apart.
    if [[ $word == '=' ]]; then
      continue
    elif [[ -n $option ]]; then
      case $option in --socket | -n | --namespace) where+=("$option" "$word") ;; esac
      option=''
    elif [[ $word == -* ]]; then
      if _margay_value "$at $word" >/dev/null; then option=$word; fi
    elif [[ $arguments -eq 0 && " $(_margay_children "$at") " == *" $word "* ]]; then
      at="$at $word"
    else
      arguments=$((arguments + 1))
      if [[ $arguments -eq 1 ]]; then kind=$word; fi
    fi
  done
  if [[ $current == '=' ]]; then current=''; fi
  if [[ -n $option ]]; then
    values=$(_margay_value "$at $option")
    case $values in
    @file) _margay_take_files "$current" ;;
    @text) ;;
    *) _margay_take "$values" "$current" ;;
    esac
  elif [[ $current == -* ]]; then
    _margay_take "$(_margay_options "$at")" "$current"
  elif [[ $arguments -eq 0 ]]; then
    _margay_take "$(_margay_children "$at") $(_margay_words "$at")" "$current"
  elif _margay_takes_kind "$at"; then
    _margay_take_names "$kind" "$current" "${"$"}{where[@]}"
  fi
}`;
