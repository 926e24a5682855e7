// SPDX-License-Identifier: Apache-2.0
import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_LAB } from "../../lab/layout.ts";
import { type Family, familyOf } from "../../net/ip.ts";
import { AGENT_SOCKET } from "../../system/run-directory.ts";
import { renderTrace, traceToJson } from "../../trace/render.ts";
import { renderSvg } from "../../trace/svg.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { openNamedLab } from "../lab-options.ts";
import { print } from "../print.ts";
import { addressIn, endsInLab } from "./places.ts";
import { ownNodeName } from "./remote.ts";
import { DEFAULT_BYTES, type Ends, endsFromNode, runTrace } from "./tracers.ts";

interface TraceOptions {
  readonly lab?: string;
  readonly proto: "icmp" | "udp" | "tcp";
  readonly port?: number;
  readonly size: number;
  readonly ipv6?: boolean;
  readonly socket: string;
  readonly json?: boolean;
  readonly svg?: boolean;
}

/** An echo with its headers. */
const LEAST_BYTES: Readonly<Record<Family, number>> = { 4: 28, 6: 48 };
/** The longest packet of IPv4 (RFC 791 section 3.1). */
const MOST_BYTES = 65_535;
const MOST_PORT = 65_535;

export function createTraceCommand({ signal, exitWith }: CommandContext): Command {
  return new Command("trace")
    .description("send a probe from a container, and show what the live network did with it, step by step")
    .argument("<source>", "a container of this node by its address, or of a lab by its name")
    .argument("<destination>", "likewise, or any other address")
    .option("--lab <lab>", `which lab the names are of (default: "${DEFAULT_LAB}")`)
    .addOption(
      new Option("--proto <protocol>", "what is sent").choices(["icmp", "tcp", "udp"]).default("icmp"),
    )
    .option("--port <number>", "where to, with TCP and UDP", numberUpTo(1, MOST_PORT))
    .option(
      "--size <octets>",
      "of the packet, which nobody may fragment; not of TCP",
      numberUpTo(LEAST_BYTES[4], MOST_BYTES),
      DEFAULT_BYTES,
    )
    .option("-6, --ipv6", "of containers that have both, the IPv6 addresses")
    .option("--socket <path>", "on a node: the socket of its agent", AGENT_SOCKET)
    .addOption(new Option("--svg", "print a picture (SVG)").conflicts("json"))
    .option("--json", "print JSON")
    .action(async (source: string, destination: string, options: TraceOptions) => {
      const port = requirePort(options);
      await using stack = new AsyncDisposableStack();
      const ends = await findEnds(source, destination, options, { stack, signal });
      const least = LEAST_BYTES[familyOf(ends.dst)];
      if (options.size < least)
        throw new CommandError(
          "invalid",
          `Cannot send a packet of ${options.size} octets: want ${least} or more`,
        );
      const probe = { kind: options.proto, packetBytes: options.size, port };
      const trace = await runTrace(ends, probe, { signal });
      print(options, traceToJson(trace), () =>
        options.svg === true ? renderSvg(trace) : renderTrace(trace),
      );
      if (!trace.ok) exitWith(1);
    });
}

async function findEnds(
  source: string,
  destination: string,
  { lab, ipv6, socket }: TraceOptions,
  held: { readonly stack: AsyncDisposableStack; readonly signal: AbortSignal },
): Promise<Ends> {
  const src = addressIn(source);
  if (lab === undefined && src !== undefined) {
    const dst = addressIn(destination);
    if (dst === undefined || familyOf(dst) !== familyOf(src))
      throw new CommandError(
        "invalid",
        `Cannot trace to "${destination}": want an IPv${familyOf(src)} address, or "--lab"`,
      );
    const nodeName = await ownNodeName(socket, held.signal);
    return await endsFromNode(src, dst, { nodeName, socket }, held);
  }
  const name = lab ?? DEFAULT_LAB;
  const status = await openNamedLab({ name }).status();
  return endsInLab(status, source, destination, { lab: name, ...(ipv6 === true && { family: 6 }) });
}

/** 0 where the protocol has none. */
function requirePort({ proto, port }: TraceOptions): number {
  if (proto === "icmp" && port !== undefined)
    throw new CommandError("invalid", 'Cannot use "--port": ICMP has no ports, name another "--proto"');
  if (proto !== "icmp" && port === undefined)
    throw new CommandError("invalid", `Cannot trace with "${proto}": want "--port"`);
  return port ?? 0;
}

function numberUpTo(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`want ${least} to ${most}`);
  };
}
