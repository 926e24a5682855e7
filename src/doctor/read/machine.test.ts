// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { createFakeProcesses } from "../../system/process.ts";
import { managedIn, readMachine } from "./machine.ts";

it("NetworkManager's list tells which of our interfaces it manages", () => {
  const list = [
    "eth0:connected",
    "cali0123456789a:unmanaged",
    "tunl0:disconnected",
    "cali0123456789b:connecting (getting IP configuration)",
    "",
  ];
  assert.deepEqual(managedIn(list.join("\n")), ["tunl0", "cali0123456789b"]);
});

it("a machine has no NetworkManager, or one that does not run, and no such directory", async () => {
  const { signal } = new AbortController();
  const dead = createFakeProcesses({
    nmcli: () => ({ code: 8, stderr: "Error: NetworkManager is not running.\n" }),
  });
  for (const processes of [createFakeProcesses({}), dead]) {
    const { disks, managed } = await readMachine(
      { stateDirectory: "/proc/none/such", processes },
      { signal },
    );
    assert.deepEqual(managed, { kind: "known", value: [] });
    assert.deepEqual([disks[0]?.directory, disks[0]?.space.kind], ["/proc/none/such", "unknown"]);
  }
});
