// SPDX-License-Identifier: Apache-2.0
import { CniError } from "../cni/error.ts";
import { commandOf } from "../cni/request.ts";
import type { CniService } from "../cni/service.ts";
import type { Clock } from "../system/clock.ts";
import type { MeasuredCall, Meters } from "../web/meters.ts";

/** The service, with a note taken of how each call went. */
export function measureCni(
  service: CniService,
  { clock, meters }: { readonly clock: Clock; readonly meters: Meters },
): CniService {
  return {
    async handle(raw, options) {
      const startMs = clock.elapsedMs();
      const note = (how: Pick<MeasuredCall, "outcome" | "error">): void => {
        const command = commandOf(raw) ?? "invalid";
        meters.noteCall({ command, ...how, seconds: (clock.elapsedMs() - startMs) / 1000 });
      };
      try {
        const result = await service.handle(raw, options);
        note({ outcome: "success", error: undefined });
        return result;
      } catch (error) {
        const kind = error instanceof CniError ? error.kind : "internal";
        note({ outcome: kind === "tryAgainLater" ? "retry" : "error", error: kind });
        throw error;
      }
    },
    catchUp: (options) => service.catchUp(options),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}
