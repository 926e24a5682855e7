// SPDX-License-Identifier: Apache-2.0
// What the agent of a node is asked for while it is shown.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Answer } from "../../../web/sources.ts";
import { RefusedError, askJson } from "../client.ts";
import { HealthSign } from "../parts/glyphs.tsx";

type Asked<Name extends "routes" | "neighbours" | "bgp"> =
  | { readonly kind: "asking" }
  | { readonly kind: "refused"; readonly text: string }
  | { readonly kind: "told"; readonly answer: Answer<Name> };

/** Asked for again every few seconds while it is shown. */
const AGAIN_MS = 5000;

export function useDetail<Name extends "routes" | "neighbours" | "bgp">(
  node: string,
  name: Name,
): Asked<Name> {
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

export function Asking({ asked }: { readonly asked: Asked<"routes" | "neighbours" | "bgp"> }): JSX.Element {
  if (asked.kind === "asking") return <p class="hint">…</p>;
  return asked.kind === "refused" ? <p class="hint">Not known: {asked.text}.</p> : <></>;
}

/** Of what the kernel should have, and has or not. */
export function Presence({
  entry: { present, pending },
}: {
  readonly entry: { readonly present: boolean; readonly pending?: string | undefined };
}): JSX.Element {
  return (
    <HealthSign
      health={present && pending === undefined ? "ready" : "not"}
      words={pending ?? (present ? "present" : "missing")}
    />
  );
}
