// SPDX-License-Identifier: Apache-2.0
import type { AddressSetting } from "../../model/address-setting.ts";
import type { Ip } from "../../net/ip.ts";
import type { Clock } from "../../system/clock.ts";
import { Conditions } from "../../system/conditions.ts";
import type { Log } from "../../system/log.ts";
import { persist } from "../persist.ts";
import type { KnownAddress } from "./decision.ts";
import { type NodeAddress, type NodeAddressCollaborators, createNodeAddress } from "./node-address.ts";

interface Wait {
  readonly signal: AbortSignal;
}

/** The IPv6 address of a node: unlike that of IPv4, the node does without as long as there is none. */
export interface Ipv6Address extends AsyncDisposable {
  readonly known: KnownAddress | undefined;
  /** Looks for it, and goes on in the background; resolves once it is known, or waited for, or not wanted. */
  begin(options: Wait): Promise<void>;
  /** What keeps the node from having it, in words. */
  trouble(hasAddress: (ip: Ip) => boolean): string | undefined;
  /** Takes what the Node's record says now; gives whether the record has to say something else. */
  review(recorded: string | undefined): boolean;
}

export interface Ipv6AddressOptions {
  readonly nodeName: string;
  /** `none`: the agent leaves the Node's IPv6 address to whoever writes it. */
  readonly setting: AddressSetting | { readonly kind: "none" };
  /** Called when status may tell something else. */
  readonly onChange: () => void;
  /** Called when the address was found later than {@link Ipv6Address.begin} waited. */
  readonly onFound: () => void;
}

type Collaborators = NodeAddressCollaborators & { readonly clock: Clock; readonly log: Log };

export function createIpv6Address(collaborators: Collaborators, options: Ipv6AddressOptions): Ipv6Address {
  const { setting } = options;
  if (setting.kind === "none") return NONE;
  const conditions = new Conditions();
  const onChange = (): void => {
    conditions.check();
    options.onChange();
  };
  const address = createNodeAddress(collaborators, { ...options, setting, family: 6, onChange });
  return new WantedAddress(address, conditions, collaborators, options);
}

const NONE: Ipv6Address = {
  known: undefined,
  begin: () => Promise.resolve(),
  trouble: () => undefined,
  review: () => false,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

class WantedAddress implements Ipv6Address {
  readonly #address: NodeAddress;
  readonly #conditions: Conditions;
  readonly #collaborators: Collaborators;
  readonly #options: Ipv6AddressOptions;
  readonly #abort = new AbortController();
  #search: Promise<void> = Promise.resolve();

  constructor(
    address: NodeAddress,
    conditions: Conditions,
    collaborators: Collaborators,
    options: Ipv6AddressOptions,
  ) {
    this.#address = address;
    this.#conditions = conditions;
    this.#collaborators = collaborators;
    this.#options = options;
  }

  get known(): KnownAddress | undefined {
    return this.#address.known;
  }

  async begin({ signal }: Wait): Promise<void> {
    let isBegun = false;
    this.#search = this.#find(() => {
      if (isBegun) this.#options.onFound();
    });
    await this.#conditions.until(
      () => this.known !== undefined || this.#address.waitsFor !== undefined,
      signal,
    );
    isBegun = true;
  }

  trouble(hasAddress: (ip: Ip) => boolean): string | undefined {
    const { ip, known, waitsFor } = this.#address;
    if (waitsFor !== undefined) return `ipv6Address: waiting: ${waitsFor}`;
    if (ip !== undefined && !hasAddress(ip)) return `ipv6Address: no interface has ${ip}`;
    return known?.degradation;
  }

  review(recorded: string | undefined): boolean {
    if (this.known === undefined || recorded === this.known.address) return false;
    this.#address.accept(recorded);
    return recorded !== this.known.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#search;
    await this.#address[Symbol.asyncDispose]();
  }

  async #find(onFound: () => void): Promise<void> {
    const { clock, log } = this.#collaborators;
    const { signal } = this.#abort;
    try {
      await persist("find the node's IPv6 address", () => this.#address.resolve({ signal }), {
        clock,
        log,
        signal,
      });
      onFound();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
