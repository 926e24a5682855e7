// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from "node:fs";
import type { WantedSysctl } from "../desired/wanted.ts";
import { ReconcileTable } from "./table.ts";
import { hasCode } from "../system/error-code.ts";

/**
 * The files under `/proc/sys`. Both are synchronous: `/proc/sys/net` shows the network namespace of the thread that
 * opens it, so they work inside `Netns.run`, and an access takes microseconds.
 */
export interface SysctlFiles {
  /** The value without its newline, or `undefined` where there is no such setting. */
  read(path: readonly string[]): string | undefined;
  /** Throws where the setting is not there or refuses the value. */
  write(path: readonly string[], value: string): void;
}

export const procSys: SysctlFiles = {
  read(path) {
    try {
      return readFileSync(fileOf(path), "utf8").trimEnd();
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  },
  write(path, value) {
    writeFileSync(fileOf(path), value);
  },
};

function fileOf(path: readonly string[]): string {
  return ["/proc/sys", ...path].join("/");
}

/** A map in place of `/proc/sys`; a write to a setting that is not in it fails, as it would there. */
export function createFakeSysctls(values: Map<string, string>): SysctlFiles {
  return {
    read: (path) => values.get(path.join("/")),
    write(path, value) {
      const key = path.join("/");
      if (!values.has(key)) throw new Error(`ENOENT: no such setting "${key}"`);
      values.set(key, value);
    },
  };
}

/** Nothing is remembered of the kernel's side: a file is read whenever its key is looked at. */
export type SysctlTable = ReconcileTable<WantedSysctl, never>;

export function createSysctlTable(): SysctlTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

export type SysctlOutcome =
  { readonly kind: "done" | "changed" } | { readonly kind: "blocked"; readonly reason: string };

/** Sets one value if it differs. A setting that is no longer wanted stays: its interface takes it along. */
export function applySysctl({ path, value }: WantedSysctl, files: SysctlFiles): SysctlOutcome {
  const current = files.read(path);
  if (current === value) return { kind: "done" };
  if (current === undefined) return { kind: "blocked", reason: `setting "${path.join("/")}" is not there` };
  files.write(path, value);
  return { kind: "changed" };
}
