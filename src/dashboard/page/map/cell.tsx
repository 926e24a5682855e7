// SPDX-License-Identifier: Apache-2.0
// A container.
import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { activityOf, formatBits } from "../../model/rates.ts";
import { type Container, containerHealth } from "../../model/topology.ts";
import { HEALTH_WORDS, HealthMark } from "../parts/glyphs.tsx";
import { rateOf } from "../state.ts";
import { Choosable } from "./choosable.tsx";

interface Props {
  readonly container: Container;
  readonly kind: "card" | "tag" | "square";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function countersOf({ node, interface: ifName }: Container): string {
  return `${node}/${ifName}`;
}

export function Cell({ container, kind, x, y, width, height }: Props): JSX.Element {
  const { id, name, node, addresses } = container;
  const health = containerHealth(container);
  const label = `${name} ${addresses.join(", ")}, container on ${node}, ${HEALTH_WORDS[health]}`;
  return (
    <>
      <Choosable
        chosen={{ kind: "container", id }}
        label={label}
        class={`cell ${kind} ${health}`}
        transform={`translate(${x} ${y})`}
      >
        <Box container={container} width={width} height={height} kind={kind} />
        {kind === "card" && <Card container={container} />}
        {kind === "tag" && <Tag container={container} height={height} />}
        {kind === "square" && <Square container={container} width={width} height={height} />}
      </Choosable>
      {kind === "card" && (
        <text class="detail end traffic" x={x + width - 9} y={y + 20} aria-hidden="true">
          <Traffic container={container} />
        </text>
      )}
    </>
  );
}

/** Its lower edge shows how busy it is: set as it changes, for a thousand of them. */
function Box({
  container,
  width,
  height,
  kind,
}: Pick<Props, "container" | "width" | "height" | "kind">): JSX.Element {
  const bar = useRef<SVGPathElement>(null);
  useSignalEffect(() => {
    const level = String(activityOf(rateOf(countersOf(container))));
    if (bar.current !== null && bar.current.dataset["level"] !== level) bar.current.dataset["level"] = level;
  });
  const radius = kind === "square" ? 2 : 4;
  return (
    <>
      <rect class="ring" width={width} height={height} rx={radius} />
      <path ref={bar} class="busy" d={`M${radius} ${height - 1.5}H${width - radius}`} />
    </>
  );
}

function Card({ container }: Pick<Props, "container">): JSX.Element {
  const [address = ""] = container.addresses;
  return (
    <>
      <g transform="translate(15 16)">
        <HealthMark health={containerHealth(container)} />
      </g>
      <text class="name" x="28" y="20">
        {shorten(container.name, 13)}
      </text>{" "}
      <text class="mono detail" x="9" y="37">
        {shorten(address, 20)}
      </text>
    </>
  );
}

function Tag({ container, height }: { readonly container: Container; readonly height: number }): JSX.Element {
  const health = containerHealth(container);
  return (
    <>
      {health !== "ready" && (
        <g transform={`translate(12 ${height / 2}) scale(0.8)`}>
          <HealthMark health={health} />
        </g>
      )}
      <text class="name small" x={health === "ready" ? 8 : 23} y={height / 2 + 4}>
        {shorten(container.name, health === "ready" ? 12 : 10)}
      </text>
    </>
  );
}

/** Its name is there only from near by. */
function Square({ container, width, height }: Pick<Props, "container" | "width" | "height">): JSX.Element {
  const health = containerHealth(container);
  return (
    <>
      {health !== "ready" && (
        <g transform={`translate(${width / 2} ${height / 2}) scale(0.8)`}>
          <HealthMark health={health} />
        </g>
      )}
      <text class="tiny" x={width / 2} y={height / 2 + 1.5}>
        {shorten(container.name, 7)}
      </text>
    </>
  );
}

/** Both directions together, where there is any. */
function Traffic({ container }: { readonly container: Container }): JSX.Element {
  const { rxBits, txBits } = rateOf(countersOf(container));
  return <>{rxBits + txBits > 0 ? formatBits(rxBits + txBits) : ""}</>;
}

export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
