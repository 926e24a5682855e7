// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import { type Rate, formatBits } from "../../model/rates.ts";
import type { Container } from "../../model/topology.ts";
import { TableHead } from "../parts/table.tsx";
import { rateOf, selection, view } from "../state.ts";
import { countersOf } from "./cell.tsx";

/** While nothing is selected: how to, and who carries most. */
export function Overview(): JSX.Element {
  const busy = busiest();
  return (
    <>
      <p class="hint">
        Select anything on the map to see what it is: by a click, or by Tab, arrow keys and Enter.
      </p>
      {busy.length > 0 && (
        <table class="compact busiest">
          <caption>Busiest containers</caption>
          <TableHead columns={["Container", { number: "sends" }, { number: "receives" }]} />
          <tbody>
            {busy.map(({ container, rate }) => (
              <tr key={container.id}>
                <th scope="row">
                  <button
                    type="button"
                    class="link"
                    onClick={() => (selection.value = { kind: "container", id: container.id })}
                  >
                    {container.name}
                  </button>
                </th>
                <td class="number">{formatBits(rate.rxBits)}</td>
                <td class="number">{formatBits(rate.txBits)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

const BUSIEST = 6;

function busiest(): readonly { readonly container: Container; readonly rate: Rate }[] {
  return (view.value?.containers ?? [])
    .map((container) => ({ container, rate: rateOf(countersOf(container)) }))
    .filter(({ rate }) => rate.rxBits + rate.txBits > 0)
    .sort((a, b) => b.rate.rxBits + b.rate.txBits - (a.rate.rxBits + a.rate.txBits))
    .slice(0, BUSIEST);
}
