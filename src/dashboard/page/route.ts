// SPDX-License-Identifier: Apache-2.0
// Which view is shown, from the address behind "#".
import { signal } from "@preact/signals";

export const PAGES = ["map", "trace", "nodes", "addresses", "events"] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  readonly page: Page;
  /** What follows the page's name. */
  readonly rest: readonly string[];
}

function parseRoute(hash: string): Route {
  const [, name, ...rest] = hash.replace(/^#/, "").split("/");
  const page = PAGES.find((known) => known === name) ?? "map";
  return { page, rest: rest.map(decodeURIComponent) };
}

export const route = signal<Route>(parseRoute(location.hash));

addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

export function hrefOf(page: Page, ...rest: readonly string[]): string {
  return `#/${[page, ...rest.map(encodeURIComponent)].join("/")}`;
}
