// SPDX-License-Identifier: Apache-2.0
import { type Ip, parseIp } from "../../net/ip.ts";
import { CommandError } from "../exit.ts";

/** The address that a person has written; throws {@link CommandError} for what is none. */
export function parseAddress(text: string): Ip {
  try {
    return parseIp(text);
  } catch (cause) {
    throw new CommandError("invalid", `Cannot use "${text}": it is no address`, { cause });
  }
}
