// SPDX-License-Identifier: Apache-2.0

/** Where Margay's processes keep what does not outlive a boot, unless they are told otherwise. */
export const RUN_DIRECTORY = "/run/margay";
/** Where they keep what does, likewise. */
export const DATA_DIRECTORY = "/var/lib/margay";
/** Where a node's agent listens, unless its configuration says otherwise; the plugin and the commands look there. */
export const AGENT_SOCKET = `${RUN_DIRECTORY}/agent.sock`;
