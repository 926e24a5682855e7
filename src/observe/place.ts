// SPDX-License-Identifier: Apache-2.0
import type { Station } from "../trace/observation.ts";

/** A network namespace that can be looked into. */
export type StationPlace = Pick<Station, "name" | "kind" | "attachment" | "processes"> & {
  readonly netnsPath: string;
  /** Where `wireguard-go` has its sockets, on a node whose kernel has no WireGuard. */
  readonly wireguardDirectory?: string;
};
