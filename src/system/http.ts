// SPDX-License-Identifier: Apache-2.0

/**
 * What Margay uses of `node:http`. To import that module evaluates all that it exports, one of which is a WebSocket, and so loads all of undici: a fifth of
 * the time in which a command starts.
 */
export const { Agent, createServer, request } = process.getBuiltinModule("node:http");
