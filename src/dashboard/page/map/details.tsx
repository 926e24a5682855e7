// SPDX-License-Identifier: Apache-2.0
// What is selected, in words and numbers.
import type { ComponentChildren, JSX } from "preact";
import {
  type Container,
  type Selection,
  type SessionPair,
  type Station,
  TUNNEL_NAMES,
  type TunnelPair,
  containerHealth,
  healthOf,
} from "../../model/topology.ts";
import { HealthSign } from "../parts/glyphs.tsx";
import { RateChart } from "../parts/rates.tsx";
import { Since } from "../parts/time.tsx";
import { hrefOf } from "../route.ts";
import { selection, topology, view } from "../state.ts";
import { traceEnds } from "../trace/player.ts";
import { countersOf } from "./cell.tsx";
import { nameOf, stateOf } from "./lines.tsx";
import { Overview } from "./overview.tsx";
import { KINDS } from "./station.tsx";

export function Details(): JSX.Element {
  const chosen = selection.value;
  return (
    <section class="details" aria-label="Details">
      {(chosen && detailsOf(chosen)) ?? <Overview />}
    </section>
  );
}

function detailsOf({ kind, id }: Selection): JSX.Element | undefined {
  const { stations, sessions, tunnels } = topology.value;
  switch (kind) {
    case "segment":
      return <SegmentDetails id={id} />;
    case "station": {
      const station = stations.find((candidate) => candidate.id === id);
      return station && <StationDetails station={station} />;
    }
    case "container": {
      const container = view.value?.containers.find((candidate) => candidate.id === id);
      return container && <ContainerDetails container={container} />;
    }
    case "session": {
      const pair = sessions.find((candidate) => candidate.id === id);
      return pair && <SessionDetails pair={pair} />;
    }
    case "tunnel": {
      const pair = tunnels.find((candidate) => candidate.id === id);
      return pair && <TunnelDetails pair={pair} />;
    }
  }
}

function Head({
  kind,
  name,
  children,
}: {
  readonly kind: string;
  readonly name: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <header>
      <p class="kind">{kind}</p>
      <h2>{name}</h2>
      {children}
    </header>
  );
}

function Rows({ rows }: { readonly rows: readonly (readonly [string, ComponentChildren])[] }): JSX.Element {
  return (
    <dl>
      {rows.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Reasons({
  words,
  title,
}: {
  readonly words: readonly string[];
  readonly title: string;
}): JSX.Element {
  if (words.length === 0) return <></>;
  return (
    <div class="reasons">
      <p>{title}</p>
      <ul>
        {words.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
    </div>
  );
}

function StationDetails({ station }: { readonly station: Station }): JSX.Element {
  const { id, name, kind, node, ports, containers } = station;
  const sessions = topology.value.sessions.filter(({ a, b }) => a === id || b === id);
  const up = sessions.filter(({ isEstablished }) => isEstablished).length;
  const total = node?.routesByOrigin;
  return (
    <>
      <Head kind={KINDS[kind]} name={name}>
        <HealthSign health={healthOf(station)} />
      </Head>
      {node && <Reasons words={node.reasons} title="Not ready, because" />}
      {node && <Reasons words={node.degraded} title="Ready, but" />}
      <Rows
        rows={[
          ...(node ? [["Addresses", <Addresses key="a" list={node.addresses} />] as const] : []),
          ...(node?.routeSource
            ? [["Routes come from", node.routeSource === "bird" ? "BIRD, by BGP" : "the datastore"] as const]
            : []),
          ...(total
            ? [
                [
                  "Routes",
                  `${total.agent} Margay's · ${total.bird} BIRD's · ${total.kernel} the kernel's · ${total.other} others'`,
                ] as const,
              ]
            : []),
          ...(sessions.length > 0
            ? [["BGP sessions", `${up} of ${sessions.length} established`] as const]
            : []),
          ...(node && node.encapsulations.length > 0
            ? [["Tunnels", node.encapsulations.map((tunnel) => TUNNEL_NAMES[tunnel]).join(", ")] as const]
            : []),
          ...(kind === "host" ? [["Containers", String(containers.length)] as const] : []),
        ]}
      />
      {ports.map((port) => (
        <div class="port-detail" key={port.address}>
          <p>
            <b>{port.interface ?? "interface"}</b> <span class="mono">{port.address}</span>{" "}
            {port.isUp !== null && (
              <HealthSign health={port.isUp ? "ready" : "not"} words={port.isUp ? "up" : "down"} />
            )}
          </p>
          {port.interface !== null && port.isUp !== null && <RateChart id={`${id}/${port.interface}`} />}
        </div>
      ))}
      {node && (
        <p class="actions">
          <a class="button" href={hrefOf("nodes", node.id)}>
            Routes, neighbours, sessions
          </a>
        </p>
      )}
    </>
  );
}

function ContainerDetails({ container }: { readonly container: Container }): JSX.Element {
  const { name, node, interface: ifName, addresses, missing } = container;
  const [address = name] = addresses;
  const end = view.value?.scope === "lab" ? name : address;
  return (
    <>
      <Head kind="container" name={name}>
        <HealthSign health={containerHealth(container)} />
      </Head>
      <Reasons words={missing} title="Missing in the kernel" />
      <Rows
        rows={[
          ["Addresses", <Addresses key="a" list={addresses} />],
          ["On", nameOf(node)],
          [
            "Node's end of its link",
            <span key="i" class="mono">
              {ifName}
            </span>,
          ],
        ]}
      />
      <RateChart id={countersOf(container)} isFarEnd />
      <p class="actions">
        <a
          class="button"
          href={hrefOf("trace")}
          onClick={() => (traceEnds.value = { ...traceEnds.value, source: end })}
        >
          Trace from here
        </a>
        <a
          class="button"
          href={hrefOf("trace")}
          onClick={() => (traceEnds.value = { ...traceEnds.value, destination: end })}
        >
          Trace to here
        </a>
      </p>
    </>
  );
}

function SessionDetails({ pair }: { readonly pair: SessionPair }): JSX.Element {
  const [first] = pair.ends;
  return (
    <>
      <Head
        kind="BGP session"
        name={`${nameOf(pair.a)} – ${pair.b === null ? (first?.with ?? first?.address ?? "") : nameOf(pair.b)}`}
      >
        <HealthSign health={pair.isEstablished ? "ready" : "not"} words={stateOf(pair)} />
      </Head>
      {pair.ends.map((end) => (
        <div class="end-detail" key={end.id}>
          <h3>As {end.from} has it</h3>
          <Rows
            rows={[
              [
                "State",
                <>
                  {end.state ?? "BIRD does not have it"}
                  {end.sinceMs !== null && (
                    <>
                      {" "}
                      for <Since ms={end.sinceMs} />
                    </>
                  )}
                </>,
              ],
              [
                "Peer",
                <span key="p" class="mono">
                  {end.address}
                </span>,
              ],
              ["Routes", `${end.imported} taken, ${end.exported} given`],
              ...(end.lastError === null ? [] : [["Last error", end.lastError] as const]),
              ...(end.isWanted
                ? []
                : [["Asked for", "no: the cluster does not ask for it any more"] as const]),
            ]}
          />
        </div>
      ))}
    </>
  );
}

function TunnelDetails({ pair }: { readonly pair: TunnelPair }): JSX.Element {
  return (
    <>
      <Head kind={`tunnel, ${TUNNEL_NAMES[pair.kind]}`} name={`${nameOf(pair.a)} – ${nameOf(pair.b)}`}>
        <HealthSign health={pair.isUp ? "ready" : "not"} words={pair.isUp ? "up" : "down"} />
      </Head>
      {pair.ends.map(({ id, node, interface: ifName, address, mtu }) => (
        <div class="end-detail" key={id}>
          <h3>At {node}</h3>
          <Rows
            rows={[
              [
                "Interface",
                ifName === null ? (
                  "none: programs do it (BPF)"
                ) : (
                  <span key="i" class="mono">
                    {ifName}
                  </span>
                ),
              ],
              [
                "Address",
                <span key="a" class="mono">
                  {address}
                </span>,
              ],
              ...(mtu === null ? [] : [["MTU", `${mtu} octets`] as const]),
            ]}
          />
          {ifName !== null && <RateChart id={`${node}/${ifName}`} />}
        </div>
      ))}
    </>
  );
}

function SegmentDetails({ id }: { readonly id: string }): JSX.Element | undefined {
  const segment = view.value?.segments.find((candidate) => candidate.id === id);
  const ports = topology.value.stations.flatMap((station) =>
    station.ports.filter((port) => (port.segment ?? "") === id).map((port) => ({ station, port })),
  );
  return (
    <>
      <Head kind="segment of the underlay" name={segment?.name ?? "Other networks"}>
        <p class="mono">{segment?.cidr}</p>
      </Head>
      <table class="compact">
        <thead>
          <tr>
            <th scope="col">Station</th>
            <th scope="col">Address</th>
            <th scope="col">Link</th>
          </tr>
        </thead>
        <tbody>
          {ports.map(({ station, port }) => (
            <tr key={`${station.id} ${port.address}`}>
              <td>{station.name}</td>
              <td class="mono">{port.address}</td>
              <td>
                {port.isUp === null ? (
                  "–"
                ) : (
                  <HealthSign health={port.isUp ? "ready" : "not"} words={port.isUp ? "up" : "down"} />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Addresses({ list }: { readonly list: readonly string[] }): JSX.Element {
  return (
    <>
      {list.map((address) => (
        <span key={address} class="mono address">
          {address}
        </span>
      ))}
    </>
  );
}
