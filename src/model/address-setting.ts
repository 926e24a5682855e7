// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrFamily, parseCidr, parseInterfaceAddress } from "../net/cidr.ts";
import { type Family, type Ip, familyOf, parseIp } from "../net/ip.ts";

/** A way to find the node's address of a family, Calico's `IP_AUTODETECTION_METHOD` and `IP6_AUTODETECTION_METHOD`. */
export type DetectionMethod =
  | { readonly kind: "first-found" }
  /** The address that packets to `ip` leave from. */
  | { readonly kind: "can-reach"; readonly ip: Ip }
  /** Interfaces whose name matches one of the regular expressions, somewhere within it. */
  | { readonly kind: "interface" | "skip-interface"; readonly patterns: readonly string[] }
  | { readonly kind: "cidr"; readonly cidrs: readonly Cidr[] };

/** The node's address as a configuration has it: `192.168.0.101/24` or `fd00:1::101/64`, or how to find it. */
export type AddressSetting = { readonly kind: "fixed"; readonly address: string } | DetectionMethod;

const WANTED =
  "want an address with a length, first-found, can-reach=<address>, interface=<regex,...>, skip-interface=<regex,...> or cidr=<prefix,...>";

/** Parses either; throws `SyntaxError` that says what is wrong. */
export function parseAddressSetting(text: string, family: Family = 4): AddressSetting {
  if (text === "first-found") return { kind: text };
  const [, method = "", list = ""] = /^([a-z-]+)=(.*)$/s.exec(text) ?? [];
  const items = list.split(",").map((item) => item.trim());
  switch (method) {
    case "can-reach":
      return { kind: method, ip: parseDestination(list, family) };
    case "interface":
    case "skip-interface":
      return { kind: method, patterns: items.map(parsePattern) };
    case "cidr":
      return { kind: method, cidrs: items.map((item) => parseCidrOf(item, family)) };
    default:
      return { kind: "fixed", address: parseFixed(text, family) };
  }
}

/** The setting as it was written. */
export function renderAddressSetting(setting: AddressSetting): string {
  switch (setting.kind) {
    case "fixed":
      return setting.address;
    case "first-found":
      return setting.kind;
    case "can-reach":
      return `${setting.kind}=${setting.ip}`;
    case "interface":
    case "skip-interface":
      return `${setting.kind}=${setting.patterns.join(",")}`;
    case "cidr":
      return `${setting.kind}=${setting.cidrs.join(",")}`;
  }
}

function parseFixed(text: string, family: Family): string {
  if (!/^[0-9a-fA-F:.]+(\/|$)/.test(text)) throw new SyntaxError(`Cannot use address "${text}": ${WANTED}`);
  const { ip, prefixLength } = parseInterfaceAddress(text);
  if (familyOf(ip) !== family) throw new SyntaxError(`Cannot use address "${text}": want IPv${family}`);
  return `${ip}/${prefixLength}`;
}

function parseDestination(text: string, family: Family): Ip {
  try {
    const ip = parseIp(text);
    if (familyOf(ip) === family) return ip;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new SyntaxError(
    `Cannot use can-reach of "${text}": want an IPv${family} address; names are not looked up, for the node may have no network yet`,
  );
}

function parseCidrOf(text: string, family: Family): Cidr {
  const cidr = parseCidr(text);
  if (cidrFamily(cidr) === family) return cidr;
  throw new SyntaxError(`Cannot use prefix "${text}": want IPv${family}`);
}

/** Bounds within which no expression takes long on a name of 15 characters: a backtracking matcher tries some thousand ways. */
const MAX_PATTERN_LENGTH = 64;
const MAX_QUANTIFIERS = 4;

function parsePattern(text: string): string {
  const fault = patternFault(text);
  if (fault !== undefined) throw new SyntaxError(`Cannot use regular expression "${text}": ${fault}`);
  return text;
}

function patternFault(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (/\s/.test(text)) return "names of interfaces have no spaces";
  if (text.length > MAX_PATTERN_LENGTH)
    return `it has ${text.length} characters, at most ${MAX_PATTERN_LENGTH} are allowed`;
  if ((text.match(/[*+?{]/g) ?? []).length > MAX_QUANTIFIERS)
    return `at most ${MAX_QUANTIFIERS} of *, +, ? and { are allowed; list several expressions instead`;
  if (/\)[*+{]/.test(text)) return "a group cannot be repeated";
  try {
    interfaceExpression(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The expression of a pattern that was parsed; it matches anywhere within a name, as Go's do. */
export function interfaceExpression(pattern: string): RegExp {
  return new RegExp(pattern, "u");
}
