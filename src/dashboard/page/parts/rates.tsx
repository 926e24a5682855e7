// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import { HISTORY, formatBits, formatPackets } from "../../model/rates.ts";
import { historyOf, rateOf } from "../state.ts";

interface Props {
  /** Of the counters. */
  readonly id: string;
  /** The interface is the node's end of a container's link: what it receives, the container sends. */
  readonly isFarEnd?: boolean;
}

/** `↑ 1.2 kb/s ↓ 0 b/s`, as seen from whom it is about. */
export function RateWords({ id, isFarEnd = false }: Props): JSX.Element {
  const { out, into } = useRates(id, isFarEnd);
  return (
    <>
      ↑ {formatBits(out.bits)} ↓ {formatBits(into.bits)}
    </>
  );
}

function useRates(
  id: string,
  isFarEnd: boolean,
): {
  readonly out: { readonly bits: number; readonly packets: number };
  readonly into: { readonly bits: number; readonly packets: number };
} {
  const { rxBits, txBits, rxPackets, txPackets } = rateOf(id);
  const [received, sent] = [
    { bits: rxBits, packets: rxPackets },
    { bits: txBits, packets: txPackets },
  ];
  return isFarEnd ? { out: received, into: sent } : { out: sent, into: received };
}

const WIDTH = 240;
const HEIGHT = 40;

/** The last minute, sent and received. */
export function RateChart({ id, isFarEnd = false }: Props): JSX.Element {
  const { out, into } = useRates(id, isFarEnd);
  const history = historyOf(id);
  const sent = history.map(({ rxBits, txBits }) => (isFarEnd ? rxBits : txBits));
  const received = history.map(({ rxBits, txBits }) => (isFarEnd ? txBits : rxBits));
  const most = Math.max(1, ...sent, ...received);
  const line = (values: readonly number[]): string =>
    values
      .map((value, index) => {
        const x = WIDTH - ((values.length - 1 - index) * WIDTH) / (HISTORY - 1);
        return `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${(HEIGHT - 2 - ((HEIGHT - 4) * value) / most).toFixed(1)}`;
      })
      .join("");
  return (
    <figure class="rates">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="base" d={`M0 ${HEIGHT - 2}H${WIDTH}`} />
        <path class="into" d={line(received)} />
        <path class="out" d={line(sent)} />
      </svg>
      <figcaption>
        <span class="out">
          ↑ {formatBits(out.bits)} <small>{formatPackets(out.packets)}</small>
        </span>
        <span class="into">
          ↓ {formatBits(into.bits)} <small>{formatPackets(into.packets)}</small>
        </span>
      </figcaption>
    </figure>
  );
}
