// SPDX-License-Identifier: Apache-2.0
import { renderBash } from "./bash.ts";
import type { CompletedCommand } from "./tree.ts";

/** zsh runs bash's completions by a module of its own (zshcompsys, "bashcompinit"). */
export function renderZsh(commands: readonly CompletedCommand[], kinds: readonly string[]): string {
  return `autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${renderBash(commands, kinds)}`;
}
