// SPDX-License-Identifier: Apache-2.0

/** What is to be sent, from where and to whom. */
export interface TraceQuestion {
  /** A container's name or address. */
  readonly source: string;
  readonly destination: string;
  readonly proto: "icmp" | "tcp" | "udp";
  /** `undefined` of ICMP. */
  readonly port: number | undefined;
}

export type ParsedQuestion =
  | { readonly kind: "ok"; readonly question: TraceQuestion }
  | { readonly kind: "invalid"; readonly why: string };

const NAMES = ["source", "destination", "proto", "port"];
/** Of containers, and addresses. */
const END = /^[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}$/;
const PROTOS = ["icmp", "tcp", "udp"] as const;
const PORT = /^[1-9][0-9]{0,4}$/;
const MOST_PORT = 65_535;

/** Reads `source=…&destination=…&proto=…&port=…`; each may be there once, and nothing else. */
export function parseTraceQuestion(query: string): ParsedQuestion {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!NAMES.includes(name)) return invalid(`want ${NAMES.join(", ")} and nothing else`);
    if (fields.has(name)) return invalid(`want one "${name}"`);
    fields.set(name, value);
  }
  const [source = "", destination = ""] = [fields.get("source"), fields.get("destination")];
  if (!END.test(source) || !END.test(destination))
    return invalid("want source and destination, each a container's name or an address");
  const proto = PROTOS.find((known) => known === (fields.get("proto") ?? "icmp"));
  if (proto === undefined) return invalid(`want proto ${PROTOS.join(", ")}`);
  const written = fields.get("port");
  if (proto === "icmp" && written !== undefined) return invalid("ICMP has no ports");
  if (proto === "icmp") return { kind: "ok", question: { source, destination, proto, port: undefined } };
  const port = PORT.test(written ?? "") ? Number(written) : NaN;
  if (!(port <= MOST_PORT)) return invalid(`want port, 1 to ${MOST_PORT}`);
  return { kind: "ok", question: { source, destination, proto, port } };
}

function invalid(why: string): ParsedQuestion {
  return { kind: "invalid", why };
}
