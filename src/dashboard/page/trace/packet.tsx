// SPDX-License-Identifier: Apache-2.0
// The packet on the map: the way that it has come, and where it is.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { pointAlong, polyline } from "../../model/geometry.ts";
import type { Move } from "../../model/story.ts";
import { describeHeader } from "../../../trace/words.ts";
import type { Header } from "../../../trace/headers.ts";
import { faultAt, moves, position, progress, story } from "./player.ts";

export function PacketOnMap(): JSX.Element {
  const told = story.value;
  if (told === undefined) return <></>;
  const all = moves.value;
  const index = position.value;
  const direction = told.steps[index]?.direction ?? "there";
  const place = faultAt.value;
  const { fault } = told;
  const isAtEnd = index === told.steps.length - 1;
  return (
    <g class="packet-layer" aria-hidden="true">
      <Trail moves={all} index={index} />
      <Dot direction={direction} />
      {fault !== null && isAtEnd && place !== undefined && (
        <g class="broken" transform={`translate(${place.x} ${place.y})`}>
          <g class="packet-body">
            <circle r="14" />
            <path d="M-5.5 -5.5L5.5 5.5M5.5 -5.5L-5.5 5.5" />
          </g>
        </g>
      )}
    </g>
  );
}

function Trail({
  moves: all,
  index,
}: {
  readonly moves: readonly Move[];
  readonly index: number;
}): JSX.Element {
  const steps = story.value?.steps ?? [];
  const paths = useMemo(
    () =>
      (["there", "back"] as const).map((direction) => ({
        direction,
        path: all
          .slice(0, index)
          .filter((_, at) => steps[at]?.direction === direction)
          .map(({ points }) => polyline(points))
          .join(""),
      })),
    [all, index, steps],
  );
  return (
    <>
      {paths.map(
        ({ direction, path }) =>
          path !== "" && <path key={direction} class={`trail ${direction}`} d={path} />,
      )}
      <CurrentTrail move={all[index]} direction={steps[index]?.direction ?? "there"} />
    </>
  );
}

/** As far as the packet is. */
function CurrentTrail({
  move,
  direction,
}: {
  readonly move: Move | undefined;
  readonly direction: string;
}): JSX.Element {
  if (move === undefined || move.points.length < 2) return <></>;
  return (
    <path
      class={`trail ${direction}`}
      d={polyline(move.points)}
      pathLength="1"
      stroke-dasharray={`${ease(progress.value)} 2`}
    />
  );
}

function Dot({ direction }: { readonly direction: string }): JSX.Element {
  const index = position.value;
  const move = moves.value[index];
  const last = moves.value.slice(0, index + 1).findLast(({ points }) => points.length > 0);
  const points = move?.points.length ? move.points : (last?.points.slice(-1) ?? []);
  if (points.length === 0) return <></>;
  const { x, y } = pointAlong(points, ease(progress.value));
  return (
    <g class={`packet ${direction}`} transform={`translate(${x} ${y})`}>
      <g class="packet-body">
        <rect x="-10" y="-7" width="20" height="14" rx="2" />
        <path d="M-10 -6L0 2L10 -6" />
      </g>
    </g>
  );
}

function ease(share: number): number {
  return share < 0.5 ? 2 * share * share : 1 - (2 - 2 * share) ** 2 / 2;
}

const NAMES: Readonly<Record<Header["kind"], string>> = {
  ethernet: "Ethernet",
  arp: "ARP",
  nd: "ND",
  ipv4: "IPv4",
  ipv6: "IPv6",
  icmp: "ICMP",
  icmp6: "ICMPv6",
  udp: "UDP",
  tcp: "TCP",
  vxlan: "VXLAN",
};

function isIp({ kind }: Header): boolean {
  return kind === "ipv4" || kind === "ipv6";
}

/** The headers of the packet, the outermost first. Those in front of the container's own are the tunnel's. */
export function Headers({ headers }: { readonly headers: readonly Header[] }): JSX.Element {
  const inner = headers.findLastIndex(isIp);
  const isTunnelled = headers.filter(isIp).length > 1;
  return (
    <ol class="headers" aria-label="Headers of the packet, the outermost first">
      {headers.map((header, index) => {
        const isOuter = isTunnelled && index < (headers[inner - 1]?.kind === "ethernet" ? inner - 1 : inner);
        return (
          <li key={index} class={`${header.kind}${isOuter ? " outer" : ""}`}>
            <b>{NAMES[header.kind]}</b>
            <span>{describeHeader(header).replace(/^(IPv?6?|ICMPv?6?|ARP|UDP|TCP|VXLAN) /, "")}</span>
          </li>
        );
      })}
    </ol>
  );
}
