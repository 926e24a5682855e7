// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";

/** `auto`: as the system has it. */
export type Theme = "auto" | "light" | "dark";

const KEY = "margay-theme";
const ORDER: readonly Theme[] = ["auto", "light", "dark"];

function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return ORDER.find((known) => known === stored) ?? "auto";
}

export const theme = signal<Theme>(storedTheme());

export function applyTheme(): void {
  document.documentElement.dataset["theme"] = theme.value;
}

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "auto";
  localStorage.setItem(KEY, theme.value);
  applyTheme();
}
