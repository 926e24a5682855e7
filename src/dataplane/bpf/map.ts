// SPDX-License-Identifier: Apache-2.0
import { closeSync } from "node:fs";
import { isKernelError } from "../netlink/kernel-error.ts";
import { BpfAttributes } from "./attributes.ts";
import { openById, readInfo } from "./object.ts";

// enum bpf_cmd (linux/bpf.h)
const BPF_MAP_CREATE = 0;
const BPF_MAP_LOOKUP_ELEM = 1;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_MAP_DELETE_ELEM = 3;
const BPF_MAP_GET_NEXT_KEY = 4;
const BPF_MAP_GET_FD_BY_ID = 14;

// enum bpf_map_type
export const BPF_MAP_TYPE_HASH = 1;
/** A key is `struct bpf_lpm_trie_key { __u32 prefixlen; __u8 data[]; }`; a program finds the longest prefix. */
export const BPF_MAP_TYPE_LPM_TRIE = 11;

/** Memory for an entry is taken when it is made; a trie has no other way. */
export const BPF_F_NO_PREALLOC = 1;

export interface BpfMapShape {
  /** Up to 15 letters, digits, `_` and `.`; need not be unique. */
  readonly name: string;
  /** `BPF_MAP_TYPE_*`. */
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** `BPF_F_*`. */
  readonly flags: number;
}

/** A map, held open. It exists for as long as somebody holds it: a process, or a program that refers to it. */
export interface BpfMap extends Disposable {
  readonly fd: number;
  readonly shape: BpfMapShape;
  /** The value of the key: of a trie, of the longest prefix that holds it. */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** Adds the entry or changes its value, at once for every program. `ENOSPC` (of a hash: `E2BIG`): the map is full. */
  set(key: Uint8Array, value: Uint8Array): void;
  /** False where there was no such entry. */
  delete(key: Uint8Array): boolean;
  /** Every entry, in no order; begins again where the one it stands at is deleted meanwhile. */
  entries(): Iterable<readonly [Uint8Array, Uint8Array]>;
}

/** Creates an empty map; throws `KernelError`. */
export function createMap(shape: BpfMapShape): BpfMap {
  const { name, type, keyBytes, valueBytes, maxEntries, flags } = shape;
  // map_type, key_size, value_size, max_entries, map_flags, inner_map_fd, numa_node, map_name[16], map_ifindex
  const attributes = new BpfAttributes(48)
    .u32(0, type)
    .u32(4, keyBytes)
    .u32(8, valueBytes)
    .u32(12, maxEntries)
    .u32(16, flags)
    .name(28, name);
  return handle(attributes.call(`create BPF map "${name}"`, BPF_MAP_CREATE), shape);
}

/** Opens a map that is there; throws `KernelError`, `ENOENT` where it is gone. */
export function openMap(id: number): BpfMap {
  const fd = openById(`open BPF map ${id}`, BPF_MAP_GET_FD_BY_ID, id);
  try {
    return handle(fd, readShape(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readShape(fd: number): BpfMapShape {
  // struct bpf_map_info { __u32 type, id, key_size, value_size, max_entries, map_flags; char name[16]; … }
  const info = new BpfAttributes(40);
  readInfo("describe BPF map", fd, info);
  return {
    name: info.getName(24),
    type: info.getU32(0),
    keyBytes: info.getU32(8),
    valueBytes: info.getU32(12),
    maxEntries: info.getU32(16),
    flags: info.getU32(20),
  };
}

function handle(fd: number, shape: BpfMapShape): BpfMap {
  let isOpen = true;
  const use = (verb: string, command: number, key?: Uint8Array, target?: Uint8Array): void => {
    const op = `${verb} BPF map "${shape.name}"`;
    if (!isOpen) throw new Error(`Cannot ${op}: it is closed`);
    checkLength(op, "key", key, shape.keyBytes);
    // map_fd, key, value or next_key, flags (#define BPF_ANY 0)
    const attributes = new BpfAttributes(32).u32(0, fd);
    if (key !== undefined) attributes.pointer(8, key);
    if (target !== undefined) attributes.pointer(16, target);
    attributes.call(op, command);
  };
  const lookup = (key: Uint8Array): Uint8Array | undefined => {
    const value = new Uint8Array(shape.valueBytes);
    return unlessMissing(() => {
      use("read", BPF_MAP_LOOKUP_ELEM, key, value);
      return value;
    });
  };
  const nextKey = (key?: Uint8Array): Uint8Array | undefined => {
    const next = new Uint8Array(shape.keyBytes);
    return unlessMissing(() => {
      use("list", BPF_MAP_GET_NEXT_KEY, key, next);
      return next;
    });
  };
  return {
    fd,
    shape,
    lookup,
    set(key, value) {
      checkLength(`write to BPF map "${shape.name}"`, "value", value, shape.valueBytes);
      use("write to", BPF_MAP_UPDATE_ELEM, key, value);
    },
    delete(key) {
      const deleted = unlessMissing(() => {
        use("delete from", BPF_MAP_DELETE_ELEM, key);
        return true;
      });
      return deleted ?? false;
    },
    *entries() {
      for (let key = nextKey(); key !== undefined; key = nextKey(key)) {
        const value = lookup(key);
        if (value !== undefined) yield [key, value];
      }
    },
    [Symbol.dispose]() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

function unlessMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return undefined;
    throw error;
  }
}

function checkLength(op: string, what: string, bytes: Uint8Array | undefined, want: number): void {
  if (bytes !== undefined && bytes.length !== want)
    throw new RangeError(`Cannot ${op}: want a ${what} of ${want} bytes, have ${bytes.length}`);
}
