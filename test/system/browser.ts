// SPDX-License-Identifier: Apache-2.0
// Chromium, without a window, and what pages in it complain about.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, type Page, chromium } from "playwright-core";
import { PATIENCE_MS } from "./patience.ts";

const CHROMIUM = "/usr/bin/chromium";
const ARTEFACTS = fileURLToPath(new URL("../../artefacts/dashboard", import.meta.url));
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export interface TestBrowser extends AsyncDisposable {
  /** A page in a profile of its own, at the address. */
  open(url: string, options?: BrowserContextOptions): Promise<TestPage>;
}

export interface TestPage extends AsyncDisposable {
  readonly page: Page;
  /** Keeps a picture for people to look at. */
  readonly picture: (name: string) => Promise<void>;
  /** What the browser or the page has complained about. */
  readonly complaints: readonly string[];
}

export async function openBrowser(): Promise<TestBrowser> {
  mkdirSync(ARTEFACTS, { recursive: true });
  // It refuses to run as root with its sandbox; it sees nothing but pages of these tests.
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox"],
    timeout: PATIENCE_MS,
  });
  return {
    async open(url, options = {}) {
      const context = await browser.newContext({ viewport: { width: 1360, height: 820 }, ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("requestfailed", (request) => {
        const { errorText = "" } = request.failure() ?? {};
        // A page gives up what it asks for again and again once it shows something else, and all that it follows once it is closed.
        if (errorText !== "net::ERR_ABORTED" && !page.isClosed())
          complaints.push(`${request.url()}: ${errorText}`);
      });
      await page.goto(url);
      return {
        page,
        complaints,
        picture: async (name) => {
          await page.screenshot({ path: `${ARTEFACTS}/${name}.png` });
        },
        async [Symbol.asyncDispose]() {
          await context.close();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
    },
  };
}

/** Findings of axe that keep people out, in words: rule, and where. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  // Not as a script of the page, which its policy would refuse.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(readFileSync(AXE, "utf8"));
  const found = await page.evaluate(async () => {
    interface Axe {
      run(): Promise<{
        violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[];
      }>;
    }
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
      );
  });
  return found;
}

/** How much wider than the window the page is, in pixels. */
export async function sidewaysScroll(page: Page): Promise<number> {
  return await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}

/** The attribute of the first element; fails where there is none. */
export async function attributeOf(page: Page, selector: string, name: string): Promise<string> {
  return (
    (await page.locator(selector).first().getAttribute(name)) ?? assert.fail(`${selector} has no ${name}`)
  );
}
