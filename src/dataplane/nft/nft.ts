// SPDX-License-Identifier: Apache-2.0
// nft(8) is driven for tables as a whole, for its language is the documented interface (wiki.nftables.org, "Scripting"); elements of sets,
// which come and go with containers and nodes, are changed by netlink; and so is asked whether there is a table to list.
import { ProcessError, type ProcessRunner, type RunResult } from "../../system/process.ts";
import { Connection } from "../netlink/connection.ts";
import { type Netns, openNetns } from "../netlink/netns.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlinkSocket } from "../netlink/socket.ts";
import { Subscriptions } from "../netlink/subscription.ts";
import { TRANSACTION, elementRequest, tableRequest } from "./element-message.ts";
import { NFTABLES_GROUP_BIT, type NftEvent, decodeNftEvent } from "./event.ts";
import { type NftListing, parseListing } from "./listing.ts";
import { NftError, type NftErrorCode } from "./nft-error.ts";
import { renderTransaction } from "./render.ts";
import {
  type NftElementStatement,
  type NftTable,
  type NftTransaction,
  type NftType,
  nftTableName,
} from "./statement.ts";

/** Margay's tables in one network namespace's nftables: changing them, listing them, hearing of changes. */
export interface Nft extends AsyncDisposable {
  /** All of the statements, or none. Throws {@link NftError}. */
  run(transaction: NftTransaction): Promise<void>;
  /** As {@link run}, without a process, for up to {@link MOST_ELEMENTS} elements of sets of the types. Throws `KernelError`. */
  change(
    table: NftTable,
    statements: readonly NftElementStatement[],
    types: ReadonlyMap<string, NftType>,
  ): Promise<void>;
  /** Whether anything is there under the table's name; without a process. Throws `KernelError`. */
  has(table: NftTable): Promise<boolean>;
  /** What is there under the table's name; `undefined` where there is nothing. Throws {@link NftError}. */
  list(table: NftTable): Promise<NftListing | undefined>;
  /** Changes of our tables, whoever makes them, beginning with this call. Ends quietly with the signal. Throws `KernelError`. */
  events(options: { readonly signal: AbortSignal }): AsyncIterable<readonly NftEvent[]>;
}

export interface NftOptions {
  /** The namespace to speak for; it need not stay open. @default the calling thread's */
  readonly netns?: Netns;
  /** Program and first arguments, which has to run in the same namespace. @default nft */
  readonly command?: readonly [string, ...string[]];
}

/** How many elements one write carries. */
export const MOST_ELEMENTS = 200;

/** What may wait to be read, in the kernel's count: a table of another that is replaced has tens of thousands of messages. */
const EVENT_BUFFER_BYTES = 4 * 1024 * 1024;
const REQUEST_BUFFER_BYTES = 1024 * 1024;
/** A kernel that does not answer by then will not; the key is tried again. */
const TIMEOUT_MS = 30_000;

export function createNft(
  { processes }: { readonly processes: ProcessRunner },
  { netns, command: [program, ...prefix] = ["nft"] }: NftOptions = {},
): Nft {
  // A handle of its own, since each subscription opens a socket there later.
  const home = openNetns(netns === undefined ? "/proc/thread-self/ns/net" : `/proc/self/fd/${netns.fd}`);
  const subscriptions = new Subscriptions();
  const open = (options: { readonly groups?: number; readonly receiveBufferBytes: number }): NetlinkSocket =>
    home.run(() => openNetlinkSocket({ protocol: NETLINK_NETFILTER, ...options }));
  // Opened when it is needed: a kernel may lack it, and then everything else works.
  let connection: Connection | undefined;
  const connect = (): Connection =>
    (connection ??= new Connection(open({ receiveBufferBytes: REQUEST_BUFFER_BYTES })));
  const nft = async (
    table: NftTable,
    what: string,
    args: readonly string[],
    input = "",
  ): Promise<RunResult> => {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return await processes.run(program, [...prefix, ...args], { input, signal, env: { LC_ALL: "C" } });
    } catch (cause) {
      const reason = cause instanceof ProcessError ? cause.message : `nft did not end in ${TIMEOUT_MS} ms`;
      throw failure("unavailable", table, what, reason, { cause });
    }
  };
  return {
    async run(transaction) {
      const { table } = transaction;
      const { code, stderr } = await nft(table, "change", ["-f", "-"], renderTransaction(transaction));
      if (code !== 0) throw failure("refused", table, "change", firstLine(stderr));
    },
    async change(table, statements, types) {
      const requests = statements.map((statement) => {
        const type = types.get(statement.element.set);
        if (type === undefined)
          throw new RangeError(`Cannot change set "${statement.element.set}": it is none`);
        return elementRequest(table, type, statement);
      });
      const error = await connect().executeTogether(requests, TRANSACTION);
      if (error !== undefined) throw error;
    },
    async has(table) {
      const [refusal] = await connect().execute([tableRequest(table)]);
      if (refusal !== undefined && refusal.code !== "ENOENT") throw refusal;
      return refusal === undefined;
    },
    async list(table) {
      const { family, name } = table;
      const { code, stdout, stderr } = await nft(table, "list", ["-j", "-n", "list", "table", family, name]);
      if (code === 0) return parseListing(table, stdout);
      if (NO_TABLE.test(stderr)) return undefined;
      throw failure("refused", table, "list", firstLine(stderr));
    },
    events({ signal }) {
      const socket = open({ groups: NFTABLES_GROUP_BIT, receiveBufferBytes: EVENT_BUFFER_BYTES });
      return subscriptions.read(socket, signal, { decode: decodeNftEvent });
    },
    async [Symbol.asyncDispose]() {
      subscriptions[Symbol.dispose]();
      await connection?.[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}

/** strerror(ENOENT): nft's only word for a table that is not there. */
const NO_TABLE = /^Error: No such file or directory/;

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

function failure(
  code: NftErrorCode,
  table: NftTable,
  what: string,
  reason: string,
  options?: ErrorOptions,
): NftError {
  return new NftError(code, `Cannot ${what} nftables table "${nftTableName(table)}": ${reason}`, options);
}
