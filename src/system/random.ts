// SPDX-License-Identifier: Apache-2.0

/**
 * Numbers in [0, 1) that a seed repeats: a test on random input names its seed, and that input can be had again.
 * Marsaglia's xorshift with 32 bits of state (Journal of Statistical Software 8/14, 2003).
 */
export function createRandom(seed: number): () => number {
  // Zero is the one state that never changes.
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
