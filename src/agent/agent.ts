// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "../cni/collaborators.ts";
import { CniError } from "../cni/error.ts";
import { createStoreHandler } from "../datastore/server.ts";
import type { WaitOptions } from "../datastore/store.ts";
import type { Differences } from "../dataplane/differences.ts";
import type { DesiredDelta } from "../desired/wanted.ts";
import { type Allocator, createAllocator } from "../ipam/allocator.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { FAMILIES, type Family } from "../net/ip.ts";
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import { Conditions } from "../system/conditions.ts";
import { Lock } from "../system/lock.ts";
import { describeError } from "../system/log.ts";
import { Meters } from "../web/meters.ts";
import { type AgentApi, createAgentApi } from "./api.ts";
import { createApiListener } from "./api-listener.ts";
import { type Attachments, createAttachments } from "./attachments.ts";
import { createBlockStock } from "./block-stock.ts";
import { createChecksumWatch } from "./checksum-watch.ts";
import { type CheckReport, checkPaths } from "./check.ts";
import type { AgentConfig } from "./config.ts";
import { forgetDeadAttachments } from "./dead-attachments.ts";
import type { HealthState } from "./health.ts";
import { ipipTunnel } from "./ipip.ts";
import { measureCni } from "./measured-cni.ts";
import { measureMemory } from "./memory.ts";
import { createNodeView, underlayLink } from "./node-view.ts";
import { type AgentCollaborators, type AgentParts, openParts } from "./parts.ts";
import { persist } from "./persist.ts";
import { createPoolStatus } from "./pool-status.ts";
import { type PoolReview, createPoolReview } from "./pool-review.ts";
import { createLeakCollector } from "./leak-collector.ts";
import type { Settler } from "./settler.ts";
import { type AgentServices, serveAgent } from "./server.ts";
import { joinTraces } from "./traces.ts";
import { type AgentState, type AgentStatus, degradationsOf, reasonsOf, renderStatus } from "./status.ts";
import { type TunnelEnd, type TunnelKind, createTunnelEnd } from "./tunnel-end.ts";
import type { TunnelContext } from "./tunnels.ts";
import { vxlan6Tunnel, vxlanTunnel } from "./vxlan.ts";
import { Withdrawals } from "./withdrawals.ts";
import { recordedEnd, wireguardTunnel } from "./wireguard.ts";

/**
 * Starts a node's agent in the current network namespace. Disposing it stops the process's work and nothing else: routes stay, and BIRD goes
 * on running.
 */
export async function startAgent(
  config: AgentConfig,
  collaborators: AgentCollaborators,
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const conditions = new Conditions();
  const meters = new Meters();
  const running: { agent?: Agent } = {};
  const parts = await openParts(stack, config, collaborators, {
    // Nothing acts before the agent is there and started; it finds everything in the parts then.
    onDelta: (delta) => running.agent?.noteDelta(delta),
    onChange: () => {
      conditions.check();
    },
    onJournal: () => running.agent?.noteJournal(),
    onIpv6Address: () => running.agent?.register(),
    onApplied: ({ durationMs, latencyMs }) => {
      meters.applications.observe(durationMs / 1000);
      if (latencyMs !== undefined) meters.changes.observe(latencyMs / 1000);
    },
    storeMeter: meters,
  });
  const agent = stack.use(new Agent(config, collaborators, parts, { conditions, meters }));
  running.agent = agent;
  stack.use(await serveAgent(config.socket, agent.services(), collaborators.log.scope("server")));
  agent.start();
  return stack.move();
}

/** What `GET /differences` answers. */
interface DifferenceReport extends Differences {
  readonly nodeName: string;
}

/** This node's end of one kind of tunnel. */
interface NamedEnd {
  readonly name: string;
  readonly end: TunnelEnd;
}

class Agent implements AsyncDisposable {
  readonly #config: AgentConfig;
  readonly #collaborators: AgentCollaborators;
  readonly #parts: AgentParts;
  readonly #conditions: Conditions;
  readonly #meters: Meters;
  readonly #allocator: Allocator;
  readonly #poolReview: PoolReview;
  readonly #node: NodeView;
  readonly #attachments: Attachments;
  readonly #tunnelEnds: readonly NamedEnd[];
  readonly #checksumWatches: readonly Settler[];
  readonly #poolStatus: Settler;
  readonly #blockStock: Settler;
  readonly #withdrawals: Withdrawals;
  readonly #api: AgentApi;
  readonly #apiListener: Settler;
  readonly #leakCollector: ReturnType<typeof createLeakCollector>;
  /** What the state of pools was last recorded from. */
  #poolRevision = -1;
  /** Holds what serves them, once the agent has started. */
  readonly #traces = new AsyncDisposableStack();
  readonly #rotations = new Lock();
  readonly #stopping = new AbortController();
  /** Whether the datastore was read, and the kernel brought in line, once. */
  #isStarted = false;
  #starting: Promise<void> = Promise.resolve();
  #startFailure: string | undefined;

  constructor(
    config: AgentConfig,
    collaborators: AgentCollaborators,
    parts: AgentParts,
    { conditions, meters }: { readonly conditions: Conditions; readonly meters: Meters },
  ) {
    const { clock, log } = collaborators;
    const { store, nodeAddress, catalog, cluster, calculation } = parts;
    const { nodeName } = config;
    this.#config = config;
    this.#collaborators = collaborators;
    this.#parts = parts;
    this.#conditions = conditions;
    this.#meters = meters;
    this.#allocator = createAllocator(
      { store, clock, log: log.scope("ipam") },
      { nodeName, cooldownSeconds: () => catalog.ipamConfig?.spec.ipCooldownSeconds ?? 0 },
    );
    this.#poolReview = createPoolReview(catalog);
    this.#withdrawals = new Withdrawals(clock);
    this.#node = createNodeView({
      config,
      nodeAddress,
      catalog,
      poolReview: this.#poolReview,
      cluster,
      calculation,
      withdrawals: this.#withdrawals,
      clock,
      log: log.scope("cni"),
      store,
      isStarted: () => this.#isStarted,
      faults: () => reasonsOf(this.#state()),
    });
    this.#tunnelEnds = this.#createTunnelEnds();
    this.#poolStatus = createPoolStatus(
      { store, catalog, poolReview: this.#poolReview, clock, log: log.scope("pools") },
      { nodeName },
    );
    this.#checksumWatches = FAMILIES.map((family) =>
      createChecksumWatch({ ...parts, clock, log: log.scope("checksum") }, { family }),
    );
    this.#blockStock = createBlockStock(
      { allocator: this.#allocator, clock, log: log.scope("ipam") },
      {
        pools: (family) => usablePools(this.#node, family),
        limits: () => this.#node.limits(),
        idleMs: config.garbageCollection.idleBlockSeconds * 1000,
      },
    );
    this.#leakCollector = createLeakCollector(
      { store, clock, log: log.scope("garbage-collector") },
      {
        node: () => ({ name: nodeName, borrowedFrom: calculation.blocksOf(nodeName) }),
        graceMs: config.garbageCollection.graceSeconds * 1000,
        onAddresses: () => {
          this.#blockStock.update();
        },
      },
    );
    this.#attachments = createAttachments(
      { parts, allocator: this.#allocator, node: this.#node, clock, log: log.scope("cni") },
      {
        nodeName,
        onAddresses: () => {
          // Which blocks the node can do without is not known before.
          if (this.#isStarted) this.#blockStock.update();
        },
      },
    );
    this.#api = this.#createApi();
    this.#apiListener = createApiListener(
      { ...this.#api, answers: meters.answers, clock, log: log.scope("api") },
      {
        api: config.api,
        onChange: () => {
          conditions.check();
        },
      },
    );
  }

  start(): void {
    this.#apiListener.update();
    this.#starting = this.#start().catch((error: unknown) => {
      if (this.#stopping.signal.aborted) return;
      this.#startFailure = describeError(error);
      this.#collaborators.log.error("Cannot start", { error });
    });
  }

  noteDelta(delta: DesiredDelta): void {
    if (!this.#isStarted) return;
    this.#withdrawals.note(delta.withdrawn);
    if (delta.bird) {
      this.#parts.routeSource.update();
      this.#updateTunnelEnds();
    }
    this.#updatePoolStatus();
    // Somebody has deleted or changed the record of a node that lives.
    this.#noteRecord();
  }

  noteJournal(): void {
    this.#attachments.update();
  }

  /** Records the node's addresses as they are now. */
  register(): void {
    const { log } = this.#collaborators;
    const { signal } = this.#stopping;
    this.#parts.registration.register({ signal }).catch((error: unknown) => {
      if (!signal.aborted) log.warn("Cannot register the node again", { error });
    });
  }

  services(): AgentServices {
    const { store } = this.#parts;
    const log = this.#collaborators.log.scope("datastore");
    const reasons = (): readonly string[] => reasonsOf(this.#state());
    const all = (): readonly string[] => [...reasons(), ...degradationsOf(this.#state())];
    return {
      datastore: createStoreHandler(store, { log }),
      cni: measureCni(this.#attachments.cni, { ...this.#collaborators, meters: this.#meters }),
      rotateKeys: (options) => this.#rotateKeys(options),
      status: () => this.#status(),
      api: (request, response) => {
        const { handler, pages } = this.#api;
        return handler(request, response) || pages(request, response);
      },
      check: (options) => this.#check(options),
      differences: (options) => this.#differences(options),
      ready: ({ signal }) => this.#conditions.until(() => reasons().length === 0, signal),
      settled: ({ signal }) => this.#conditions.until(() => all().length === 0, signal),
    };
  }

  #status(): AgentStatus {
    return renderStatus(this.#state(), {
      version: this.#parts.version,
      pid: process.pid,
      memory: measureMemory(),
    });
  }

  #createApi(): AgentApi {
    const { log } = this.#collaborators;
    return createAgentApi({
      ...this.#parts,
      ...this.#collaborators,
      log: log.scope("api"),
      nodeName: this.#config.nodeName,
      conditions: this.#conditions,
      meters: this.#meters,
      state: () => this.#state(),
      status: () => this.#status(),
      health: () => this.#health(),
    });
  }

  #health(): HealthState {
    const { applyingSinceMs } = this.#parts.dataplane.measures();
    const applyingForMs =
      applyingSinceMs === undefined ? undefined : this.#collaborators.clock.now() - applyingSinceMs;
    return { startFailure: this.#startFailure, applyingForMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#apiListener[Symbol.asyncDispose]();
    await this.#api[Symbol.asyncDispose]();
    await this.#starting;
    await this.#traces.disposeAsync();
    for (const { end } of this.#tunnelEnds) await end[Symbol.asyncDispose]();
    for (const watch of this.#checksumWatches) await watch[Symbol.asyncDispose]();
    await this.#poolStatus[Symbol.asyncDispose]();
    await this.#leakCollector[Symbol.asyncDispose]();
    await this.#blockStock[Symbol.asyncDispose]();
    await this.#attachments[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { cluster, dataplane, nodeAddress, ipv6Address, registration, routeSource } = this.#parts;
    const { signal } = this.#stopping;
    const persistence = { ...this.#collaborators, signal };
    await persist("find the node's address", () => nodeAddress.resolve({ signal }), persistence);
    await ipv6Address.begin({ signal });
    await persist("register the node", () => registration.register({ signal }), persistence);
    await cluster.synced({ signal });
    await persist("see the node's address", () => nodeAddress.present({ signal }), persistence);
    await persist("find the underlay", () => this.#learnUnderlay(), persistence);
    for (const { name, end } of this.#tunnelEnds)
      await persist(`take up the end of ${name} tunnels`, () => end.restore({ signal }), persistence);
    await persist("give back what dead containers held", () => this.#forgetDead({ signal }), persistence);
    await persist("read the kernel's state", () => dataplane.start(), persistence);
    this.#isStarted = true;
    const { nodeName, socket } = this.#config;
    this.#collaborators.log.info("Started", { nodeName, socket });
    this.#noteRecord();
    routeSource.update();
    this.#updateTunnelEnds();
    this.#updatePoolStatus();
    this.#parts.garbageCollector.start();
    this.#blockStock.update();
    this.#leakCollector.start();
    this.#attachments.update();
    this.#traces.use(joinTraces({ ...this.#parts, ...this.#collaborators }, this.#config));
    this.#conditions.check();
  }

  #createTunnelEnds(): readonly NamedEnd[] {
    const { clock, log } = this.#collaborators;
    const { nodeName, ipipDriver } = this.#config;
    const context: TunnelContext = {
      ...this.#parts,
      nodeName,
      ipipDriver,
      conditions: this.#conditions,
      clock,
      underlay: () => underlayLink(this.#parts, nodeName),
    };
    const create = <End>(kind: TunnelKind<End>): NamedEnd => ({
      name: kind.name,
      end: createTunnelEnd(
        kind,
        { allocator: this.#allocator, clock, log: log.scope(kind.name.toLowerCase().replace(" ", "-")) },
        {
          nodeName,
          limits: () => this.#node.limits(),
          poolReview: this.#poolReview,
          onChange: () => {
            this.#conditions.check();
          },
        },
      ),
    });
    return [
      create(ipipTunnel(context)),
      create(vxlanTunnel(context)),
      create(vxlan6Tunnel(context)),
      create(wireguardTunnel(context)),
    ];
  }

  /** The new key is in the device before the others hear of it: what they send by the old one until then is read all the same. */
  async #rotateKeys({ signal }: { readonly signal: AbortSignal }): Promise<WireguardPublicKey> {
    const { calculation, catalog, wireguardKey } = this.#parts;
    if (!calculation.settings.wireguardEnabled)
      throw new Error(`Cannot rotate the keys of node "${this.#config.nodeName}": WireGuard is not enabled`);
    return await this.#rotations.run(
      "keys",
      async () => {
        const publicKey = await wireguardKey.replace();
        this.#updateTunnelEnds();
        const isRecorded = (): boolean => recordedEnd({ catalog })?.publicKey === publicKey;
        await this.#conditions.until(isRecorded, signal);
        return publicKey;
      },
      signal,
    );
  }

  async #check({ signal }: { readonly signal: AbortSignal }): Promise<CheckReport> {
    const { notReady, nodeName } = this.#node;
    if (notReady !== undefined) throw new Error(notReady);
    return await checkPaths(nodeName, this.#parts.calculation.pathsToNodes(), {
      signal: AbortSignal.any([signal, this.#stopping.signal]),
    });
  }

  async #differences({ signal }: { readonly signal: AbortSignal }): Promise<DifferenceReport> {
    const { notReady, nodeName } = this.#node;
    if (notReady !== undefined) throw new Error(notReady);
    const found = await this.#parts.dataplane.differences({
      signal: AbortSignal.any([signal, this.#stopping.signal]),
    });
    return { nodeName, ...found };
  }

  #updateTunnelEnds(): void {
    for (const { end } of this.#tunnelEnds) end.update();
    for (const watch of this.#checksumWatches) watch.update();
  }

  #updatePoolStatus(): void {
    const { poolRevision } = this.#parts.catalog;
    if (poolRevision === this.#poolRevision) return;
    this.#poolRevision = poolRevision;
    this.#poolStatus.update();
    this.#blockStock.update();
  }

  async #forgetDead(options: WaitOptions): Promise<void> {
    const { nodeName: name } = this.#config;
    const node = { name, borrowedFrom: this.#parts.calculation.blocksOf(name) };
    const containers = await forgetDeadAttachments(this.#parts, node, options);
    if (containers.length > 0)
      this.#collaborators.log.warn("Containers have not outlived the node; gave back what they held", {
        containers,
      });
  }

  async #learnUnderlay(): Promise<void> {
    const { mtu } = await underlayLink(this.#parts, this.#config.nodeName);
    this.#parts.learn([{ kind: "underlay", mtu }]);
  }

  /** Sees to it that the node's record has its address. To take the record away is to accept what detection has found. */
  #noteRecord(): void {
    // Until then changes are heard that are older than the record.
    if (!this.#isStarted) return;
    const { catalog, nodeAddress, ipv6Address } = this.#parts;
    const { ipv4Address: recorded, ipv6Address: recorded6 } = catalog.self?.spec.bgp ?? {};
    const isOtherIpv6 = ipv6Address.review(recorded6);
    if (recorded !== nodeAddress.current && nodeAddress.accept(recorded)) this.#changeUnderlay();
    if (recorded === nodeAddress.current && !isOtherIpv6) return;
    this.#collaborators.log.warn("Registering the node again: its record was deleted or changed");
    this.register();
  }

  #changeUnderlay(): void {
    const { clock, log } = this.#collaborators;
    const { signal } = this.#stopping;
    persist("find the underlay", () => this.#learnUnderlay(), { clock, log, signal }).catch(() => undefined);
  }

  /** What keeps the node from having its address. */
  #addressTrouble(): string | undefined {
    const { dataplane, nodeAddress } = this.#parts;
    const { ip, waitsFor } = nodeAddress;
    if (waitsFor !== undefined) return `waiting: ${waitsFor}`;
    if (!this.#isStarted || ip === undefined || dataplane.hasAddress(ip)) return undefined;
    return `no interface has ${ip} any more; put it back, or choose anew: by a restart of the agent, or another address in its configuration`;
  }

  #state(): AgentState {
    const { catalog, cluster, calculation, bird, dataplane, nodeAddress, ipv6Address, routeSource } =
      this.#parts;
    return {
      nodeName: this.#config.nodeName,
      address: nodeAddress.known,
      ipv6Address: ipv6Address.known,
      ipv6AddressTrouble: ipv6Address.trouble((ip) => !this.#isStarted || dataplane.hasAddress(ip)),
      addressTrouble: this.#addressTrouble(),
      datastoreTrouble: cluster.trouble,
      isSynced: this.#isStarted,
      routeSource: calculation.settings.routeSource,
      pools: catalog.pools,
      mtu: { underlay: calculation.underlayMtu ?? null, containers: calculation.containerMtu ?? null },
      tunnels: calculation.ownEnds(),
      routeSourceTrouble: routeSource.trouble,
      relyingOnBird: calculation.relyingOnBird(),
      unreadable: catalog.unreadable,
      ignored: catalog.ignored,
      poolIssues: this.#poolReview.issues(),
      mtuIssues: calculation.mtuIssues(),
      tunnelTroubles: this.#tunnelEnds.flatMap(({ name, end: { trouble } }) =>
        trouble === undefined ? [] : [{ name, trouble }],
      ),
      detours: calculation.detours(),
      unencrypted: calculation.unencrypted(),
      wantedBird: calculation.bird(),
      bgpIssues: [
        ...calculation.bgpIssues(),
        ...this.#parts.birdSecrets.troubles,
        ...this.#parts.routeSource.refusals,
      ],
      bird: bird.status(),
      apiTrouble: this.#apiListener.trouble,
      dataplane: dataplane.status(),
      unroutable: calculation.unroutable(),
    };
  }
}

/** None where it is an error to ask for an address: what the node has of such pools goes back to them. */
function usablePools(node: NodeView, family: Family): readonly IPPool[] {
  try {
    return node.pools({ families: [family] }).flatMap(({ choices }) => choices.flat());
  } catch (error) {
    if (error instanceof CniError) return [];
    throw error;
  }
}
