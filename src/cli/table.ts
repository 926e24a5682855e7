// SPDX-License-Identifier: Apache-2.0

/** Columns side by side, each as wide as its widest cell; nothing follows the last. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = columnWidths(rows);
  return rows.map((row) => renderRow(row, widths)).join("\n");
}

/** In characters, by column. */
export function columnWidths(rows: readonly (readonly string[])[]): readonly number[] {
  const widest = (column: number): number =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0);
  return (rows[0] ?? []).map((_, column) => widest(column));
}

export function renderRow(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
  return cells.join("   ").trimEnd();
}
