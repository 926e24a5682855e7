// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { parseCidr, parseInterfaceAddress } from "../net/cidr.ts";
import { type Family, familyOf, parseIp } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseIpv6 } from "../net/ipv6.ts";
import { parseMac } from "../net/mac.ts";
import { isIdentifier, isSubdomain } from "./name.ts";
import { parseSelector } from "./selector.ts";

/** A value nothing may change: what every parser of this folder returns. */
export type Frozen<T> = unknown extends T
  ? T
  : T extends string | number | bigint | boolean | null | undefined
    ? T
    : { readonly [Key in keyof T]: Frozen<T[Key]> };

/** What a schema makes of a value, defaults filled in. */
export type Output<Schema extends z.ZodType> = Frozen<z.output<Schema>>;

/** A string field read by one of the strict parsers, which say in their message what is wrong. */
export function textField<T>(parse: (text: string) => T): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

/** Names that become names of files. */
const NO_NAME = "want letters, digits, hyphens and inner dots";

export const ipField = textField(parseIp).meta({ title: "address" });
export const ipv4Field = textField(parseIpv4).meta({ title: "IPv4 address" });
export const ipv6Field = textField(parseIpv6).meta({ title: "IPv6 address" });
export const cidrField = textField(parseCidr).meta({ title: "prefix" });
export const macField = textField(parseMac).meta({ title: "MAC address" });
/** `<address>/<length>` in canonical text, host bits kept, as an interface carries it. */
export const ipv4InterfaceField = textField((text) => interfaceAddress(text, 4)).meta({
  title: "IPv4 address with a length",
});
export const ipv6InterfaceField = textField((text) => interfaceAddress(text, 6)).meta({
  title: "IPv6 address with a length",
});
/** A selector, kept as it was written; it is only checked here. */
export const selectorField = textField((text) => {
  parseSelector(text);
  return text;
}).meta({ title: "selector" });
/** RFC 6793: 32 bits, and 0 is not assigned (RFC 7607). As in Calico, also as text: `"65546"`, or `"1.10"` (asdot of RFC 5396). */
export const asNumberField: z.ZodType<number> = z
  .preprocess(
    readAsNumber,
    z.int('want a number, or text such as "65546" or "1.10"').min(1).max(4_294_967_295),
  )
  .meta({ title: "AS number" });
export const portField = z.int().min(1).max(65_535);
/** Go's duration text, such as `90s` or `1m30s`. */
export const durationField = z
  .string()
  .regex(/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/, 'want a duration such as "90s"')
  .meta({ title: "duration" });
/** RFC 1997 `aa:nn`, or RFC 8092 `aa:nn:mm`. */
export const communityField = z
  .string()
  .refine(isCommunity, "want aa:nn of 16 bits each, or aa:nn:mm of 32 bits each")
  .meta({ title: "community" });
/** A secret that is kept elsewhere, and one of its values. */
export const secretRefField = z.strictObject({
  name: z.string().refine(isSubdomain, NO_NAME).meta({ title: "name" }),
  key: z.string().refine(isIdentifier, NO_NAME).meta({ title: "name" }),
});
/** The kernel's name of a link, or a pattern of such names with `*`. */
export const interfacePatternField = z
  .string()
  .regex(/^[A-Za-z0-9_.*@-]{1,15}$/, "want the name of an interface, or a pattern of names with *")
  .meta({ title: "interface, or pattern" });
/** A duration of so many seconds at most. */
export function durationUpTo(seconds: number): z.ZodType<string, string> {
  return durationField
    .refine((text) => secondsOf(text) <= seconds, `want ${seconds}s at most`)
    .meta({ title: `duration, ${seconds}s at most` });
}

/** RFC 4724 section 3: 12 bits. */
export const restartTimeField = durationUpTo(4095);
/** The hold time is three times as long, and has 16 bits (RFC 4271 section 4.2). */
export const keepaliveTimeField = durationUpTo(21_845);

/** The seconds of a {@link durationField}, whole ones, and at least one. */
export function secondsOf(duration: string): number {
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 };
  const parts = [...duration.matchAll(/([0-9.]+)(ms|s|m|h)/g)];
  const seconds = parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (units[unit] ?? 0), 0);
  return Math.max(1, Math.round(seconds));
}
export const labelsField = z.record(z.string().max(512), z.string());
export const logSeverity = z.enum(["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]);
export const logSeverityField = logSeverity.default("Info");

/** Whether the text is a community, of either kind. */
export function isCommunity(text: string): boolean {
  if (!/^\d{1,10}(:\d{1,10}){1,2}$/.test(text)) return false;
  const numbers = text.split(":").map(Number);
  const largest = numbers.length === 2 ? 0xffff : 0xffffffff;
  return numbers.every((number) => number <= largest);
}

/** What is no AS number is left for the schema to refuse. */
function readAsNumber(written: unknown): unknown {
  if (typeof written !== "string") return written;
  const [, high = "0", low] = /^(?:(\d{1,5})\.)?(\d{1,10})$/.exec(written) ?? [];
  const isDotted = written.includes(".");
  if (low === undefined || Number(high) > 0xffff || (isDotted && Number(low) > 0xffff)) return written;
  return Number(high) * 0x1_0000 + Number(low);
}

function interfaceAddress(text: string, family: Family): string {
  const { ip, prefixLength } = parseInterfaceAddress(text);
  if (familyOf(ip) !== family) throw new SyntaxError(`Cannot use address "${text}": want IPv${family}`);
  return `${ip}/${prefixLength}`;
}

/** Reports values that exclude each other at the field a person would change. */
export function addConflict(context: z.core.$RefinementCtx, path: readonly string[], message: string): void {
  context.addIssue({ code: "custom", path: [...path], message, params: { conflict: true } });
}
