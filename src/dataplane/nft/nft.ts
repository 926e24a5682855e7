// SPDX-License-Identifier: Apache-2.0
import { ProcessError, type ProcessRunner, type RunResult } from "../../system/process.ts";
import { type Netns, openNetns } from "../netlink/netns.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlinkSocket } from "../netlink/socket.ts";
import { Subscriptions } from "../netlink/subscription.ts";
import { NFTABLES_GROUP_BIT, type NftEvent, decodeNftEvent } from "./event.ts";
import { type NftListing, parseListing } from "./listing.ts";
import { NftError, type NftErrorCode } from "./nft-error.ts";
import { NFT_TABLE, type NftTransaction, renderTransaction } from "./statement.ts";

/** Margay's table in one network namespace's nftables: changing it, listing it, hearing of changes. */
export interface Nft extends AsyncDisposable {
  /** All of the statements, or none. Throws {@link NftError}. */
  run(transaction: NftTransaction): Promise<void>;
  /** What is there under our table's name; `undefined` where there is nothing. Throws {@link NftError}. */
  list(): Promise<NftListing | undefined>;
  /** Changes of our table, whoever makes them, beginning with this call. Ends quietly with the signal. Throws `KernelError`. */
  events(options: { readonly signal: AbortSignal }): AsyncIterable<readonly NftEvent[]>;
}

export interface NftOptions {
  /** The namespace to hear of; it need not stay open. @default the calling thread's */
  readonly netns?: Netns;
  /** Program and first arguments, which has to run in the same namespace. @default nft */
  readonly command?: readonly [string, ...string[]];
}

/** What may wait to be read, in the kernel's count: a table of another that is replaced has tens of thousands of messages. */
const EVENT_BUFFER_BYTES = 4 * 1024 * 1024;
/** A kernel that does not answer by then will not; the key is tried again. */
const TIMEOUT_MS = 30_000;

export function createNft(
  { processes }: { readonly processes: ProcessRunner },
  { netns, command: [program, ...prefix] = ["nft"] }: NftOptions = {},
): Nft {
  // A handle of its own, since each subscription opens a socket there later.
  const home = openNetns(netns === undefined ? "/proc/thread-self/ns/net" : `/proc/self/fd/${netns.fd}`);
  const subscriptions = new Subscriptions();
  const nft = async (what: string, args: readonly string[], input = ""): Promise<RunResult> => {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return await processes.run(program, [...prefix, ...args], { input, signal, env: { LC_ALL: "C" } });
    } catch (cause) {
      const reason = cause instanceof ProcessError ? cause.message : `nft did not end in ${TIMEOUT_MS} ms`;
      throw failure("unavailable", what, reason, { cause });
    }
  };
  return {
    async run(transaction) {
      const { code, stderr } = await nft("change", ["-f", "-"], renderTransaction(transaction));
      if (code !== 0) throw failure("refused", "change", firstLine(stderr));
    },
    async list() {
      const { code, stdout, stderr } = await nft("list", ["-j", "-n", "list", "table", "ip", NFT_TABLE]);
      if (code === 0) return parseListing(stdout);
      if (NO_TABLE.test(stderr)) return undefined;
      throw failure("refused", "list", firstLine(stderr));
    },
    events({ signal }) {
      const open = (): NetlinkSocket =>
        openNetlinkSocket({
          protocol: NETLINK_NETFILTER,
          groups: NFTABLES_GROUP_BIT,
          receiveBufferBytes: EVENT_BUFFER_BYTES,
        });
      return subscriptions.read(home.run(open), signal, { decode: decodeNftEvent });
    },
    [Symbol.asyncDispose]() {
      subscriptions[Symbol.dispose]();
      home[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

/** strerror(ENOENT): nft's only word for a table that is not there. */
const NO_TABLE = /^Error: No such file or directory/;

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

function failure(code: NftErrorCode, what: string, reason: string, options?: ErrorOptions): NftError {
  return new NftError(code, `Cannot ${what} nftables table "${NFT_TABLE}": ${reason}`, options);
}
