// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import type { Answer } from "../../../web/sources.ts";
import { HealthSign } from "../parts/glyphs.tsx";
import { Table } from "../parts/table.tsx";
import { Since } from "../parts/time.tsx";
import { Asking, useDetail } from "./detail.tsx";

export function Bgp({ name }: { readonly name: string }): JSX.Element {
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
        <Table
          label="BGP sessions"
          columns={["Peer", "With", "State", "For", { number: "Taken" }, { number: "Given" }, "Last error"]}
        >
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
        </Table>
      )}
    </>
  );
}
