// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import { Table } from "../parts/table.tsx";
import { Asking, Presence, useDetail } from "./detail.tsx";

export function Neighbours({ name }: { readonly name: string }): JSX.Element {
  const asked = useDetail(name, "neighbours");
  return (
    <section aria-labelledby="neighbours">
      <h2 id="neighbours">Neighbours</h2>
      <Asking asked={asked} />
      {asked.kind === "told" &&
        (asked.answer.neighbours.length === 0 ? (
          <p class="hint">None on interfaces of containers and tunnels.</p>
        ) : (
          <Table
            label="Neighbours"
            columns={["Address", "Interface", "MAC address", "How it is known", "State"]}
          >
            {asked.answer.neighbours.map((entry) => (
              <tr key={`${entry.interface} ${entry.ip}`}>
                <th scope="row" class="mono">
                  {entry.ip}
                </th>
                <td class="mono">{entry.interface}</td>
                <td class="mono">{entry.mac ?? "–"}</td>
                <td>{entry.permanent ? "permanent entry" : "asked for"}</td>
                <td>
                  <Presence entry={entry} />
                </td>
              </tr>
            ))}
          </Table>
        ))}
    </section>
  );
}
