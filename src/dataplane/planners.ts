// SPDX-License-Identifier: Apache-2.0
import { planAddress } from "./address.ts";
import { planForwarding } from "./forwarding.ts";
import { planLink } from "./link.ts";
import { planMtu } from "./mtu.ts";
import { planNeighbour } from "./neighbour.ts";
import { planRoute } from "./route.ts";
import { planRule } from "./rule.ts";
import type { Tables } from "./tables.ts";

type Planner<Plan extends (...args: never) => unknown> = (key: string) => ReturnType<Plan>;

export interface Planners {
  readonly link: Planner<typeof planLink>;
  readonly mtu: Planner<typeof planMtu>;
  readonly address: Planner<typeof planAddress>;
  readonly forwarding: Planner<typeof planForwarding>;
  readonly neighbour: Planner<typeof planNeighbour>;
  readonly rule: Planner<typeof planRule>;
  readonly route: Planner<typeof planRoute>;
}

/** How the next step is planned for a key of each kind that is planned by its own table and the links alone; what else a step waits for is put around it. */
export function plannersOf({
  link: links,
  mtu,
  address,
  forwarding,
  neighbour,
  rule,
  route,
}: Tables): Planners {
  return {
    link: (key) => planLink(key, links),
    mtu: (key) => planMtu(key, mtu, links),
    address: (key) => planAddress(key, address, links),
    forwarding: (key) => planForwarding(key, forwarding, links),
    neighbour: (key) => planNeighbour(key, neighbour, links),
    rule: (key) => planRule(key, rule),
    route: (key) => planRoute(key, route, links),
  };
}
