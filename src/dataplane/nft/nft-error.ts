// SPDX-License-Identifier: Apache-2.0

/**
 * - `unavailable`: there is no program `nft`, or it did not end
 * - `refused`: it, or the kernel, refused a transaction; nothing of it took effect
 * - `unreadable`: it printed a table in words that are not understood here
 */
export type NftErrorCode = "unavailable" | "refused" | "unreadable";

/** Something that nftables was asked for, and did not do. */
export class NftError extends Error {
  override readonly name = "NftError";
  readonly code: NftErrorCode;

  constructor(code: NftErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
