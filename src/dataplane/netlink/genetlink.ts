// SPDX-License-Identifier: Apache-2.0
import { Connection, type Trace, type WaitOptions } from "./connection.ts";
import { type GenlFamily, getGenlFamily } from "./genl-message.ts";
import { KernelError } from "./kernel-error.ts";
import type { Netns } from "./netns.ts";
import type { Dump, NetlinkRequest } from "./request.ts";
import { NETLINK_GENERIC, openNetlinkSocket } from "./socket.ts";

/** The kernel's subsystems that are not rtnetlink's, for one network namespace: `ethtool`, `wireguard` … */
export interface Genetlink extends AsyncDisposable {
  /** Finds a family by its name, and loads the module that has it. Throws `KernelError`, `ENOENT` where there is none. */
  family(name: string, options?: WaitOptions): Promise<GenlFamily>;
  /** As of `Rtnetlink`. */
  execute(
    requests: readonly NetlinkRequest[],
    options?: WaitOptions,
  ): Promise<readonly (KernelError | undefined)[]>;
  /** As of `Rtnetlink`. */
  list<T>(dump: Dump<T>, options?: WaitOptions): Promise<readonly T[]>;
}

export interface GenetlinkOptions {
  /** The namespace to speak for; it need not stay open. @default the calling thread's */
  readonly netns?: Netns;
  /** Sees the bytes of every datagram, private keys among them. */
  readonly trace?: Trace;
}

const BUFFER_BYTES = 1024 * 1024;
/** enum of asm-generic/errno-base.h */
const ENOENT = 2;

/** Opens generic netlink; throws `KernelError`. */
export function openGenetlink({ netns, trace }: GenetlinkOptions = {}): Genetlink {
  const open = () => openNetlinkSocket({ protocol: NETLINK_GENERIC, receiveBufferBytes: BUFFER_BYTES });
  const connection = new Connection(netns === undefined ? open() : netns.run(open), { trace });
  return {
    async family(name, options) {
      const dump = getGenlFamily(name);
      const [family] = await connection.list(dump, options);
      if (family === undefined) throw new KernelError(dump.request.description, ENOENT);
      return family;
    },
    execute: (requests, options) => connection.execute(requests, options),
    list: (dump, options) => connection.list(dump, options),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
