// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import type { Answer } from "../../../web/sources.ts";
import { Reasons } from "../map/details.tsx";
import { Table } from "../parts/table.tsx";
import { Asking, Presence, useDetail } from "./detail.tsx";

const ORIGINS = { agent: "Margay", bird: "BIRD", kernel: "the kernel", other: "others" } as const;

export function Routes({ name }: { readonly name: string }): JSX.Element {
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
          <Table
            label="Routes"
            columns={["Destination", "Way", "From", { number: "Metric" }, { number: "Table" }, "State"]}
          >
            {asked.answer.routes.map((entry) => (
              <tr key={`${entry.table} ${entry.dst} ${entry.metric} ${entry.origin} ${entry.gateway ?? ""}`}>
                <th scope="row" class="mono">
                  {entry.dst}
                </th>
                <td class="mono">{wayOf(entry)}</td>
                <td>{ORIGINS[entry.origin]}</td>
                <td class="number">{entry.metric}</td>
                <td class="number">{entry.table === 254 ? "main" : entry.table}</td>
                <td>
                  <Presence entry={entry} />
                </td>
              </tr>
            ))}
          </Table>
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
