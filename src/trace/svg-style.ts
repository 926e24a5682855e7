// SPDX-License-Identifier: Apache-2.0

/** The looks of a picture, light and dark; colours have a contrast of 4.5 to 1 at least where they are words (WCAG 2.2, 1.4.3). */
export const SVG_STYLE = `  <style>
    svg {
      --page: #ffffff; --band: #f3f6f9; --ink: #16283c; --quiet: #52657a; --lane: #c3cedb; --there: #1f7a58; --back: #2f5f9e; --fault: #b3261e;
      --fault-box: #fdf1f0; --on-dot: #ffffff
    }
    @media (prefers-color-scheme: dark) {
      svg {
        --page: #10161d; --band: #171f29; --ink: #e3eaf2; --quiet: #9fb0c3; --lane: #3a4858; --there: #5cc79d; --back: #86b4f2; --fault: #ff9d94;
        --fault-box: #2c1816; --on-dot: #10161d
      }
    }
    .page { fill: var(--page) }
    .band { fill: var(--band) }
    text { font: 12px ui-monospace, 'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace; fill: var(--ink); white-space: pre }
    .title { font: 600 16px system-ui, 'DejaVu Sans', sans-serif }
    .station { font-size: 13px; font-weight: 600; text-anchor: middle }
    .section { font: 600 14px system-ui, 'DejaVu Sans', sans-serif }
    .section.there { fill: var(--there) } .section.back { fill: var(--back) }
    .lead { font-weight: 700 }
    .mark { fill: var(--quiet) }
    .count { fill: var(--quiet); text-anchor: end }
    .number { font-size: 10px; font-weight: 700; text-anchor: middle; fill: var(--on-dot) }
    .lane { stroke: var(--lane); stroke-width: 1.5 }
    .there { stroke: var(--there); fill: var(--there) } .back { stroke: var(--back); fill: var(--back) }
    text.there, text.back { stroke: none }
    line.there, line.back { stroke-width: 2.5 }
    .tunnel { stroke: var(--lane); stroke-width: 12; stroke-linecap: round }
    .hollow { fill: var(--page); stroke-width: 1.5 }
    .hollow + .number { fill: var(--ink) }
    .works { font-weight: 700; fill: var(--there) }
    .fault { fill: var(--fault) }
    .fault-box { fill: var(--fault-box); stroke: var(--fault) }
    .cross { stroke: var(--fault); stroke-width: 3.5; stroke-linecap: round }
  </style>`;
