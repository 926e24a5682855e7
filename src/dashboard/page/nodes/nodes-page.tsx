// SPDX-License-Identifier: Apache-2.0
// Nodes in a table; of one of them, what its agent knows.
import type { JSX } from "preact";
import { type Station, TUNNEL_NAMES, healthOf } from "../../model/topology.ts";
import { Reasons } from "../map/details.tsx";
import { HealthSign } from "../parts/glyphs.tsx";
import { Table } from "../parts/table.tsx";
import { hrefOf, route } from "../route.ts";
import { topology } from "../state.ts";
import { Neighbours } from "./neighbours.tsx";
import { Routes } from "./routes.tsx";
import { Bgp } from "./sessions.tsx";

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
      <Table
        label="Nodes"
        columns={["Node", "State", "Address", "Routes from", "Tunnels", { number: "Containers" }]}
      >
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
      </Table>
    </div>
  );
}

function sourceWords({ node }: Station): string {
  if (node?.routeSource === "bird") return "BIRD";
  return node?.routeSource ?? "–";
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
