// SPDX-License-Identifier: Apache-2.0

/**
 * Routes of ours that stand beside BIRD's while its sessions begin anew, by their keys. What was added for that goes with it, whether
 * BIRD's has come or not: BIRD may have been told not to bring it any more.
 */
export class StandIns {
  readonly #keys = new Map<string, "held" | "over">();

  isHeld(key: string): boolean {
    return this.#keys.get(key) === "held";
  }

  /** Whether the route at the key was a stand-in, and has yet to go. */
  isOver(key: string): boolean {
    return this.#keys.get(key) === "over";
  }

  hold(key: string): void {
    this.#keys.set(key, "held");
  }

  /** Ends it for all; returns their keys. */
  release(): readonly string[] {
    const held = [...this.#keys].filter(([, state]) => state === "held").map(([key]) => key);
    for (const key of held) this.#keys.set(key, "over");
    return held;
  }

  /** The route has gone. */
  forget(key: string): void {
    if (this.isOver(key)) this.#keys.delete(key);
  }

  /** Those that are over have gone, but for the ones that are still seen. */
  keepSeen(isSeen: (key: string) => boolean): void {
    for (const key of this.#keys.keys()) if (!isSeen(key)) this.forget(key);
  }
}
