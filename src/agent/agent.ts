// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { birdFiles } from "../bird/daemon.ts";
import { createBird } from "../bird/supervisor.ts";
import { createEndpoints, ENDPOINT_NAMESPACE } from "../cni/endpoint.ts";
import type { NodeView } from "../cni/collaborators.ts";
import { createCniService } from "../cni/service.ts";
import { createDataplane } from "../dataplane/dataplane.ts";
import { openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { procSys } from "../dataplane/sysctl.ts";
import { connectStore } from "../datastore/client.ts";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import { createStoreHandler } from "../datastore/server.ts";
import type { Store } from "../datastore/store.ts";
import { Calculation } from "../desired/calculation.ts";
import { type Allocator, createAllocator } from "../ipam/allocator.ts";
import type { Clock } from "../system/clock.ts";
import { Conditions } from "../system/conditions.ts";
import type { Log } from "../system/log.ts";
import type { ProcessRunner } from "../system/process.ts";
import { followCluster } from "./cluster.ts";
import { type AgentConfig, birdDirectory } from "./config.ts";
import { measureMemory } from "./memory.ts";
import { createNodeView } from "./node-view.ts";
import { createRegistration } from "./registration.ts";
import { createRouteSourceSwitch } from "./route-source.ts";
import { serveAgent } from "./server.ts";
import { type AgentState, degradationsOf, reasonsOf, renderStatus } from "./status.ts";

export interface AgentCollaborators {
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: ProcessRunner;
}

/**
 * Starts a node's agent in the current network namespace. Disposing it stops the process's work and nothing else: routes stay, and BIRD goes
 * on running.
 */
export async function startAgent(
  config: AgentConfig,
  collaborators: AgentCollaborators,
): Promise<AsyncDisposable> {
  const { clock, log, processes } = collaborators;
  const { nodeName } = config;
  await using stack = new AsyncDisposableStack();
  const stopping = new AbortController();
  const { signal } = stopping;
  const persistence = { clock, log, signal };
  const conditions = new Conditions();
  const changed = (): void => {
    conditions.check();
  };

  const store = stack.use(await openStore(config));
  const rtnetlink = stack.use(openRtnetlink());
  const kernel = { rtnetlink, sysctls: procSys, clock, log: log.scope("dataplane") };
  const dataplane = stack.use(createDataplane(kernel, { onChange: changed }));
  const bird = stack.use(
    createBird({ processes, clock, log: log.scope("bird") }, { directory: birdDirectory(config) }),
  );
  stack.defer(bird.onChange(changed));

  const calculation = new Calculation(nodeName);
  const registration = createRegistration(store, config);
  const routeSource = stack.use(
    createRouteSourceSwitch(
      { bird, dataplane, registration, clock, log: log.scope("route-source") },
      {
        nodeName,
        birdLogFile: birdFiles(birdDirectory(config)).log,
        wanted: () => calculation.bird(),
        onChange: changed,
      },
    ),
  );

  let isStarted = false;
  const reregister = (): void => {
    log.warn("Registering the node again: its record was deleted or changed");
    registration.register({ signal }).catch((error: unknown) => {
      if (!signal.aborted) log.warn("Cannot register the node again", { error });
    });
  };
  const cluster = stack.use(
    followCluster(
      { store, clock, log: log.scope("cluster") },
      {
        nodeName,
        namespace: ENDPOINT_NAMESPACE,
        onState: changed,
        onFacts(facts) {
          const delta = calculation.update(facts);
          dataplane.update(delta);
          if (delta.bird && isStarted) routeSource.update();
          // Somebody has deleted or changed the record of a node that lives.
          if (isStarted && cluster.self?.spec.bgp?.ipv4Address !== config.address) reregister();
        },
      },
    ),
  );

  const allocator = createAllocator({ store, clock, log: log.scope("ipam") }, { nodeName });
  const node = createNodeView({ config, cluster, rtnetlink, isStarted: () => isStarted });
  const cni = createCniService(
    {
      allocator,
      endpoints: createEndpoints(store, nodeName),
      dataplane,
      rtnetlink,
      sysctls: procSys,
      log: log.scope("cni"),
    },
    node,
  );

  const state = (): AgentState => ({
    nodeName,
    datastoreTrouble: cluster.trouble,
    isSynced: isStarted,
    routeSource: calculation.settings.routeSource,
    routeSourceTrouble: routeSource.trouble,
    relyingOnBird: calculation.relyingOnBird(),
    unreadable: cluster.unreadable,
    wantedBird: calculation.bird(),
    bird: bird.status(),
    dataplane: dataplane.status(),
    unroutable: calculation.unroutable(),
  });
  const services = {
    datastore: config.datastore.kind === "embedded" ? createStoreHandler(store, { log }) : undefined,
    cni,
    status: () => renderStatus(state(), { pid: process.pid, memory: measureMemory() }),
    ready: (options: { readonly signal: AbortSignal }) =>
      conditions.until(() => reasonsOf(state()).length === 0, options.signal),
    settled: (options: { readonly signal: AbortSignal }) =>
      conditions.until(
        () => [...reasonsOf(state()), ...degradationsOf(state())].length === 0,
        options.signal,
      ),
  };
  stack.use(await serveAgent(config.socket, services, log.scope("server")));

  const start = async (): Promise<void> => {
    await persist("register the node", () => registration.register({ signal }), persistence);
    await cluster.synced({ signal });
    await persist("read the kernel's state", () => dataplane.start(), persistence);
    isStarted = true;
    log.info("Started", { nodeName, socket: config.socket });
    routeSource.update();
    changed();
    await claimFirstBlock(allocator, node, { log, signal });
  };
  const starting = start().catch((error: unknown) => {
    if (!signal.aborted) log.error("Cannot start", { error });
  });
  stack.defer(async () => {
    stopping.abort();
    await starting;
  });
  return stack.move();
}

/** Others learn of a node's block before its first container needs it. */
async function claimFirstBlock(
  allocator: Allocator,
  node: NodeView,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const [pool] = node.pools();
    if (pool === undefined) return;
    const claim = await allocator.claimBlock(pool, { ...node.limits(), signal });
    if (claim.kind === "exhausted") log.info(claim.message);
  } catch (error) {
    // The first ADD will say so again, to someone who can do something about it.
    log.info("Cannot claim a block ahead of need", { error });
  }
}

async function openStore({ datastore }: AgentConfig): Promise<Store> {
  switch (datastore.kind) {
    case "embedded":
      await mkdir(dirname(datastore.path), { recursive: true, mode: 0o700 });
      return openEmbeddedStore({ path: datastore.path });
    case "socket":
      return connectStore({ socketPath: datastore.path });
  }
}

interface Persistence {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;

/** Tries until it succeeds: the datastore may come up after its users, and the kernel may be busy. */
async function persist(
  what: string,
  action: () => Promise<void>,
  { clock, log, signal }: Persistence,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      await action();
      return;
    } catch (error) {
      signal.throwIfAborted();
      log.warn(`Cannot ${what} yet`, { error });
      await clock.sleep(Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS), { signal });
    }
  }
}
