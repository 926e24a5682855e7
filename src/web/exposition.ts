// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). It is written here because its official client for Node
// (`@prometheus-io/client` 0.16) brings OpenTelemetry along, which takes a quarter of a second to load while everything else waits.

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** What follows the metric's name, as `_bucket` does. @default nothing */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric and all that is known of it now. */
export interface MetricFamily {
  /** With its unit in it, as `…_seconds`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The page that a scrape gets. */
export function renderExposition(families: readonly MetricFamily[]): string {
  return families.map((family) => `${familyLines(family).join("\n")}\n`).join("");
}

function familyLines({ name, type, help, samples }: MetricFamily): readonly string[] {
  return [
    `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(
      ({ suffix = "", labels = {}, value }) =>
        `${name}${suffix}${renderLabels(labels)} ${renderValue(value)}`,
    ),
  ];
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** As Go's `ParseFloat` reads it. */
function renderValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
