// SPDX-License-Identifier: Apache-2.0
// Traffic control, as far as programs on an interface need it: the `clsact` queueing discipline, which queues nothing and is a place for
// filters, and `bpf` filters that decide by themselves ("direct action").
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { getI32, getU32, putU32 } from "./integer.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, checkHeader } from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWQDISC = 36;
export const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
export const RTM_NEWTFILTER = 44;
export const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;

// enum of linux/rtnetlink.h
const TCA_KIND = 1;
const TCA_OPTIONS = 2;

// linux/pkt_cls.h
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_ID = 11;
// #define TCA_BPF_FLAG_ACT_DIRECT (1 << 0)
const TCA_BPF_FLAG_ACT_DIRECT = 1 << 0;

// linux/pkt_sched.h
// #define TC_H_CLSACT TC_H_INGRESS, which is 0xFFFFFFF1U: there is one such discipline on an interface, of either kind.
const TC_H_CLSACT = 0xffff_fff1;
const CLSACT_HANDLE = 0xffff_0000;
// #define TC_H_MIN_INGRESS 0xFFF2U, #define TC_H_MIN_EGRESS 0xFFF3U
const PARENTS = { ingress: 0xffff_fff2, egress: 0xffff_fff3 } as const;

/** #define ETH_P_IP 0x0800 (linux/if_ether.h), in network byte order. A frame with a VLAN tag is of another protocol. */
const ETH_P_IP = 0x0008;

const TCMSG_LENGTH = 20;

export type Direction = keyof typeof PARENTS;

/** The discipline of an interface that may hold filters for both directions. */
export interface FilterQdisc {
  readonly ifIndex: number;
  /** `ingress`, the older kind, has no place for filters on the way out. */
  readonly kind: string;
}

/** Where a filter is; two with one place cannot be. */
export interface FilterPlace {
  readonly ifIndex: number;
  readonly direction: Direction;
  /** 1 to 65535; the lowest is asked first. */
  readonly priority: number;
  readonly handle: number;
}

/** A filter, of any kind. */
export interface Filter extends FilterPlace {
  readonly kind: string;
  /** Of a `bpf` filter, what it was called when it was made. */
  readonly name?: string;
  /** Of a `bpf` filter, the program's id. */
  readonly programId?: number;
}

export interface NewBpfFilter extends FilterPlace {
  readonly name: string;
  /** The descriptor of the program, which the filter keeps from then on. */
  readonly programFd: number;
}

/** Adds `clsact`; `EEXIST` where the interface has it already, or the `ingress` discipline. */
export function addClsact(ifIndex: number): NetlinkRequest {
  return {
    description: `add clsact to link ${ifIndex}`,
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: new AttributeEncoder(clsact(ifIndex)).string(TCA_KIND, "clsact").finish(),
  };
}

/** Of every interface in the namespace. */
export const listFilterQdiscs: Dump<FilterQdisc> = {
  request: {
    description: "list queueing disciplines",
    type: RTM_GETQDISC,
    flags: NLM_F_DUMP,
    body: new Uint8Array(TCMSG_LENGTH),
  },
  decode: (message) => (message.type === RTM_NEWQDISC ? decodeFilterQdisc(message) : undefined),
};

/**
 * Adds a direct-action filter for IPv4, or puts the program into the filter that has its place: every packet meets the one
 * program or the other.
 */
export function replaceBpfFilter(filter: NewBpfFilter): NetlinkRequest {
  const body = new AttributeEncoder(place(filter)).string(TCA_KIND, "bpf").nested(TCA_OPTIONS, (options) => {
    options
      .u32(TCA_BPF_FD, filter.programFd)
      .string(TCA_BPF_NAME, filter.name)
      .u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  });
  return {
    description: `attach BPF program "${filter.name}" to the ${filter.direction} of link ${filter.ifIndex}`,
    type: RTM_NEWTFILTER,
    flags: NLM_F_CREATE,
    body: body.finish(),
  };
}

/** Removes a `bpf` filter; `ENOENT` where there is none at the place. */
export function deleteBpfFilter(filter: FilterPlace): NetlinkRequest {
  return {
    description: `delete filter ${filter.handle} of priority ${filter.priority} from the ${filter.direction} of link ${filter.ifIndex}`,
    type: RTM_DELTFILTER,
    flags: 0,
    body: new AttributeEncoder(place(filter)).string(TCA_KIND, "bpf").finish(),
  };
}

/** The filters of every kind for one direction; none where the interface has no discipline for them. */
export function listFilters(ifIndex: number, direction: Direction): Dump<Filter> {
  return {
    request: {
      description: `list filters of the ${direction} of link ${ifIndex}`,
      type: RTM_GETTFILTER,
      flags: NLM_F_DUMP,
      body: tcmsg({ ifIndex, parent: PARENTS[direction] }),
    },
    decode: (message) => (message.type === RTM_NEWTFILTER ? decodeFilter(message, direction) : undefined),
  };
}

/** The interface that a message about filters or disciplines is of. */
export function decodeFilterChange({ body }: NetlinkMessage): number {
  checkHeader(body, TCMSG_LENGTH, "tcmsg");
  return getI32(body, 4);
}

function decodeFilterQdisc({ body }: NetlinkMessage): FilterQdisc | undefined {
  checkHeader(body, TCMSG_LENGTH, "tcmsg");
  if (getU32(body, 12) !== TC_H_CLSACT) return undefined;
  const attributes = new AttributeDecoder(body, TCMSG_LENGTH);
  let kind = "";
  while (attributes.next()) if (attributes.type === TCA_KIND) kind = attributes.string();
  return { ifIndex: getI32(body, 4), kind };
}

/** `undefined` for the head of a priority, of which the kernel tells too: it is no filter. */
function decodeFilter({ body }: NetlinkMessage, direction: Direction): Filter | undefined {
  checkHeader(body, TCMSG_LENGTH, "tcmsg");
  const handle = getU32(body, 8);
  const attributes = new AttributeDecoder(body, TCMSG_LENGTH);
  let kind = "";
  let options: AttributeDecoder | undefined;
  while (attributes.next()) {
    if (attributes.type === TCA_KIND) kind = attributes.string();
    if (attributes.type === TCA_OPTIONS) options = attributes.nested();
  }
  if (handle === 0) return undefined;
  return {
    ifIndex: getI32(body, 4),
    direction,
    priority: getU32(body, 16) >>> 16,
    handle,
    kind,
    ...(kind === "bpf" && options !== undefined && decodeBpf(options)),
  };
}

function decodeBpf(options: AttributeDecoder): Pick<Filter, "name" | "programId"> {
  let name: string | undefined;
  let programId: number | undefined;
  while (options.next()) {
    if (options.type === TCA_BPF_NAME) name = options.string();
    if (options.type === TCA_BPF_ID) programId = options.u32();
  }
  return { ...(name !== undefined && { name }), ...(programId !== undefined && { programId }) };
}

interface Tcmsg {
  readonly ifIndex: number;
  readonly handle?: number;
  readonly parent: number;
  readonly info?: number;
}

function clsact(ifIndex: number): Uint8Array {
  return tcmsg({ ifIndex, handle: CLSACT_HANDLE, parent: TC_H_CLSACT });
}

function place({ ifIndex, direction, priority, handle }: FilterPlace): Uint8Array {
  return tcmsg({ ifIndex, handle, parent: PARENTS[direction], info: (priority << 16) | ETH_P_IP });
}

function tcmsg({ ifIndex, handle = 0, parent, info = 0 }: Tcmsg): Uint8Array {
  // struct tcmsg { unsigned char tcm_family, tcm__pad1; unsigned short tcm__pad2; int tcm_ifindex;
  //   __u32 tcm_handle, tcm_parent, tcm_info; }
  const header = new Uint8Array(TCMSG_LENGTH);
  putU32(header, 4, ifIndex);
  putU32(header, 8, handle);
  putU32(header, 12, parent);
  putU32(header, 16, info);
  return header;
}
