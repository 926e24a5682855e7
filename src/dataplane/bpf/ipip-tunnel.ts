// SPDX-License-Identifier: Apache-2.0
// IPIP on an interface of the underlay, without a tunnel device. What is in the kernel outlives the process: filters hold the
// programs, and programs the maps. No file system is needed, because a restarted process finds the filters by their names,
// through them the programs, and through those the maps. It goes on with these maps, which a reconciler can compare with
// what is wanted before anything changes; only programs are always replaced, so that they are of the running version.
import { isDeepStrictEqual } from "node:util";
import { type Cidr, cidrAddress, cidrFamily, cidrOf, prefixLengthOf } from "../../net/cidr.ts";
import { ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { type Ipv4, isIpv4 } from "../../net/ipv4.ts";
import type { WaitOptions } from "../netlink/connection.ts";
import { getU32, putU32 } from "../netlink/integer.ts";
import type { NetlinkRequest } from "../netlink/request.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import {
  type Direction,
  type Filter,
  type FilterQdisc,
  addClsact,
  deleteBpfFilter,
  listFilterQdiscs,
  listFilters,
  replaceBpfFilter,
} from "../netlink/traffic-control.ts";
import { type Line, assemble } from "./assembler.ts";
import { BLOCKS, NODES, decapsulation, encapsulation } from "./ipip-programs.ts";
import {
  BPF_F_NO_PREALLOC,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LPM_TRIE,
  type BpfMap,
  type BpfMapShape,
  createMap,
  openMap,
} from "./map.ts";
import { type BpfProgram, listMapsOfProgram, loadProgram } from "./program.ts";

/** How a restarted agent knows its own: the names of program and filter. */
const NAMES: Readonly<Record<Direction, string>> = { egress: "margay_ipip_out", ingress: "margay_ipip_in" };
/** One place for all time, so that a new program takes that of an old one. */
const PRIORITY = 80;
const HANDLE = 1;

const BLOCKS_SHAPE: BpfMapShape = {
  name: "margay_blocks",
  type: BPF_MAP_TYPE_LPM_TRIE,
  keyBytes: 8,
  valueBytes: 4,
  maxEntries: 65536,
  flags: BPF_F_NO_PREALLOC,
};
const NODES_SHAPE: BpfMapShape = {
  name: "margay_nodes",
  type: BPF_MAP_TYPE_HASH,
  keyBytes: 4,
  valueBytes: 4,
  maxEntries: 16384,
  flags: BPF_F_NO_PREALLOC,
};
/** Only whether a node is there counts. */
const PRESENT = Uint8Array.of(1, 0, 0, 0);

export interface IpipTunnelPlace {
  readonly rtnetlink: Rtnetlink;
  /** The interface of the underlay, an Ethernet, in the namespace of `rtnetlink`. */
  readonly ifIndex: number;
}

/**
 * The tunnel of one interface. Changes of its tables are single writes that count from the next packet on. What throws is a
 * `KernelError`, or a `BpfError` where the kernel refuses a program. Disposing lets go; the tunnel goes on.
 */
export interface IpipTunnel extends Disposable {
  /** The prefixes that are sent through the tunnel, and to which node. The longest that holds a destination counts. */
  blocks(): ReadonlyMap<Cidr, Ipv4>;
  /** Adds a prefix or changes its node; throws `RangeError` for one of IPv6. */
  setBlock(block: Cidr, node: Ipv4): void;
  /** False where it was not there. */
  deleteBlock(block: Cidr): boolean;
  /** The nodes that packets are taken from. */
  nodes(): ReadonlySet<Ipv4>;
  addNode(node: Ipv4): void;
  /** False where it was not there. */
  deleteNode(node: Ipv4): boolean;
  /**
   * Puts programs with the node's own address in place, instead of those that may be there: every packet meets old or new ones.
   * Called once at least after opening, when the tables hold what they should.
   */
  attach(own: Ipv4, options?: WaitOptions): Promise<void>;
  /** Whether the programs of the last {@link attach} are in place, and no others. */
  isAttached(options?: WaitOptions): Promise<boolean>;
}

/** Opens the tunnel that is on the interface, or a new one with empty tables, which does nothing until it is attached. */
export async function openIpipTunnel(place: IpipTunnelPlace, options?: WaitOptions): Promise<IpipTunnel> {
  const filters = await listOwnFilters(place, options);
  using stack = new DisposableStack();
  const inUse = filters
    .flatMap(({ programId }) => (programId === undefined ? [] : listMapsOfProgram(programId)))
    .map((id) => stack.use(openMap(id)));
  // A table of another version's shape stays with the programs of that version, until they go.
  const adopt = (shape: BpfMapShape): BpfMap =>
    inUse.find((map) => isDeepStrictEqual(map.shape, shape)) ?? stack.use(createMap(shape));
  return createTunnel(place, { blocks: adopt(BLOCKS_SHAPE), nodes: adopt(NODES_SHAPE) }, stack.move());
}

/** The interfaces that have a tunnel, or a part of one. */
export async function listIpipTunnels(
  rtnetlink: Rtnetlink,
  options?: WaitOptions,
): Promise<readonly number[]> {
  const found: number[] = [];
  for (const { ifIndex } of await rtnetlink.list(listFilterQdiscs, options))
    if ((await listOwnFilters({ rtnetlink, ifIndex }, options)).length > 0) found.push(ifIndex);
  return found;
}

/**
 * Makes a place for the tunnel, where there is none yet. It is to be done before packets flow: the kernel stops the interface for a
 * moment to add or to remove a discipline (`qdisc_graft()`, net/sched/sch_api.c), and drops what is sent meanwhile.
 */
export async function prepareIpipTunnel(place: IpipTunnelPlace, options?: WaitOptions): Promise<void> {
  await succeed(place, [addClsact(place.ifIndex)], { unless: "EEXIST", options });
}

/** Takes the tunnel off the interface, with its tables. The place for it stays, for to remove it costs packets. */
export async function removeIpipTunnel(place: IpipTunnelPlace, options?: WaitOptions): Promise<void> {
  const filters = await listOwnFilters(place, options);
  await succeed(place, filters.map(deleteBpfFilter), { unless: "ENOENT", options });
}

interface Tables {
  readonly blocks: BpfMap;
  readonly nodes: BpfMap;
}

function createTunnel(place: IpipTunnelPlace, tables: Tables, held: DisposableStack): IpipTunnel {
  const { blocks, nodes } = tables;
  let programs: Readonly<Partial<Record<Direction, number>>> = {};
  return {
    blocks: () =>
      new Map(Array.from(blocks.entries(), ([key, node]) => [decodeBlock(key), decodeNode(node)])),
    setBlock(block, node) {
      blocks.set(encodeBlock(block), ipToBytes(node));
    },
    deleteBlock: (block) => blocks.delete(encodeBlock(block)),
    nodes: () => new Set(Array.from(nodes.entries(), ([node]) => decodeNode(node))),
    addNode(node) {
      nodes.set(ipToBytes(node), PRESENT);
    },
    deleteNode: (node) => nodes.delete(ipToBytes(node)),
    async attach(own, options) {
      if (held.disposed) throw new Error(`Cannot attach tunnel to link ${place.ifIndex}: it is closed`);
      using ingress = load("ingress", decapsulation(own), tables);
      using egress = load("egress", encapsulation(own), tables);
      await prepare(place, options);
      // What the other nodes send is understood before anything is sent to them.
      await succeed(place, [filterFor(place, "ingress", ingress), filterFor(place, "egress", egress)], {
        options,
      });
      programs = { ingress: ingress.id, egress: egress.id };
    },
    async isAttached(options) {
      const filters = await listOwnFilters(place, options);
      const seen = Object.fromEntries(filters.map(({ direction, programId }) => [direction, programId]));
      return filters.length === 2 && isDeepStrictEqual(seen, { ...programs });
    },
    [Symbol.dispose]() {
      held.dispose();
    },
  };
}

function load(direction: Direction, lines: readonly Line[], { blocks, nodes }: Tables): BpfProgram {
  return loadProgram(NAMES[direction], assemble(lines, { [BLOCKS]: blocks.fd, [NODES]: nodes.fd }));
}

function filterFor({ ifIndex }: IpipTunnelPlace, direction: Direction, program: BpfProgram): NetlinkRequest {
  const { name, fd: programFd } = program;
  return replaceBpfFilter({ ifIndex, direction, priority: PRIORITY, handle: HANDLE, name, programFd });
}

/** Sees to it that there is a place for filters, and that ours is not another's. */
async function prepare(place: IpipTunnelPlace, options: WaitOptions | undefined): Promise<void> {
  const op = `attach tunnel to link ${place.ifIndex}`;
  await prepareIpipTunnel(place, options);
  const qdisc = await findQdisc(place, options);
  // The kernel would take a filter for the way out all the same, and ask it on the way in.
  if (qdisc?.kind !== "clsact")
    throw new Error(`Cannot ${op}: its discipline for filters is "${qdisc?.kind ?? "gone"}", want "clsact"`);
  const other = (await listAllFilters(place, options)).find(
    (filter) => filter.priority === PRIORITY && filter.handle === HANDLE && !isOwn(filter),
  );
  if (other !== undefined)
    throw new Error(
      `Cannot ${op}: filter ${HANDLE} of priority ${PRIORITY} is "${other.name ?? other.kind}", not ours`,
    );
}

async function findQdisc(
  { rtnetlink, ifIndex }: IpipTunnelPlace,
  options: WaitOptions | undefined,
): Promise<FilterQdisc | undefined> {
  const qdiscs = await rtnetlink.list(listFilterQdiscs, options);
  return qdiscs.find((qdisc) => qdisc.ifIndex === ifIndex);
}

async function listAllFilters(
  { rtnetlink, ifIndex }: IpipTunnelPlace,
  options: WaitOptions | undefined,
): Promise<readonly Filter[]> {
  const ingress = await rtnetlink.list(listFilters(ifIndex, "ingress"), options);
  return [...ingress, ...(await rtnetlink.list(listFilters(ifIndex, "egress"), options))];
}

async function listOwnFilters(
  place: IpipTunnelPlace,
  options: WaitOptions | undefined,
): Promise<readonly Filter[]> {
  return (await listAllFilters(place, options)).filter(isOwn);
}

function isOwn({ kind, name, direction }: Filter): boolean {
  return kind === "bpf" && name === NAMES[direction];
}

/** Executes the requests; throws the first error but those of the code that means that nothing is to do. */
async function succeed(
  { rtnetlink }: IpipTunnelPlace,
  requests: readonly NetlinkRequest[],
  { unless, options }: { readonly unless?: string; readonly options: WaitOptions | undefined },
): Promise<void> {
  for (const error of await rtnetlink.execute(requests, options))
    if (error !== undefined && error.code !== unless) throw error;
}

function encodeBlock(block: Cidr): Uint8Array {
  if (cidrFamily(block) !== 4) throw new RangeError(`Cannot tunnel "${block}": it is no IPv4 prefix`);
  // struct bpf_lpm_trie_key { __u32 prefixlen; __u8 data[]; }
  const key = new Uint8Array(8);
  putU32(key, 0, prefixLengthOf(block));
  key.set(ipToBytes(cidrAddress(block)), 4);
  return key;
}

function decodeBlock(key: Uint8Array): Cidr {
  return cidrOf(decodeNode(key.subarray(4)), getU32(key, 0));
}

function decodeNode(bytes: Uint8Array): Ipv4 {
  const ip = ipFromBytes(bytes);
  if (!isIpv4(ip)) throw new RangeError(`Cannot decode node: "${ip}" is no IPv4 address`);
  return ip;
}
