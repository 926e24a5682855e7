// SPDX-License-Identifier: Apache-2.0
// Two nodes with WireGuard by wireguard-go; by the kernel's own devices in test/vm.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deleteLink } from "../../src/dataplane/netlink/link.ts";
import { createUserspaceDriver } from "../../src/dataplane/wireguard/userspace-driver.ts";
import { WIREGUARD_DEVICE } from "../../src/desired/wanted.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemProcesses } from "../../src/system/process.ts";
import { testWireguardPair } from "./wireguard-pair-contract.ts";

testWireguardPair({
  name: "wireguard-go",
  create(stack, host, { rtnetlink }) {
    const state = mkdtempSync(join(tmpdir(), "mwg-"));
    stack.defer(async () => {
      // A device by another process ends with its link, not with the namespace's name.
      await rtnetlink.execute([deleteLink({ name: WIREGUARD_DEVICE })]);
      rmSync(state, { recursive: true });
    });
    return createUserspaceDriver(
      {
        rtnetlink,
        clock: systemClock,
        processes: {
          run: (command, args, options) =>
            systemProcesses.run("ip", ["netns", "exec", host, command, ...args], options),
        },
      },
      { directory: join(state, "wireguard") },
    );
  },
});
