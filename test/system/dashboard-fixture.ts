// SPDX-License-Identifier: Apache-2.0
// A generated view of any size, served by the protocol of the dashboard's server.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { containerItem, nodeItem, sessionItem } from "../../src/web/view/view-fixtures.ts";
import type { Item, LogEvent, View, ViewChange } from "../../src/web/view/view.ts";

const PAGE = fileURLToPath(new URL("../../dist/dashboard", import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export interface GeneratedNetwork {
  readonly hosts: number;
  readonly containersPerHost: number;
}

/** Hosts in a mesh on one segment, with a block for each 64 containers; all of it well. */
export function generateView({ hosts, containersPerHost }: GeneratedNetwork): View {
  const names = Array.from({ length: hosts }, (_, index) => `host${String(index + 1).padStart(2, "0")}`);
  const address = (host: number): string => `192.168.0.${101 + host}`;
  const containers = names.flatMap((node, host) =>
    Array.from({ length: containersPerHost }, (_, index) => container(node, host, index)),
  );
  return {
    scope: "lab",
    name: "generated",
    version: "0.1.0",
    at: Date.now(),
    segments: [{ id: "underlay0", name: "underlay0", cidr: "192.168.0.0/24" }],
    machines: names.map((name, host) => ({
      id: name,
      name,
      kind: "host",
      ports: [{ segment: "underlay0", interface: "eth0", address: address(host), isUp: true }],
    })),
    nodes: names.map((id, host) => node(id, address(host))),
    containers,
    sessions: names.flatMap((from) =>
      names.filter((to) => to !== from).map((to) => session(from, to, address(names.indexOf(to)))),
    ),
    tunnels: [],
    pools: [
      {
        id: "default-ipv4-ippool",
        name: "default-ipv4-ippool",
        cidr: "10.1.0.0/16",
        blockSize: 26,
        isDisabled: false,
        ipipMode: "Never",
        vxlanMode: "Never",
        addresses: "65536",
        used: containers.length,
      },
    ],
    blocks: names.map((owner, host) => ({
      id: `10.1.${host}.0/26`,
      pool: "default-ipv4-ippool",
      node: owner,
      size: 64,
      used: containersPerHost,
      cooling: 0,
      free: 64 - containersPerHost,
    })),
    counters: [
      ...names.map((name) => counters(`${name}/eth0`, 0)),
      ...containers.map(({ node: name, interface: ifName }) => counters(`${name}/${ifName}`, 0)),
    ],
  };
}

function container(node: string, host: number, index: number): Item<"containers"> {
  const name = `c${host + 1}-${index + 1}`;
  const ifName = `cali${String(host).padStart(5, "0")}${String(index).padStart(6, "0")}`;
  const addresses = [`10.1.${host}.${index}`];
  return containerItem({ id: name, name, node, interface: ifName, addresses });
}

function node(id: string, address: string): Item<"nodes"> {
  const routesByOrigin = { agent: 4, bird: 3, kernel: 4, other: 0 };
  return nodeItem({ id, machine: id, addresses: [address], routesByOrigin });
}

function session(from: string, to: string, address: string): Item<"sessions"> {
  return sessionItem({ id: `${from} ${to}`, from, to, with: to, address, sinceMs: Date.now() });
}

function counters(id: string, packets: number): Item<"counters"> {
  return { id, rxPackets: packets, rxBytes: packets * 100, txPackets: packets, txBytes: packets * 80 };
}

/** All counters, as they stand after so many readings: every interface carries something else. */
export function countersAfter(view: View, readings: number): View["counters"] {
  return view.counters.map(({ id }, index) => counters(id, readings * ((index * 7919) % 5000)));
}

export interface FixtureServer extends AsyncDisposable {
  readonly url: string;
  change(change: Omit<ViewChange, "at">): void;
  log(event: LogEvent): void;
}

/** Serves the page with the policy that the real server has, the view, and what the test says of changes. */
export async function serveView(
  view: View,
  answers: Readonly<Record<string, object>> = {},
): Promise<FixtureServer> {
  const followers = new Set<ServerResponse>();
  const tell = (name: string, data: object): void => {
    for (const response of followers) response.write(frame(name, data));
  };
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? "/").replace(/\?.*/, "");
    const answer = answers[path];
    if (path === "/api/v1/view/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(frame("view", view));
      followers.add(response);
      response.on("close", () => followers.delete(response));
    } else if (answer !== undefined) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    } else if (path.startsWith("/api/")) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"error":"not here"}');
    } else {
      sendFile(response, path === "/" ? "/index.html" : path);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    change: (change) => {
      tell("change", { at: Date.now(), ...change });
    },
    log: (event) => {
      tell("event", event);
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function frame(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function sendFile(response: ServerResponse, path: string): void {
  response.writeHead(200, {
    "content-type": TYPES[extname(path)] ?? "text/plain; charset=utf-8",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'",
  });
  response.end(readFileSync(join(PAGE, path)));
}
