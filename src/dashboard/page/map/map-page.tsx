// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import type { Problem } from "../../model/problems.ts";
import { Sign } from "../parts/glyphs.tsx";
import { problems, selection, topology } from "../state.ts";
import { Details } from "./details.tsx";
import { Legend } from "./legend.tsx";
import { Stage } from "./stage.tsx";

export function MapPage(): JSX.Element {
  return (
    <div class="split">
      <h1 class="unseen">Map</h1>
      <div class="drawn">
        <Stage />
        <Legend />
      </div>
      <div class="side">
        <Problems />
        <Details />
      </div>
    </div>
  );
}

function Problems(): JSX.Element {
  const found = problems.value;
  return (
    <section class="problems" aria-labelledby="problems-title">
      <h2 id="problems-title">
        <Sign health={found.length === 0 ? "ready" : "not"} />
        {found.length === 0
          ? "All is well"
          : `${found.length} ${found.length === 1 ? "problem" : "problems"}`}
      </h2>
      <p class="summary">{summary()}</p>
      {found.length > 0 && (
        <ul aria-live="polite">
          {found.map((problem) => (
            <ProblemLine key={problem.id} {...problem} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ProblemLine({ level, title, reasons, about }: Omit<Problem, "id">): JSX.Element {
  return (
    <li class={level}>
      <Sign health="not" />
      <div>
        {about === null ? (
          <p class="problem-title">{title}</p>
        ) : (
          <button type="button" class="problem-title" onClick={() => (selection.value = about)}>
            {title}
          </button>
        )}
        {reasons.map((reason) => (
          <p key={reason} class="reason">
            {reason}
          </p>
        ))}
      </div>
    </li>
  );
}

function summary(): string {
  const { stations, sessions, tunnels } = topology.value;
  const hosts = stations.filter(({ kind }) => kind === "host").length;
  const routers = stations.filter(({ kind }) => kind === "router").length;
  const containers = stations.reduce((sum, station) => sum + station.containers.length, 0);
  const established = sessions.filter(({ isEstablished }) => isEstablished).length;
  return [
    count(hosts, "host"),
    ...(routers > 0 ? [count(routers, "router")] : []),
    count(containers, "container"),
    ...(sessions.length > 0 ? [sessionWords(established, sessions.length)] : []),
    ...(tunnels.length > 0 ? [count(tunnels.length, "tunnel")] : []),
  ].join(" · ");
}

function sessionWords(established: number, all: number): string {
  const words = `${count(all, "BGP session")} established`;
  return established === all ? words : `${established} of ${words}`;
}

function count(number: number, what: string): string {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
