// SPDX-License-Identifier: Apache-2.0
import { NODE_END_MAC } from "../desired/wanted.ts";
import { parseInterfaceAddress } from "../net/cidr.ts";
import { type Ip, parseIp } from "../net/ip.ts";
import { type Mac, isUnicastMac, parseMac } from "../net/mac.ts";

/** An address that a container asks for; the length of a prefix, where there is one, is of no use: containers have theirs alone. Throws `SyntaxError`. */
export function parseContainerIp(text: string): Ip {
  return text.includes("/") ? parseInterfaceAddress(text).ip : parseIp(text);
}

/** A MAC address that a container asks for: one of a single interface, and not the gateway's. Throws `SyntaxError`. */
export function parseContainerMac(text: string): Mac {
  const mac = parseMac(text);
  if (!isUnicastMac(mac))
    throw new SyntaxError(`Cannot use MAC address "${text}": it is of no single interface`);
  if (mac === NODE_END_MAC) throw new SyntaxError(`Cannot use MAC address "${text}": it is the gateway's`);
  return mac;
}
