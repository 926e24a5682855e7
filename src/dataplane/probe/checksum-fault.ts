// SPDX-License-Identifier: Apache-2.0

/** What becomes of checksums that are left to an interface. */
export type ChecksumVerdict =
  | "right"
  | "wrong"
  /** The other side answers nothing, whatever the checksum: it cannot be told. */
  | "unknown";

/** Sends one datagram that has to be answered, with a checksum or without; tells whether it was. */
export type AskDatagram = (options: { readonly hasChecksum: boolean }) => Promise<boolean>;

/** A network that loses one packet in a hundred loses all of these once in a million times. */
const ATTEMPTS = 3;

/**
 * Finds out by at most seven datagrams. A receiver drops those whose checksum is wrong, and takes those that have none (RFC 768): where only
 * these are answered, again and again, it is the checksum.
 */
export async function findChecksumFault(ask: AskDatagram): Promise<ChecksumVerdict> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await ask({ hasChecksum: true })) return "right";
    if (!(await ask({ hasChecksum: false }))) return "unknown";
  }
  // The last word is with the checksum: what was away for a while may be back.
  return (await ask({ hasChecksum: true })) ? "right" : "wrong";
}
