// SPDX-License-Identifier: Apache-2.0
// Pools as maps of their blocks, and the same in a table.
import { cidrAddress } from "../../net/cidr.ts";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import {
  type AddressGrid,
  type Block,
  type GridCell,
  type Pool,
  byAddress,
  cellPrefix,
  gridOf,
} from "../model/address-grid.ts";
import { Table } from "./parts/table.tsx";
import { topology, view } from "./state.ts";

const CELL = 16;
const GAP = 2;
/** In the font of the labels. */
const CHARACTER = 6.1;

export function AddressesPage(): JSX.Element {
  const { pools = [], blocks = [] } = view.value ?? {};
  return (
    <div class="sheet">
      <h1>Address space</h1>
      {pools.map((pool) => (
        <PoolSection key={pool.id} pool={pool} blocks={blocks.filter((block) => block.pool === pool.id)} />
      ))}
      {pools.length === 0 && <p class="hint">There is no pool.</p>}
      <Strays blocks={blocks.filter(({ pool }) => pool === null)} />
    </div>
  );
}

function PoolSection({
  pool,
  blocks,
}: {
  readonly pool: Pool;
  readonly blocks: readonly Block[];
}): JSX.Element {
  const { id, name, cidr, blockSize, isDisabled, ipipMode, vxlanMode, addresses, used } = pool;
  const grid = gridOf(pool, blocks);
  const modes = [
    ...(ipipMode === "Never" ? [] : [`IPIP ${ipipMode}`]),
    ...(vxlanMode === "Never" ? [] : [`VXLAN ${vxlanMode}`]),
  ];
  return (
    <section class="pool" aria-labelledby={`pool ${id}`}>
      <h2 id={`pool ${id}`}>
        {name} <span class="mono">{cidr}</span>
      </h2>
      <p class="lead">
        {used.toLocaleString("en")} of {formatCount(addresses)} addresses are used.{" "}
        {blocks.length.toLocaleString("en")} of {formatCount(grid.capacity.toString())} blocks of /{blockSize}{" "}
        are claimed.
        {modes.length > 0 && ` ${modes.join(", ")}.`}
        {isDisabled && <b> Disabled: no new addresses.</b>}
      </p>
      <div class="pool-parts">
        <BlockMap pool={pool} grid={grid} />
        <BlockTable blocks={blocks} name={name} />
      </div>
    </section>
  );
}

function formatCount(decimal: string): string {
  return decimal.length > 15
    ? `2^${(BigInt(decimal).toString(2).length - 1).toString()}`
    : Number(decimal).toLocaleString("en");
}

/** Nodes have one of so many hues, by their place among all; a block's letter and the table tell them apart as well. */
const HUES = 8;

function hueOf(node: string | null): string {
  if (node === null) return "none";
  const index = topology.value.stations.findIndex((station) => station.node?.id === node);
  return index < 0 ? "none" : String(index % HUES);
}

function BlockMap({ pool, grid }: { readonly pool: Pool; readonly grid: AddressGrid }): JSX.Element {
  const pointed = useSignal<GridCell | undefined>(undefined);
  const pitch = CELL + GAP;
  const labels = Array.from({ length: grid.rows }, (_, row) =>
    cidrAddress(cellPrefix(pool, grid, row * grid.columns)),
  );
  const left = Math.max(...labels.map(({ length }) => length)) * CHARACTER + 10;
  const width = left + grid.columns * pitch - GAP;
  const height = grid.rows * pitch - GAP;
  return (
    <figure class="block-map">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={`Blocks of ${pool.name} in the order of their addresses; the table beside it tells the same`}
        onMouseLeave={() => (pointed.value = undefined)}
      >
        {labels.map((label, row) => (
          <text key={row} class="mono" x={left - 8} y={row * pitch + 12}>
            {label}
          </text>
        ))}
        <g transform={`translate(${left} 0)`}>
          <path class="empty" d={emptyCells(grid)} />
          {grid.cells.map((cell) => (
            <BlockCell
              key={cell.index}
              cell={cell}
              columns={grid.columns}
              onPoint={() => (pointed.value = cell)}
            />
          ))}
        </g>
      </svg>
      <figcaption>
        {pointed.value === undefined ? (
          <>
            A square is {grid.blocksPerCell === 1n ? "a block" : `${grid.blocksPerCell} blocks`}; addresses
            grow from left to right, row by row. Filled as far as its addresses are used.
          </>
        ) : (
          <>
            <span class="mono">{cellPrefix(pool, grid, pointed.value.index)}</span>:{" "}
            {pointed.value.blocks.map(describeBlock).slice(0, 3).join("; ")}
          </>
        )}
      </figcaption>
    </figure>
  );
}

function describeBlock({ id, node, used, size }: Block): string {
  return `${id} ${node ?? "of no node"}, ${used} of ${size} used`;
}

function emptyCells({ columns, rows, blocksPerCell, capacity }: AddressGrid): string {
  const count = Number(capacity / blocksPerCell);
  let path = "";
  for (let index = 0; index < Math.min(count, columns * rows); index += 1) {
    const x = (index % columns) * (CELL + GAP);
    const y = Math.floor(index / columns) * (CELL + GAP);
    path += `M${x} ${y}h${CELL}v${CELL}h${-CELL}z`;
  }
  return path;
}

function BlockCell(props: {
  readonly cell: GridCell;
  readonly columns: number;
  readonly onPoint: () => void;
}): JSX.Element {
  const { index, blocks } = props.cell;
  const used = blocks.reduce((sum, block) => sum + block.used, 0);
  const size = blocks.reduce((sum, block) => sum + block.size, 0);
  const share = size === 0 ? 0 : used / size;
  // What is used at all shows.
  const filled = used === 0 ? 0 : Math.max(1.5, CELL * share);
  const [first] = blocks;
  return (
    <g
      class={`block hue-${hueOf(first?.node ?? null)}`}
      transform={`translate(${(index % props.columns) * (CELL + GAP)} ${Math.floor(index / props.columns) * (CELL + GAP)})`}
      onMouseEnter={props.onPoint}
    >
      <rect class="claimed" width={CELL} height={CELL} />
      <rect class="used" y={CELL - filled} width={CELL} height={filled} />
    </g>
  );
}

function BlockTable({
  blocks,
  name,
}: {
  readonly blocks: readonly Block[];
  readonly name: string;
}): JSX.Element {
  if (blocks.length === 0) return <p class="hint">No block is claimed.</p>;
  return (
    <Table
      label={`Blocks of ${name}`}
      isTall
      columns={["Block", "Node", "Used", { number: "Cooling" }, { number: "Free" }]}
    >
      {byAddress(blocks).map(({ id, node, size, used, cooling, free }) => (
        <tr key={id}>
          <th scope="row" class="mono">
            {id}
          </th>
          <td>
            <span class={`swatch hue-${hueOf(node)}`} aria-hidden="true" />
            {node ?? "none"}
          </td>
          <td>
            <meter min="0" max={size} value={used} aria-label={`used of ${id}`}>
              {used}
            </meter>{" "}
            <span class="of">
              {used}/{size}
            </span>
          </td>
          <td class="number">{cooling}</td>
          <td class="number">{free}</td>
        </tr>
      ))}
    </Table>
  );
}

/** Of pools that are gone. */
function Strays({ blocks }: { readonly blocks: readonly Block[] }): JSX.Element {
  if (blocks.length === 0) return <></>;
  return (
    <section aria-labelledby="strays">
      <h2 id="strays">Blocks in no pool</h2>
      <BlockTable blocks={blocks} name="no pool" />
    </section>
  );
}
