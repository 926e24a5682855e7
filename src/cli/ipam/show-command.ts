// SPDX-License-Identifier: Apache-2.0
import { Command, Option } from "commander";
import { allocationsOf } from "../../ipam/block.ts";
import { type Inventory, readInventory } from "../../ipam/inventory.ts";
import type { IpamBlock } from "../../model/ipam-block.ts";
import { type Cidr, cidrContains, cidrContainsIp, cidrSize } from "../../net/cidr.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { print } from "../print.ts";
import { parseAddress } from "./address.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";
import { renderTable } from "../table.ts";
import { readConfiguration, renderConfiguration } from "./configuration.ts";

interface ShowOptions extends StoreOptions {
  readonly ip?: string;
  readonly showBlocks?: boolean;
  readonly showBorrowed?: boolean;
  readonly showConfiguration?: boolean;
  readonly json?: boolean;
}

/** A line of a table. */
interface Range {
  readonly kind: "pool" | "block";
  readonly cidr: Cidr;
  readonly node?: string;
  /** Decimal, for IPv6 has more than a number holds. */
  readonly total: string;
  readonly inUse: number;
}

export function createShowCommand({ signal }: CommandContext): Command {
  const command = new Command("show")
    .description("show how much of the pools is in use, or who has an address")
    .addOption(view("--ip <address>", "who has this one"))
    .addOption(view("--show-blocks", "the blocks of each pool too"))
    .addOption(view("--show-borrowed", "addresses that are used away from their block's node"))
    .addOption(view("--show-configuration", "how nodes take addresses"))
    .option("--json", "print JSON");
  return addStoreOptions(command).action(async (options: ShowOptions) => {
    await using store = openCommandStore(options);
    if (options.showConfiguration === true) {
      print(options, await readConfiguration(store, { signal }), renderConfiguration);
      return;
    }
    const inventory = await readInventory(store, { signal });
    if (options.ip !== undefined) print(options, holderOf(inventory, options.ip), renderHolder);
    else if (options.showBorrowed === true) print(options, borrowed(inventory), renderBorrowed);
    else print(options, rangesOf(inventory, options.showBlocks === true), renderRanges);
  });
}

/** What to show instead of the pools; one at a time. */
const VIEWS = ["ip", "showBlocks", "showBorrowed", "showConfiguration"] as const;

function view(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.conflicts(VIEWS.filter((name) => name !== option.attributeName()));
}

interface AddressHolder {
  readonly ip: string;
  readonly block: Cidr;
  readonly handleId: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly by: string | undefined;
}

function holderOf({ blocks, uses }: Inventory, text: string): AddressHolder {
  const ip = parseAddress(text);
  for (const [block, value] of blocks) {
    const held = cidrContainsIp(block, ip) ? allocationsOf(value).find((one) => one.ip === ip) : undefined;
    if (held === undefined) continue;
    const { handleId, attributes } = held;
    return { ip, block, handleId, attributes, by: uses.find((use) => use.ip === ip)?.by };
  }
  throw new CommandError("absent", `${ip} is not allocated`);
}

function renderHolder({ ip, block, handleId, attributes, by }: AddressHolder): string {
  const facts = Object.entries(attributes).map(([name, value]) => `  ${name}: ${value}`);
  return [
    `${ip} of block ${block}, handle "${handleId ?? ""}"`,
    `  in use by: ${by ?? "nobody"}`,
    ...facts,
  ].join("\n");
}

function rangesOf({ pools, blocks }: Inventory, showsBlocks: boolean): readonly Range[] {
  return pools.flatMap(({ spec: { cidr } }) => {
    const own = [...blocks].filter(([block]) => cidrContains(cidr, block));
    const inUse = own.reduce((sum, [, block]) => sum + allocationsOf(block).length, 0);
    const pool: Range = { kind: "pool", cidr, total: String(cidrSize(cidr)), inUse };
    return [pool, ...(showsBlocks ? own.map(([block, value]) => blockRange(block, value)) : [])];
  });
}

function blockRange(cidr: Cidr, block: IpamBlock): Range {
  const node = nodeOf(block);
  const total = String(cidrSize(cidr));
  return { kind: "block", cidr, ...(node && { node }), total, inUse: allocationsOf(block).length };
}

function renderRanges(ranges: readonly Range[]): string {
  const rows = ranges.map(({ kind, cidr, node = "", total, inUse }) => {
    const share = `${((100 * inUse) / Number(total)).toFixed(0)}%`;
    return [kind, cidr, total, `${inUse} (${share})`, String(BigInt(total) - BigInt(inUse)), node];
  });
  return renderTable([["KIND", "CIDR", "ADDRESSES", "IN USE", "FREE", "NODE"], ...rows]);
}

interface Borrowed {
  readonly ip: string;
  readonly block: Cidr;
  readonly owner: string | undefined;
  readonly borrower: string;
}

function borrowed({ blocks }: Inventory): readonly Borrowed[] {
  return [...blocks].flatMap(([block, value]) => {
    const owner = nodeOf(value);
    return allocationsOf(value).flatMap(({ ip, attributes: { node: borrower } }) =>
      borrower === undefined || borrower === owner ? [] : [{ ip, block, owner, borrower }],
    );
  });
}

function renderBorrowed(all: readonly Borrowed[]): string {
  if (all.length === 0) return "no address is borrowed";
  const rows = all.map(({ ip, block, owner = "", borrower }) => [ip, borrower, block, owner]);
  return renderTable([["IP", "BORROWED BY", "BLOCK", "OF NODE"], ...rows]);
}

function nodeOf({ affinity }: IpamBlock): string | undefined {
  return affinity?.startsWith("host:") === true ? affinity.slice("host:".length) : undefined;
}
