// SPDX-License-Identifier: Apache-2.0
// A call on its way from a plugin to the agent: `POST /cni` with the environment's entries, each `NAME=value` and an octet 0 as in environ(7),
// an octet 0 that ends them, and standard input as it came. The answer is what is to be printed: with status 200 the result, if there is one, with 422 the error.
// So a plugin needs to know nothing of what it passes on. The plugins load this file, so it imports as little as they do.
import { CniError } from "./error.ts";

export const CALL_TYPE = "application/vnd.margay.cni-call";
/** The longest configuration that is taken, in octets; those with previous results stay far below. */
const MAX_CONFIG_BYTES = 1024 * 1024;
/** The longest call. Linux passes no variable of more than 128 KiB to a program (`execve(2)`). */
export const MAX_CALL_BYTES = 2 * MAX_CONFIG_BYTES;
/** The variables of the specification (section 2). */
const VARIABLES: readonly string[] = [
  "CNI_COMMAND",
  "CNI_CONTAINERID",
  "CNI_NETNS",
  "CNI_IFNAME",
  "CNI_ARGS",
  "CNI_PATH",
];

export interface CniCall {
  /** The specification's variables, of those that are set. */
  readonly environment: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly stdin: Uint8Array;
}

/** @param environment with whatever else is set */
export function encodeCall(environment: NodeJS.ProcessEnv, stdin: Uint8Array): Uint8Array {
  const entries = VARIABLES.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [`${name}=${value}\0`];
  });
  return Buffer.concat([Buffer.from(`${entries.join("")}\0`), stdin]);
}

/** Throws {@link CniError} at what no plugin sends, and at a variable that is no text. */
export function decodeCall(body: Uint8Array): CniCall {
  const environment: Record<string, string> = {};
  for (let rest = body; ;) {
    const end = rest.indexOf(0);
    if (end < 0) throw new CniError("decode", "Cannot decode the call: it ends within its variables");
    const [entry, after] = [rest.subarray(0, end), rest.subarray(end + 1)];
    if (entry.length === 0) return { environment, stdin: after };
    const [name, value] = parseEntry(entry);
    if (name in environment) throw new CniError("decode", `Cannot decode the call: it has two ${name}`);
    environment[name] = value;
    rest = after;
  }
}

function parseEntry(entry: Uint8Array): readonly [name: string, value: string] {
  const equals = entry.indexOf("=".charCodeAt(0));
  const name = VARIABLES.find((known) => known === Buffer.from(entry.subarray(0, equals)).toString("latin1"));
  if (name === undefined)
    throw new CniError("decode", "Cannot decode the call: a variable that is not the specification's");
  try {
    return [name, decodeText(entry.subarray(equals + 1))];
  } catch (cause) {
    throw new CniError("invalidEnvironment", `Cannot use ${name}: want UTF-8`, { cause });
  }
}

export type RawConfig = Readonly<Record<string, unknown>>;

/** Parses standard input as far as every call wants it; throws {@link CniError}. */
export function parseConfig(stdin: Uint8Array): RawConfig {
  const config = stdin.length > MAX_CONFIG_BYTES ? undefined : parseObject(stdin);
  if (config !== undefined) return config;
  throw new CniError(
    "decode",
    `Cannot decode network configuration on standard input: want a JSON object of up to ${MAX_CONFIG_BYTES} bytes`,
  );
}

/** `undefined` if the text is no JSON object, by RFC 8259 to the letter. */
export function parseObject(text: Uint8Array): RawConfig | undefined {
  try {
    const value: unknown = JSON.parse(decodeText(text));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as RawConfig)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Throws where it is no UTF-8. */
function decodeText(text: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
}
