// SPDX-License-Identifier: Apache-2.0
// The dashboard of a real lab, in a real browser; and of a generated network that is larger than a lab of this machine.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import {
  type TestBrowser,
  type TestPage,
  accessibilityFaults,
  attributeOf,
  openBrowser,
  sidewaysScroll,
} from "./browser.ts";
import { countersAfter, generateView, serveView } from "./dashboard-fixture.ts";
import { type Dashboard, buildPage, startDashboard } from "./dashboard-harness.ts";
import { FAST_PING, type Lab, createLab, eventually, eventuallyEqual, succeed, MARGAY } from "./harness.ts";

const THEMES = ["light", "dark"] as const;
/** How often a packet is looked at on its way, where it is seen too seldom. */
const ROUNDS = 5;
const VIEWS = ["map", "trace", "nodes", "nodes/host1", "addresses", "events"] as const;

let browser: TestBrowser;
before(async () => {
  await buildPage();
  browser = await openBrowser();
});
after(async () => {
  await browser[Symbol.asyncDispose]();
});

async function show(page: Page, view: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${view}`);
  await page.locator("main h1").first().waitFor({ state: "attached" });
  // What a node's page asks for has come.
  if (view.startsWith("nodes/")) await page.locator("#neighbours ~ .scroll").waitFor();
}

async function traceFrom(page: Page, source: string, destination: string): Promise<void> {
  await show(page, "trace");
  await page.getByLabel("From", { exact: true }).fill(source);
  await page.getByLabel("To", { exact: true }).fill(destination);
  await page.getByRole("button", { name: "Trace", exact: true }).click();
  await page.locator(".verdict").waitFor();
}

async function stepShown(page: Page): Promise<number> {
  return Number.parseInt(await page.locator(".counter").innerText(), 10);
}

describe("the dashboard of a lab", () => {
  let lab: Lab;
  let dashboard: Dashboard;
  before(async () => {
    lab = await createLab();
    dashboard = await startDashboard(lab.name);
  });
  after(async () => {
    await dashboard[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  /** The first page is the map, and it is there. */
  async function open(options?: Parameters<TestBrowser["open"]>[1]): Promise<TestPage> {
    const opened = await browser.open(dashboard.url, options);
    await opened.page.locator('[data-key^="container "]').nth(3).waitFor();
    return opened;
  }

  it("draws hosts, containers, the underlay and sessions, and what they carry", async () => {
    await using opened = await open();
    const { page, complaints, picture } = opened;
    assert.doesNotMatch(page.url(), /token/);
    let names: readonly (string | null)[] = [];
    const isDrawn = async (wanted: RegExp): Promise<boolean> => {
      names = await page.locator(".map .item").evaluateAll((all) => all.map((item) => item.ariaLabel));
      return names.some((name) => wanted.test(name ?? ""));
    };
    for (const wanted of [
      /^underlay0 192\.168\.0\.0\/24, segment of the underlay$/,
      /^host1 192\.168\.0\.101, host, BIRD, 2 containers, ready$/,
      /^a 10\.1\.\S+, container on host1, ready$/,
      /^BGP: session host1 – host2, Established$/,
    ])
      await eventually(() => isDrawn(wanted), String(wanted)).catch(() => {
        assert.fail(`nothing like ${String(wanted)} among ${names.join("; ")}`);
      });
    await page.getByRole("heading", { name: "All is well" }).waitFor();

    const ping = lab.start("a", ...FAST_PING, await lab.address("d"));
    try {
      const rate = page.locator(".traffic", { hasText: /b\/s/ }).first();
      await rate.waitFor();
      await page.getByRole("row", { name: /^a / }).waitFor();
      await picture("map");
    } finally {
      ping.kill("SIGKILL");
    }
    assert.deepEqual(complaints, []);
  });

  it("says who is not known, and shows them nothing", async () => {
    await using opened = await browser.open(dashboard.url.replace(/#token=.*/, "#token=another"));
    await opened.page.getByRole("heading", { name: "The server does not know this page" }).waitFor();
    assert.equal(await opened.page.locator(".map").count(), 0);
    await opened.picture("refused");
  });

  it("moves a traced packet along the map, in the words of the command", async () => {
    await using opened = await open();
    const { page, complaints, picture } = opened;
    await traceFrom(page, "a", "d");
    await page.getByText("The path works.").waitFor();
    const places = new Set<string>();
    // More than there are steps: it moves between them. It does so in its time, however seldom it is looked at: then again.
    for (let round = 0; places.size <= 12 && round < ROUNDS; round += 1) {
      if (round > 0) {
        await page.getByLabel("Step", { exact: true }).fill("0");
        await page.getByRole("button", { name: "Play", exact: true }).click();
      }
      while ((await stepShown(page)) < 9) {
        places.add(await attributeOf(page, ".packet", "transform"));
        if (places.size === 12) await picture("trace-moving");
      }
    }
    assert.ok(places.size > 12, `the packet was seen at ${places.size} places`);
    await page.getByLabel("Step", { exact: true }).fill("9");
    await picture("trace");

    const told = JSON.parse(await succeed(MARGAY, ["trace", "a", "d", "--lab", lab.name, "--json"])) as {
      readonly steps: readonly {
        readonly station: string;
        readonly text: string;
        readonly fact: { readonly kind: string };
      }[];
    };
    // Who had to be asked for a MAC address, that was known to the next probe.
    const steps = told.steps.filter(({ fact }) => fact.kind !== "resolution");
    const shown = await page.locator(".steps li:not(.resolution)").evaluateAll((lines) =>
      lines.map((line) => ({
        station: line.querySelector(".where")?.textContent,
        text: line.querySelector(".text")?.textContent,
      })),
    );
    // Ports, lengths of time and what ARP knew differ from one probe to the next.
    const places2 = (
      steps: readonly { readonly station?: string | null | undefined }[],
    ): readonly unknown[] => steps.map(({ station }) => station);
    assert.deepEqual(places2(shown), places2(steps));
    const routes = (steps: readonly { readonly text?: string | null | undefined }[]): readonly unknown[] =>
      steps.map(({ text }) => text).filter((text) => text?.startsWith("looks up"));
    assert.deepEqual(routes(shown), routes(steps));
    assert.deepEqual(complaints, []);
  });

  it("is used by the keyboard alone", async () => {
    await using opened = await open();
    const { page, complaints, picture } = opened;
    const press = async (...keys: readonly string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = (): Promise<string> =>
      page.evaluate(
        () => document.activeElement?.ariaLabel ?? document.activeElement?.textContent.trim() ?? "",
      );
    await press("Tab");
    assert.equal(await focused(), "To the content");
    await press("Enter", "Tab");
    assert.match(await focused(), /^host1 /);
    const ring = await page
      .locator(".item:focus-visible .ring")
      .evaluate((box) => getComputedStyle(box).strokeWidth);
    assert.equal(ring, "4px");
    await press("ArrowDown");
    assert.match(await focused(), /^a 10/);
    await press("ArrowRight", "ArrowRight", "ArrowUp");
    assert.match(await focused(), /^host2 /);
    await picture("keyboard");
    await press("ArrowLeft");
    assert.match(await focused(), /^host1 /);
    await press("ArrowDown", "Enter");
    await page.getByRole("heading", { name: "a", exact: true }).waitFor();
    await press("+", "-", "0", "Shift+ArrowLeft");

    await page.getByRole("link", { name: "Trace from here" }).focus();
    await press("Enter");
    await page.getByLabel("From", { exact: true }).waitFor();
    assert.equal(await page.getByLabel("From", { exact: true }).inputValue(), "a");
    await page.getByLabel("To", { exact: true }).focus();
    await press("Control+A", "d", "Enter");
    await page.getByText("The path works.").waitFor();
    await page.getByRole("button", { name: "Pause" }).focus();
    await press("Space", "ArrowRight", "ArrowRight", "ArrowLeft");
    const before = await stepShown(page);
    await press("ArrowRight");
    await eventuallyEqual(async () => String(await stepShown(page)), String(before + 1));
    assert.deepEqual(complaints, []);
  });

  it("fits a narrow screen", async () => {
    await using opened = await open({ viewport: { width: 320, height: 640 } });
    const { page, complaints, picture } = opened;
    for (const view of VIEWS) {
      await show(page, view);
      await picture(`narrow-${view.replace("/", "-")}`);
      assert.equal(await sidewaysScroll(page), 0, view);
    }
    await traceFrom(page, "a", "d");
    await picture("narrow-traced");
    assert.equal(await sidewaysScroll(page), 0);
    assert.deepEqual(complaints, []);
  });

  for (const colorScheme of THEMES)
    it(`can be read and operated by everybody, ${colorScheme}`, async () => {
      await using opened = await open({ colorScheme });
      const { page, complaints, picture } = opened;
      for (const view of VIEWS) {
        await show(page, view);
        await picture(`${view.replace("/", "-")}-${colorScheme}`);
        assert.deepEqual(await accessibilityFaults(page), [], view);
      }
      await traceFrom(page, "b", "c");
      await page.getByLabel("Step", { exact: true }).fill("9");
      await picture(`traced-${colorScheme}`);
      assert.deepEqual(await accessibilityFaults(page), []);
      await show(page, "map");
      await page.locator('[data-key="station host1"]').focus();
      await page.keyboard.press("Enter");
      assert.deepEqual(await accessibilityFaults(page), []);
      assert.deepEqual(complaints, []);
    });

  it("has colours as the system has them, and others where somebody wants so", async () => {
    await using opened = await open({ colorScheme: "dark" });
    const { page } = opened;
    const paper = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await paper();
    const button = page.getByRole("button", { name: "Colours" });
    await button.click();
    const light = await paper();
    assert.notEqual(light, dark);
    await page.reload();
    await page.locator(".map").waitFor();
    assert.equal(await paper(), light);
  });

  it("shows a cut link, what it breaks, and that it is mended", async (t) => {
    await using opened = await open();
    const { page, complaints, picture } = opened;
    await page.getByRole("heading", { name: "All is well" }).waitFor();
    const down = page.locator(".problems").getByText("host2: link eth0 is down");
    const shown = down.waitFor().then(() => performance.now());
    const cutMs = performance.now();
    await lab.exec("host2", "ip", "link", "set", "eth0", "down");
    t.diagnostic(
      `a cut link was on the page ${Math.round((await shown) - cutMs)} ms after "ip link set eth0 down" was called`,
    );
    await page.locator(".port.down .cut").waitFor();
    await picture("cut");
    assert.deepEqual(await accessibilityFaults(page), []);

    await traceFrom(page, "a", "d");
    await page.locator(".verdict.broken").waitFor();
    assert.match(await page.locator(".verdict").innerText(), /It ends at host[12].*Cause.*Remedy/s);
    await page.getByLabel("Step", { exact: true }).press("End");
    await page.locator(".packet-layer .broken").waitFor();
    await picture("trace-broken");
    assert.deepEqual(await accessibilityFaults(page), []);

    await show(page, "map");
    await lab.exec("host2", "ip", "link", "set", "eth0", "up");
    await page.getByRole("heading", { name: "All is well" }).waitFor();
    await show(page, "events");
    await page.getByLabel("Text").fill("eth0");
    await page.locator(".events li").nth(1).waitFor();
    await picture("events-filtered");
    assert.deepEqual(complaints, []);
  });
});

describe("the dashboard of a thousand containers", () => {
  it("stays fluid while it is moved and while everything carries something", async (t) => {
    const view = generateView({ hosts: 20, containersPerHost: 50 });
    await using server = await serveView(view);
    await using opened = await browser.open(server.url);
    const { page, complaints, picture } = opened;
    await page.locator('[data-key^="container "]').nth(999).waitFor();
    let readings = 0;
    const carry = setInterval(() => {
      readings += 1;
      server.change({ counters: { set: countersAfter(view, readings), removed: [] } });
    }, 1000);
    try {
      await page.locator('.busy[data-level="3"]').first().waitFor({ state: "attached" });
      await picture("thousand");
      for (const [what, zooms] of [
        ["as a whole", 0],
        ["from near by", 6],
      ] as const) {
        for (let count = 0; count < zooms; count += 1)
          await page.getByRole("button", { name: "Zoom in" }).click();
        const from = await attributeOf(page, ".world", "style");
        const frames = await framesWhilePanning(page);
        t.diagnostic(`panned ${what}: ${describeFrames(frames)}`);
        assert.notEqual(await attributeOf(page, ".world", "style"), from);
      }
      await page.waitForTimeout(300);
      await picture("thousand-near");
    } finally {
      clearInterval(carry);
    }
    await page.getByRole("searchbox").fill("c17-33");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "c17-33" }).waitFor();
    await picture("thousand-found");
    assert.deepEqual(await accessibilityFaults(page), []);

    // One of them goes, another is not ready; of 190 sessions one is lost, and is drawn.
    const [gone, bad] = view.containers;
    const [session] = view.sessions;
    assert.ok(gone !== undefined && bad !== undefined && session !== undefined);
    server.change({
      sessions: { set: [{ ...session, state: "Active", lastError: "Socket: timed out" }], removed: [] },
      containers: { set: [{ ...bad, isReady: false, missing: ["its route"] }], removed: [gone.id] },
    });
    await page.getByText(`${bad.name} on host01 is not ready`).waitFor();
    await page.getByText("999 containers").waitFor();
    await page.locator(".item.session.down", { hasText: "BGP Active" }).waitFor();
    await page.getByText("at host01: Active, Socket: timed out").waitFor();
    assert.deepEqual(complaints, []);
  });
});

/** The time between frames, in milliseconds, for as long as the map is dragged about. */
async function framesWhilePanning(page: Page): Promise<readonly number[]> {
  await page.evaluate(() => {
    const times: number[] = [];
    const note = (now: number): void => {
      times.push(now);
      if (!("stopFrames" in globalThis)) requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
    Object.assign(globalThis, { frameTimes: times });
  });
  await page.mouse.move(480, 620);
  await page.mouse.down();
  for (let step = 0; step < 120; step += 1)
    await page.mouse.move(480 + 180 * Math.sin(step / 9), 500 + 120 * Math.cos(step / 13));
  await page.mouse.up();
  return await page.evaluate(() => {
    const { frameTimes } = globalThis as unknown as { readonly frameTimes: readonly number[] };
    Object.assign(globalThis, { stopFrames: true });
    const deltas = frameTimes.slice(1).map((time, index) => time - (frameTimes[index] ?? time));
    Reflect.deleteProperty(globalThis, "stopFrames");
    return deltas;
  });
}

function describeFrames(frames: readonly number[]): string {
  const sorted = frames.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    `${(sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1)} ms`;
  return `${frames.length} frames, median ${at(0.5)}, 95 % within ${at(0.95)}, longest ${at(1)}`;
}
