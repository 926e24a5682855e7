// SPDX-License-Identifier: Apache-2.0
// IPv4 in IPv4 (RFC 2003) as two programs for traffic control on the underlay interface, an Ethernet: one gives packets on their
// way out an outer header, one takes it from those that come in. Both leave alone, for whoever else has a filter there, what
// is not theirs. ECN is treated as RFC 6040 says.
import { type Ipv4, ipv4ToNumber } from "../../net/ipv4.ts";
import {
  type Line,
  type Register,
  R0,
  R1,
  R10,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
  R9,
  add64,
  and64,
  be16,
  call,
  exit,
  ja,
  jeq,
  jgt,
  jle,
  jne,
  label,
  ldMap,
  ldx,
  lsh64,
  mov32,
  mov64,
  or64,
  rsh64,
  st,
  stx,
  xor64,
} from "./assembler.ts";

/** The names under which the programs know their maps. */
export const BLOCKS = "blocks";
export const NODES = "nodes";

// linux/pkt_cls.h
// #define TC_ACT_UNSPEC (-1): the next filter decides; where there is none, the packet goes on.
export const TC_ACT_UNSPEC = -1;
// #define TC_ACT_SHOT 2: the packet is dropped.
export const TC_ACT_SHOT = 2;

// struct __sk_buff (linux/bpf.h)
const SKB_LEN = 0;
const SKB_DATA = 76;
const SKB_DATA_END = 80;

// enum bpf_func_id
const BPF_FUNC_map_lookup_elem = 1;
const BPF_FUNC_get_prandom_u32 = 7;
const BPF_FUNC_skb_store_bytes = 9;
const BPF_FUNC_skb_pull_data = 39;
const BPF_FUNC_skb_adjust_room = 50;

// enum bpf_adj_room_mode: between the headers of layer 2 and 3.
const BPF_ADJ_ROOM_MAC = 1;
/**
 * BPF_F_ADJ_ROOM_FIXED_GSO: the segments of a large packet stay as long as its sender wanted them; the route's MTU has seen to it that
 * there is room for the outer header.
 */
const BPF_F_ADJ_ROOM_FIXED_GSO = 1 << 0;
/** Tells the device, or who else segments a large packet, that each segment has two headers. */
const BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 = 1 << 1;
/** The outer header has no checksum over the payload, so what is known of the inner one's stays true. Linux 5.8. */
const BPF_F_ADJ_ROOM_NO_CSUM_RESET = 1 << 5;

// #define EALREADY 114 (asm-generic/errno.h)
const EALREADY = 114;

const ETHERNET = 14;
/** Of an IPv4 header without options. */
const HEADER = 20;

// Where the fields of an IPv4 header are, in a frame.
const VERSION = ETHERNET;
const TOS = ETHERNET + 1;
const FRAGMENT = ETHERNET + 6;
const PROTOCOL = ETHERNET + 9;
const CHECKSUM = ETHERNET + 10;
const SOURCE = ETHERNET + 12;
const DESTINATION = ETHERNET + 16;

const IPPROTO_IPIP = 4;
const HOP_LIMIT = 64;

/** Offsets, from the stack's end, of a key and of the bytes that go into the packet. */
const KEY = -8;
const NEW = -32;

/** ECN codepoints (RFC 3168). */
const ECN_MASK = 3;
const ECT_1 = 1;
const ECT_0 = 2;
const CE = 3;

/** A packet for a block of another node gets an outer header from `own` to that node; map {@link BLOCKS}: prefix -> node. */
export function encapsulation(own: Ipv4): readonly Line[] {
  return [
    mov64(R6, R1),
    ...loadFrame("header", { orElse: "pass" }),
    ...jumpUnlessVersion4("pass"),
    ldx("b", R9, R7, TOS),
    // struct bpf_lpm_trie_key { __u32 prefixlen; __u8 data[]; }
    st("w", R10, KEY, 32),
    ldx("w", R1, R7, DESTINATION),
    stx("w", R10, KEY + 4, R1),
    ...lookup(BLOCKS, KEY),
    jeq(R0, 0, "pass"),
    ldx("w", R7, R0, 0),
    ...outerLength(R8),
    ...outerHeader(own, { node: R7, length: R8, tos: R9 }),
    ...adjustRoom(HEADER, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4),
    // The kernel keeps account of one outer header, and that is the one of a container's own tunnel. Large packets of
    // such a tunnel are lost later, because nobody could segment them.
    jne(R0, -EALREADY, "has room"),
    ...adjustRoom(HEADER, 0),
    label("has room"),
    // Without a header it must not go out: it would show what the tunnel is to hide.
    jne(R0, 0, "drop"),
    ...store(ETHERNET, NEW, HEADER),
    jne(R0, 0, "drop"),
    ...verdicts(),
  ];
}

/**
 * A packet of protocol 4 to `own` loses its outer header; map {@link NODES}: those whose packets are taken. Any other packet of
 * protocol 4 to `own` is dropped: from strangers, in fragments, with options, with a wrong checksum.
 */
export function decapsulation(own: Ipv4): readonly Line[] {
  return [
    mov64(R6, R1),
    ...loadFrame("header", { orElse: "pass" }),
    ldx("b", R1, R7, PROTOCOL),
    jne(R1, IPPROTO_IPIP, "pass"),
    ...jumpUnlessVersion4("pass"),
    ldx("w", R1, R7, DESTINATION),
    mov32(R2, wireWord(own)),
    jne(R1, R2, "pass"),
    ldx("b", R1, R7, VERSION),
    jne(R1, 0x45, "drop"),
    // More-fragments and the fragment's offset.
    ldx("h", R1, R7, FRAGMENT),
    be16(R1),
    and64(R1, 0x3fff),
    jne(R1, 0, "drop"),
    ...sumOfHeader(R1, R7),
    jne(R1, 0xffff, "drop"),
    ldx("b", R8, R7, TOS),
    and64(R8, ECN_MASK),
    ldx("w", R1, R7, SOURCE),
    stx("w", R10, KEY, R1),
    ...lookup(NODES, KEY),
    jeq(R0, 0, "drop"),
    ...adjustRoom(-HEADER, 0),
    jne(R0, 0, "drop"),
    ...loadFrame("inner", { orElse: "drop" }),
    ...jumpUnlessVersion4("drop"),
    ldx("b", R9, R7, TOS),
    ...combineEcn({ outer: R8, tos: R9 }),
    ...verdicts(),
  ];
}

/** The address as a load of 32 bits from a packet gives it, on a host of the least significant byte first. */
function wireWord(address: Ipv4): number {
  const value = ipv4ToNumber(address);
  return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

/**
 * R7 becomes the frame's beginning, with an Ethernet and an IPv4 header that can be read. They nearly always can; else they are
 * brought together first. Clobbers R1 to R5.
 */
function loadFrame(name: string, { orElse }: { readonly orElse: string }): readonly Line[] {
  const bounds = [
    ldx("w", R7, R6, SKB_DATA),
    ldx("w", R2, R6, SKB_DATA_END),
    mov64(R1, R7),
    add64(R1, ETHERNET + HEADER),
  ];
  return [
    ...bounds,
    jle(R1, R2, `${name} is there`),
    mov64(R1, R6),
    mov64(R2, ETHERNET + HEADER),
    call(BPF_FUNC_skb_pull_data),
    ...bounds,
    jgt(R1, R2, orElse),
    label(`${name} is there`),
  ];
}

function jumpUnlessVersion4(target: string): readonly Line[] {
  return [ldx("b", R1, R7, VERSION), and64(R1, 0xf0), jne(R1, 0x40, target)];
}

/** R0 becomes the address of the value, 0 where there is none. */
function lookup(map: string, key: number): readonly Line[] {
  return [ldMap(R1, map), mov64(R2, R10), add64(R2, key), call(BPF_FUNC_map_lookup_elem)];
}

/** R0 becomes 0, or a negative errno. What was known of the packet's place is void. */
function adjustRoom(difference: number, flags: number): readonly Line[] {
  return [
    mov64(R1, R6),
    mov64(R2, difference),
    mov64(R3, BPF_ADJ_ROOM_MAC),
    mov64(R4, flags | BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET),
    call(BPF_FUNC_skb_adjust_room),
  ];
}

/**
 * Writes from the stack to the packet. A program that wrote by itself would begin with code of the kernel's that copies every
 * packet whose data somebody shares, such as all TCP from this host, whether it is for the tunnel or not.
 */
function store(at: number, from: number, length: number): readonly Line[] {
  return [
    mov64(R1, R6),
    mov64(R2, at),
    mov64(R3, R10),
    add64(R3, from),
    mov64(R4, length),
    mov64(R5, 0),
    call(BPF_FUNC_skb_store_bytes),
  ];
}

/** The outer total length; 0, as the kernel has it, for a large packet beyond 16 bits, which gets lengths when it is segmented. */
function outerLength(length: Register): readonly Line[] {
  return [
    ldx("w", length, R6, SKB_LEN),
    add64(length, HEADER - ETHERNET),
    jle(length, 0xffff, "length fits"),
    mov64(length, 0),
    label("length fits"),
    be16(length),
  ];
}

interface OuterHeader {
  /** The node's address, as in the packet. */
  readonly node: Register;
  /** The total length in network byte order; clobbered. */
  readonly length: Register;
  /** The inner one, copied whole: DSCP, and ECN in the normal mode of RFC 6040 section 4.1; clobbered. */
  readonly tos: Register;
}

/** Composes the header on the stack, word by word, and sums it up on the way. */
function outerHeader(own: Ipv4, { node, length, tos }: OuterHeader): readonly Line[] {
  return [
    // Version, header length, type of service, total length.
    lsh64(length, 16),
    lsh64(tos, 8),
    or64(length, tos),
    or64(length, 0x45),
    stx("w", R10, NEW, length),
    // An identification, for those on the path who disregard the don't-fragment bit that follows it.
    call(BPF_FUNC_get_prandom_u32),
    and64(R0, 0xffff),
    or64(R0, 0x0040_0000),
    stx("w", R10, NEW + 4, R0),
    mov64(R1, HOP_LIMIT | (IPPROTO_IPIP << 8)),
    mov32(R2, wireWord(own)),
    stx("w", R10, NEW + 12, R2),
    stx("w", R10, NEW + 16, node),
    mov64(R3, R1),
    ...[R2, length, R0, node].map((word) => add64(R3, word)),
    ...fold(R3),
    xor64(R3, 0xffff),
    lsh64(R3, 16),
    or64(R1, R3),
    stx("w", R10, NEW + 8, R1),
  ];
}

/** The one's complement sum (RFC 1071) of a header without options; 0xffff where its checksum is right. */
function sumOfHeader(sum: Register, frame: Register): readonly Line[] {
  const words = [4, 8, 12, 16].flatMap((at) => [ldx("w", R2, frame, ETHERNET + at), add64(sum, R2)]);
  return [ldx("w", sum, frame, ETHERNET), ...words, ...fold(sum)];
}

/** Folds a sum of up to 48 bits to 16: the first time leaves 33, the second 18, the third 17. Clobbers R4. */
function fold(sum: Register): readonly Line[] {
  const once = [mov64(R4, sum), rsh64(R4, 16), and64(sum, 0xffff), add64(sum, R4)];
  return [...once, ...once, ...once, ...once];
}

/** RFC 6040 section 4.2, figure 4. The inner packet, at R7, takes over what routers said on the outer one. */
function combineEcn({ outer, tos }: { readonly outer: Register; readonly tos: Register }): readonly Line[] {
  return [
    mov64(R1, tos),
    and64(R1, ECN_MASK),
    mov64(R2, tos),
    jeq(outer, CE, "congestion"),
    jne(outer, ECT_1, "pass"),
    jne(R1, ECT_0, "pass"),
    xor64(R2, ECT_0 ^ ECT_1),
    ja("change"),
    label("congestion"),
    // A sender that does not know ECN learns of congestion by the loss.
    jeq(R1, 0, "drop"),
    jeq(R1, CE, "pass"),
    or64(R2, CE),
    label("change"),
    ...changeTos({ from: tos, to: R2 }),
    ja("pass"),
  ];
}

/**
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), of the 16 bits of which only the second octet differs. Any sum over the header
 * stays as it was.
 */
function changeTos({ from, to }: { readonly from: Register; readonly to: Register }): readonly Line[] {
  return [
    stx("b", R10, NEW, to),
    ldx("h", R3, R7, CHECKSUM),
    xor64(R3, 0xffff),
    lsh64(from, 8),
    xor64(from, 0xffff),
    add64(R3, from),
    lsh64(to, 8),
    add64(R3, to),
    ...fold(R3),
    xor64(R3, 0xffff),
    stx("h", R10, NEW + 2, R3),
    ...store(TOS, NEW, 1),
    jne(R0, 0, "drop"),
    ...store(CHECKSUM, NEW + 2, 2),
    jne(R0, 0, "drop"),
  ];
}

function verdicts(): readonly Line[] {
  return [label("pass"), mov64(R0, TC_ACT_UNSPEC), exit(), label("drop"), mov64(R0, TC_ACT_SHOT), exit()];
}
