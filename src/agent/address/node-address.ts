// SPDX-License-Identifier: Apache-2.0
import type { Rtnetlink } from "../../dataplane/netlink/rtnetlink.ts";
import type { AddressSetting } from "../../model/address-setting.ts";
import { parseInterfaceAddress } from "../../net/cidr.ts";
import type { Family, Ip } from "../../net/ip.ts";
import type { Log } from "../../system/log.ts";
import { type KnownAddress, decideAddress, describeMissing, onInterface, reviewAddress } from "./decision.ts";
import type { NetworkState } from "./detection.ts";
import { watchNetwork } from "./network.ts";

interface Wait {
  readonly signal: AbortSignal;
}

/** The address of this node, of one family: chosen once as the agent starts, and not changed after that but as somebody asks for it. */
export interface NodeAddress extends AsyncDisposable {
  /** What is known of it; `undefined` before it is chosen. */
  readonly known: KnownAddress | undefined;
  /** `192.168.0.101/24`; throws before it is chosen. */
  readonly current: string;
  readonly ip: Ip | undefined;
  /** What is waited for, in words. */
  readonly waitsFor: string | undefined;
  /** Chooses it, waiting for one as long as it takes; rejects with the signal's reason, and where datastore or kernel cannot be asked. */
  resolve(options: Wait): Promise<void>;
  /** Resolves once an interface has it; rejects likewise. */
  present(options: Wait): Promise<void>;
  /**
   * Takes what detection would take, where the Node's record was taken away or says just that; gives whether the address is another now.
   */
  accept(recorded: string | undefined): boolean;
}

export interface NodeAddressCollaborators {
  readonly rtnetlink: Rtnetlink;
  /** Gives the address that the Node has in the datastore. */
  readonly recorded: (options: Wait) => Promise<string | undefined>;
  readonly log: Log;
}

export interface NodeAddressOptions {
  readonly nodeName: string;
  readonly family: Family;
  readonly setting: AddressSetting;
  /** Called when status may tell something else. */
  readonly onChange: () => void;
}

export function createNodeAddress(
  collaborators: NodeAddressCollaborators,
  options: NodeAddressOptions,
): NodeAddress {
  return new DetectedAddress(collaborators, options);
}

class DetectedAddress implements NodeAddress {
  readonly #collaborators: NodeAddressCollaborators;
  readonly #options: NodeAddressOptions;
  readonly #abort = new AbortController();
  #known: KnownAddress | undefined;
  #waitsFor: string | undefined;
  #review: Promise<void> = Promise.resolve();

  constructor(collaborators: NodeAddressCollaborators, options: NodeAddressOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  get known(): KnownAddress | undefined {
    return this.#known;
  }

  get current(): string {
    if (this.#known === undefined) throw new Error("Cannot tell the node's address: it is not chosen yet");
    return this.#known.address;
  }

  get ip(): Ip | undefined {
    return this.#known && parseInterfaceAddress(this.#known.address).ip;
  }

  get waitsFor(): string | undefined {
    return this.#waitsFor;
  }

  async resolve({ signal }: Wait): Promise<void> {
    const { log, recorded } = this.#collaborators;
    await this.#until({ signal }, async (network) => {
      const decision = decideAddress({ ...this.#options, recorded: await recorded({ signal }), network });
      if (decision.kind === "waiting") return decision.reason;
      const { known, warning } = decision;
      this.#note(known);
      if (warning !== undefined) log.warn(warning);
      if (known.degradation !== undefined)
        log.warn("The node keeps its address", { reason: known.degradation });
      log.info("Chose the node's address", { address: known.address, reason: known.reason });
      return undefined;
    });
    if (this.#known?.degradation !== undefined) this.#review = this.#followReview(this.#abort.signal);
  }

  async present({ signal }: Wait): Promise<void> {
    const { current } = this;
    await this.#until({ signal }, (network) =>
      Promise.resolve(onInterface(current, network) === undefined ? describeMissing(current) : undefined),
    );
  }

  accept(recorded: string | undefined): boolean {
    const { alternative } = this.#known ?? {};
    if (alternative === undefined) return false;
    if (recorded !== undefined && recorded !== alternative.address) return false;
    this.#collaborators.log.warn("The node's address is another, as its record says", {
      before: this.current,
      address: alternative.address,
      reason: alternative.reason,
    });
    this.#note({ ...alternative, passedOver: [] });
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#review;
  }

  /** Looks again after each change, until nothing is waited for any more. */
  async #until(
    { signal }: Wait,
    look: (network: NetworkState) => Promise<string | undefined>,
  ): Promise<void> {
    const { rtnetlink, log } = this.#collaborators;
    for await (const network of watchNetwork(rtnetlink, this.#options, { signal })) {
      const before = this.#waitsFor;
      this.#waitsFor = await look(network);
      this.#options.onChange();
      if (this.#waitsFor === undefined) return;
      if (this.#waitsFor !== before) log.warn("Not started yet", { reason: this.#waitsFor });
    }
    signal.throwIfAborted();
    throw new Error("Cannot watch the node's addresses: the kernel's events have ended");
  }

  /** What is said of an address that is kept is to hold still: routes and interfaces may have come meanwhile. */
  async #followReview(signal: AbortSignal): Promise<void> {
    const { rtnetlink, log } = this.#collaborators;
    const { nodeName, setting } = this.#options;
    if (setting.kind === "fixed") return;
    try {
      for await (const network of watchNetwork(rtnetlink, this.#options, { signal })) {
        if (this.#known?.degradation === undefined) return;
        this.#note(reviewAddress(nodeName, setting, this.current, network));
      }
    } catch (error) {
      if (!signal.aborted) log.warn("Cannot follow what would be the node's address", { error });
    }
  }

  #note(known: KnownAddress): void {
    this.#known = known;
    this.#options.onChange();
  }
}
