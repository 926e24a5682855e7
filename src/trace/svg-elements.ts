// SPDX-License-Identifier: Apache-2.0
// Elements of SVG as text, each with a class that `svg-style.ts` says the looks of.

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function rect(kind: string, { x, y, width, height }: Box): string {
  return `  <rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
}

export function circle(kind: string, x: number, y: number, radius: number): string {
  return `  <circle class="${kind}" cx="${x}" cy="${y}" r="${radius}"/>`;
}

export function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `  <line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

/** A line of words, which are escaped. */
export function text(kind: string, x: number, y: number, words: string): string {
  return `  <text class="${kind}" x="${x}" y="${y}">${escaped(words)}</text>`;
}

/** A line whose beginning stands out. */
export function textWithLead(kind: string, x: number, y: number, lead: string, words: string): string {
  return `  <text class="${kind}" x="${x}" y="${y}"><tspan class="lead">${escaped(lead)}</tspan>${escaped(words)}</text>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function escaped(words: string): string {
  return words.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
