// SPDX-License-Identifier: Apache-2.0
import type { Summary } from "./statistics.ts";

export interface BarChart {
  readonly title: string;
  /** Said to those who cannot see it. */
  readonly description: string;
  readonly groups: readonly BarGroup[];
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly label: string;
  /** Absent where there is nothing to measure. */
  readonly value: Summary | undefined;
  readonly isReference: boolean;
}

const WIDTH = 760;
const LEFT = 210;
const RIGHT = 60;
const TOP = 44;
const BAR = 18;
const STEP = 26;
const GROUP_HEAD = 30;
const GROUP_GAP = 16;
const FOOT = 28;

/** Dark where the reader's system is: an image of its own learns that by the media query. */
const STYLE = `
    text { font-family: ui-sans-serif, system-ui, 'DejaVu Sans', sans-serif; font-size: 13px; fill: #24384c }
    .title { font-size: 16px; font-weight: 600 }
    .group { font-weight: 600 }
    .tick { font-size: 11px; fill: #5a6b7c; text-anchor: middle }
    .label { text-anchor: end }
    .grid { stroke: #d5dde5 }
    .one { stroke: #3b5b7e; stroke-dasharray: 4 3 }
    .bar { fill: #2f8f6b }
    .reference { fill: #7d93a8 }
    .spread { stroke: #10241b; stroke-width: 1.5 }
    .ground { fill: #ffffff }
    @media (prefers-color-scheme: dark) {
      text { fill: #d6e0ea }
      .tick { fill: #93a5b6 }
      .grid { stroke: #2c3947 }
      .one { stroke: #8fb0d0 }
      .bar { fill: #3fae84 }
      .reference { fill: #5f7488 }
      .spread { stroke: #e9f5ef }
      .ground { fill: #11181f }
    }`;

/** Groups of horizontal bars on one scale from zero; a line across each bar goes from the smallest to the largest value. */
export function renderBarChart({ title, description, groups }: BarChart): string {
  const scale = scaleOf(groups);
  const heights = groups.map(({ bars }) => GROUP_HEAD + bars.length * STEP + GROUP_GAP);
  const bottom = TOP + heights.reduce((sum, height) => sum + height, 0);
  const height = bottom + FOOT;
  let y = TOP;
  const drawn = groups.map((group, index) => {
    const text = renderGroup(group, y, scale);
    y += heights[index] ?? 0;
    return text;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">
  <title id="title">${escape(title)}</title>
  <desc id="desc">${escape(description)}</desc>
  <style>${STYLE}
  </style>
  <rect class="ground" width="${WIDTH}" height="${height}"/>
  <text class="title" x="20" y="28">${escape(title)}</text>
${renderTicks(scale, bottom)}
${drawn.join("\n")}
</svg>
`;
}

interface Scale {
  readonly largest: number;
  readonly x: (value: number) => number;
}

function scaleOf(groups: readonly BarGroup[]): Scale {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value?.largest ?? 0));
  const largest = Math.max(1, ...values);
  return { largest, x: (value) => round(LEFT + (value / largest) * (WIDTH - LEFT - RIGHT)) };
}

function renderTicks({ largest, x }: Scale, bottom: number): string {
  const step = largest > 2 ? 0.5 : 0.25;
  const ticks = Array.from({ length: Math.floor(largest / step) + 1 }, (_, index) => index * step);
  return ticks
    .flatMap((tick) => [
      `  <line class="${tick === 1 ? "one" : "grid"}" x1="${x(tick)}" y1="${TOP}" x2="${x(tick)}" y2="${bottom}"/>`,
      `  <text class="tick" x="${x(tick)}" y="${bottom + 16}">${tick.toFixed(2)}</text>`,
    ])
    .join("\n");
}

function renderGroup({ title, bars }: BarGroup, top: number, scale: Scale): string {
  const head = `  <text class="group" x="20" y="${top + 18}">${escape(title)}</text>`;
  return [head, ...bars.map((bar, index) => renderBar(bar, top + GROUP_HEAD + index * STEP, scale))].join(
    "\n",
  );
}

function renderBar({ label, value, isReference }: Bar, y: number, { x }: Scale): string {
  const base = y + BAR - 5;
  const name = `  <text class="label" x="${LEFT - 10}" y="${base}">${escape(label)}</text>`;
  if (value === undefined) return `${name}\n  <text x="${LEFT + 6}" y="${base}">not available</text>`;
  const middle = y + BAR / 2;
  const kind = isReference ? "reference" : "bar";
  return [
    name,
    `  <rect class="${kind}" x="${LEFT}" y="${y}" width="${round(x(value.median) - LEFT)}" height="${BAR}" rx="2"/>`,
    `  <line class="spread" x1="${x(value.smallest)}" y1="${middle}" x2="${x(value.largest)}" y2="${middle}"/>`,
    `  <text x="${round(x(Math.max(value.median, value.largest)) + 8)}" y="${base}">${value.median.toFixed(2)}</text>`,
  ].join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
