// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Resource, clusterResource } from "./metadata.ts";
import { type Output, cidrField } from "./schema.ts";

const spec = z.strictObject({ reservedCIDRs: z.array(cidrField).default([]) });

export type IPReservationSpec = Output<typeof spec>;
/** Addresses that are never handed out on their own; asked for one by one, they still are. */
export type IPReservation = Resource<"IPReservation", IPReservationSpec>;

export const ipReservationSchema: z.ZodType<IPReservation> = clusterResource("IPReservation", spec);
