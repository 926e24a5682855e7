// SPDX-License-Identifier: Apache-2.0
// Nodes in a table; of one of them, what its agent knows.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Answer } from "../../web/sources.ts";
import { type Station, TUNNEL_NAMES, healthOf } from "../model/topology.ts";
import { RefusedError, askJson } from "./client.ts";
import { Reasons } from "./map/details.tsx";
import { HealthSign } from "./parts/glyphs.tsx";
import { Since } from "./parts/time.tsx";
import { hrefOf, route } from "./route.ts";
import { topology } from "./state.ts";

export function NodesPage(): JSX.Element {
  const [name] = route.value.rest;
  if (name === undefined) return <NodeTable />;
  const station = topology.value.stations.find(({ node }) => node?.id === name);
  return station === undefined ? (
    <div class="prose">
      <h1>{name}</h1>
      <p>There is no such node.</p>
    </div>
  ) : (
    <NodeView key={name} station={station} name={name} />
  );
}

function NodeTable(): JSX.Element {
  const stations = topology.value.stations.filter(({ node }) => node !== undefined);
  return (
    <div class="sheet">
      <h1>Nodes</h1>
      <div class="scroll" tabIndex={0} role="region" aria-label="Nodes">
        <table>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">State</th>
              <th scope="col">Address</th>
              <th scope="col">Routes from</th>
              <th scope="col">Tunnels</th>
              <th scope="col" class="number">
                Containers
              </th>
            </tr>
          </thead>
          <tbody>
            {stations.map((station) => (
              <tr key={station.id}>
                <th scope="row">
                  <a href={hrefOf("nodes", station.node?.id ?? "")}>{station.name}</a>
                </th>
                <td>
                  <HealthSign health={healthOf(station)} />
                  {station.node?.reasons.map((reason) => (
                    <p key={reason} class="reason">
                      {reason}
                    </p>
                  ))}
                </td>
                <td class="mono">{station.node?.addresses.join(", ")}</td>
                <td>{sourceWords(station)}</td>
                <td>{station.node?.encapsulations.map((kind) => TUNNEL_NAMES[kind]).join(", ") || "–"}</td>
                <td class="number">{station.containers.length}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function sourceWords({ node }: Station): string {
  if (node?.routeSource === "bird") return "BIRD";
  return node?.routeSource ?? "–";
}

type Asked<Name extends "routes" | "neighbours" | "bgp"> =
  | { readonly kind: "asking" }
  | { readonly kind: "refused"; readonly text: string }
  | { readonly kind: "told"; readonly answer: Answer<Name> };

/** Asked for again every few seconds while it is shown. */
const AGAIN_MS = 5000;

function useDetail<Name extends "routes" | "neighbours" | "bgp">(node: string, name: Name): Asked<Name> {
  const asked = useSignal<Asked<Name>>({ kind: "asking" });
  useEffect(() => {
    const end = new AbortController();
    const askOnce = async (): Promise<void> => {
      try {
        const answer = await askJson<Answer<Name>>(
          `api/v1/nodes/${encodeURIComponent(node)}/${name}`,
          end.signal,
        );
        asked.value = { kind: "told", answer };
      } catch (error) {
        if (end.signal.aborted) return;
        const text = error instanceof RefusedError ? error.message : "the server does not answer";
        asked.value = { kind: "refused", text };
      }
    };
    void askOnce();
    const again = setInterval(() => void askOnce(), AGAIN_MS);
    return () => {
      clearInterval(again);
      end.abort();
    };
  }, [node, name]);
  return asked.value;
}

function NodeView({ station, name }: { readonly station: Station; readonly name: string }): JSX.Element {
  const { node } = station;
  return (
    <div class="sheet">
      <p class="crumb">
        <a href={hrefOf("nodes")}>Nodes</a>
      </p>
      <h1>
        {station.name} <HealthSign health={healthOf(station)} />
      </h1>
      <p class="mono lead">
        {node?.addresses.join(", ")}
        {node?.version && ` · agent ${node.version}`}
      </p>
      {node && <Reasons words={node.reasons} title="Not ready, because" />}
      {node && <Reasons words={node.degraded} title="Ready, but" />}
      <Bgp name={name} />
      <Routes name={name} />
      <Neighbours name={name} />
    </div>
  );
}

function Asking({ asked }: { readonly asked: Asked<"routes" | "neighbours" | "bgp"> }): JSX.Element {
  if (asked.kind === "asking") return <p class="hint">…</p>;
  return asked.kind === "refused" ? <p class="hint">Not known: {asked.text}.</p> : <></>;
}

function Bgp({ name }: { readonly name: string }): JSX.Element {
  const asked = useDetail(name, "bgp");
  return (
    <section aria-labelledby="bgp">
      <h2 id="bgp">BGP sessions</h2>
      <Asking asked={asked} />
      {asked.kind === "told" && <Sessions answer={asked.answer} />}
    </section>
  );
}

function Sessions({ answer }: { readonly answer: Answer<"bgp"> }): JSX.Element {
  const { state, bird, asNumber, originated, sessions, missing } = answer;
  return (
    <>
      <p class="lead">
        BIRD {bird?.version ?? ""} is {state}
        {asNumber !== null && `, AS ${asNumber}`}
        {originated.length > 0 && (
          <>
            , announces <span class="mono">{originated.join(", ")}</span>
          </>
        )}
        .
      </p>
      {sessions.length + missing.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="BGP sessions">
          <table>
            <thead>
              <tr>
                <th scope="col">Peer</th>
                <th scope="col">With</th>
                <th scope="col">State</th>
                <th scope="col">For</th>
                <th scope="col" class="number">
                  Taken
                </th>
                <th scope="col" class="number">
                  Given
                </th>
                <th scope="col">Last error</th>
              </tr>
            </thead>
            <tbody>
              {sessions.map((session) => (
                <tr key={session.name}>
                  <th scope="row" class="mono">
                    {session.peer}
                  </th>
                  <td>{session.with ?? "–"}</td>
                  <td>
                    <HealthSign
                      health={session.state === "Established" ? "ready" : "not"}
                      words={session.state}
                    />
                  </td>
                  <td>
                    <Since ms={session.sinceMs} />
                  </td>
                  <td class="number">{session.imported}</td>
                  <td class="number">{session.exported}</td>
                  <td>{session.lastError ?? "–"}</td>
                </tr>
              ))}
              {missing.map(({ peer, with: who }) => (
                <tr key={peer}>
                  <th scope="row" class="mono">
                    {peer}
                  </th>
                  <td>{who}</td>
                  <td>
                    <HealthSign health="not" words="BIRD does not have it" />
                  </td>
                  <td>–</td>
                  <td class="number">–</td>
                  <td class="number">–</td>
                  <td>–</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

const ORIGINS = { agent: "Margay", bird: "BIRD", kernel: "the kernel", other: "others" } as const;

function Routes({ name }: { readonly name: string }): JSX.Element {
  const asked = useDetail(name, "routes");
  return (
    <section aria-labelledby="routes">
      <h2 id="routes">Routes</h2>
      <Asking asked={asked} />
      {asked.kind === "told" && (
        <>
          <Reasons
            words={asked.answer.unroutable.map(({ dst, reason }) => `${dst}: ${reason}`)}
            title="Without a route"
          />
          <div class="scroll" tabIndex={0} role="region" aria-label="Routes">
            <table>
              <thead>
                <tr>
                  <th scope="col">Destination</th>
                  <th scope="col">Way</th>
                  <th scope="col">From</th>
                  <th scope="col" class="number">
                    Metric
                  </th>
                  <th scope="col" class="number">
                    Table
                  </th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {asked.answer.routes.map((entry) => (
                  <tr
                    key={`${entry.table} ${entry.dst} ${entry.metric} ${entry.origin} ${entry.gateway ?? ""}`}
                  >
                    <th scope="row" class="mono">
                      {entry.dst}
                    </th>
                    <td class="mono">{wayOf(entry)}</td>
                    <td>{ORIGINS[entry.origin]}</td>
                    <td class="number">{entry.metric}</td>
                    <td class="number">{entry.table === 254 ? "main" : entry.table}</td>
                    <td>
                      <HealthSign
                        health={entry.present && entry.pending === undefined ? "ready" : "not"}
                        words={entry.pending ?? (entry.present ? "present" : "missing")}
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}

/** As `ip route` has it. */
function wayOf({
  type,
  gateway,
  interface: ifName,
  source,
  mtu,
}: Answer<"routes">["routes"][number]): string {
  return [
    type === "unicast" ? "" : type,
    gateway === undefined ? "" : `via ${gateway}`,
    ifName === undefined ? "" : `dev ${ifName}`,
    source === undefined ? "" : `src ${source}`,
    mtu === undefined ? "" : `mtu ${mtu}`,
  ]
    .filter((word) => word !== "")
    .join(" ");
}

function Neighbours({ name }: { readonly name: string }): JSX.Element {
  const asked = useDetail(name, "neighbours");
  return (
    <section aria-labelledby="neighbours">
      <h2 id="neighbours">Neighbours</h2>
      <Asking asked={asked} />
      {asked.kind === "told" &&
        (asked.answer.neighbours.length === 0 ? (
          <p class="hint">None on interfaces of containers and tunnels.</p>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Neighbours">
            <table>
              <thead>
                <tr>
                  <th scope="col">Address</th>
                  <th scope="col">Interface</th>
                  <th scope="col">MAC address</th>
                  <th scope="col">How it is known</th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {asked.answer.neighbours.map((entry) => (
                  <tr key={`${entry.interface} ${entry.ip}`}>
                    <th scope="row" class="mono">
                      {entry.ip}
                    </th>
                    <td class="mono">{entry.interface}</td>
                    <td class="mono">{entry.mac ?? "–"}</td>
                    <td>{entry.permanent ? "permanent entry" : "asked for"}</td>
                    <td>
                      <HealthSign
                        health={entry.present && entry.pending === undefined ? "ready" : "not"}
                        words={entry.pending ?? (entry.present ? "present" : "missing")}
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ))}
    </section>
  );
}
