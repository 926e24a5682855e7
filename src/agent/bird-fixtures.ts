// SPDX-License-Identifier: Apache-2.0
import type { WantedBird, WantedSession } from "../desired/wanted.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import type { BirdSecrets } from "./bird-secrets.ts";

/** A BIRD of one node that nobody else asks anything of, for tests. */
export const LONELY_BIRD: WantedBird = {
  nodeAddress: parseIpv4("192.168.0.101"),
  nodeAddress6: undefined,
  asNumber: 64512,
  listenPort: 179,
  peers: [],
  meshPassword: undefined,
  gracefulRestartSeconds: 120,
  sessions: [],
  filters: [],
  prefixAdvertisements: [],
  ignoredInterfaces: [],
  logLevel: "Info",
  bindsNodeAddress: false,
  originated: [],
  poolCidrs: [],
  kernelCidrs: [],
  tunnelled: [],
  purpose: "routes",
};

/** A router outside the cluster. */
export const ROUTER: WantedSession = {
  name: "tor",
  address: parseIpv4("192.168.0.1"),
  port: 179,
  asNumber: 64999,
  localAsNumber: 64512,
  node: undefined,
  isPassive: false,
  isDirect: true,
  clusterId: undefined,
  passesOn: false,
  nextHop: "Auto",
  bindsAddress: true,
  password: undefined,
  ttlSecurity: undefined,
  restartSeconds: undefined,
  keepaliveSeconds: undefined,
  allowedLocalAs: undefined,
  reachableBy: undefined,
  filters: [],
  bfd: undefined,
};

/** For a BIRD without passwords. */
export const NO_SECRETS: Pick<BirdSecrets, "resolve"> = {
  resolve: ({ peers }) => Promise.resolve({ peers, meshPassword: undefined, sessions: [] }),
};
