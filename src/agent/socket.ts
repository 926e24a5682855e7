// SPDX-License-Identifier: Apache-2.0

/** Where a node's agent listens unless its configuration says otherwise. */
export const AGENT_SOCKET = "/run/margay/agent.sock";
