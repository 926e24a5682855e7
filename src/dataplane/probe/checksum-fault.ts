// SPDX-License-Identifier: Apache-2.0

/** What becomes of checksums that are left to an interface. */
export type ChecksumVerdict =
  | "right"
  | "wrong"
  /** The other side answers nothing, whatever the checksum: it cannot be told. */
  | "unknown";

/** Sends one datagram that has to be answered, with a checksum that is left to the card or one that no card can spoil; tells whether it was. */
export type AskDatagram = (options: { readonly isByCard: boolean }) => Promise<boolean>;

/** A network that loses one packet in a hundred loses all of these once in a million times. */
const ATTEMPTS = 3;

/**
 * Finds out by at most seven datagrams. A receiver drops those whose checksum is wrong: where only the others are answered, again and again, it is
 * the checksum.
 */
export async function findChecksumFault(ask: AskDatagram): Promise<ChecksumVerdict> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await ask({ isByCard: true })) return "right";
    if (!(await ask({ isByCard: false }))) return "unknown";
  }
  // The last word is with the checksum: what was away for a while may be back.
  return (await ask({ isByCard: true })) ? "right" : "wrong";
}
