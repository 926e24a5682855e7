// SPDX-License-Identifier: Apache-2.0
import type { Bird } from "../bird/bird.ts";
import { birdFiles, readIfThere } from "../bird/daemon.ts";
import { createBird } from "../bird/supervisor.ts";
import { type ApplyTiming, type Dataplane, createDataplane } from "../dataplane/dataplane.ts";
import type { Genetlink } from "../dataplane/netlink/genetlink.ts";
import { type LinkRemover, createLinkRemover } from "../dataplane/link-remover.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { type Journal, openJournal } from "../cni/journal.ts";
import { openStore } from "../datastore/config.ts";
import { type StoreMeter, measureStore } from "../datastore/measured-store.ts";
import type { Store } from "../datastore/store.ts";
import { Calculation } from "../desired/calculation.ts";
import type { Fact } from "../desired/facts.ts";
import type { DesiredDelta } from "../desired/wanted.ts";
import { ENDPOINT_NAMESPACE } from "../model/workload-endpoint.ts";
import type { IfName } from "../net/if-name.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { ProcessRunner } from "../system/process.ts";
import { readVersion } from "../system/version.ts";
import type { Tracer } from "../web/view/source.ts";
import { type Ipv6Address, createIpv6Address } from "./address/ipv6-address.ts";
import { type NodeAddress, createNodeAddress } from "./address/node-address.ts";
import { type BirdSecrets, createBirdSecrets } from "./bird-secrets.ts";
import { Catalog } from "./catalog.ts";
import { type Cluster, followCluster } from "./cluster.ts";
import { type AgentConfig, birdDirectory, journalDirectory } from "./config.ts";
import { type GarbageCollector, createGarbageCollector } from "./garbage-collector.ts";
import { openKernel } from "./open-kernel.ts";
import { type Registration, createRegistration } from "./registration.ts";
import { createRouteHold } from "./route-hold.ts";
import { type RouteSourceSwitch, createRouteSourceSwitch } from "./route-source.ts";
import { type WireguardKeyFile, createWireguardKeyFile } from "./wireguard-key-file.ts";

/** What the operating system gives. */
export interface AgentCollaborators {
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: ProcessRunner;
  /** Sends a probe from a container of the node. @default nobody here can */
  readonly trace?: Tracer;
}

/** The data path of one node, from the datastore to the kernel and BIRD. */
export interface AgentParts {
  /** Of the program. */
  readonly version: string;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly cluster: Cluster;
  readonly calculation: Calculation;
  readonly rtnetlink: Rtnetlink;
  readonly genetlink: Genetlink;
  readonly linkRemover: LinkRemover;
  readonly dataplane: Dataplane;
  readonly bird: Bird;
  readonly nodeAddress: NodeAddress;
  readonly ipv6Address: Ipv6Address;
  readonly registration: Registration;
  readonly routeSource: RouteSourceSwitch;
  readonly birdSecrets: BirdSecrets;
  readonly garbageCollector: GarbageCollector;
  readonly wireguardKey: WireguardKeyFile;
  readonly journal: Journal;
  /** Works facts that no entry of the datastore tells into the desired state. */
  readonly learn: (facts: readonly Fact[]) => void;
}

export interface PartsOptions {
  /** Called after what has become known was worked into the desired state. */
  readonly onDelta: (delta: DesiredDelta) => void;
  /** Called when anything may have changed that status tells of. */
  readonly onChange: () => void;
  /** Called after something has come into the journal. */
  readonly onJournal: () => void;
  /** Called when the node has found an IPv6 address after it has started. */
  readonly onIpv6Address: () => void;
  /** Hears how long each application of changes to the kernel took. */
  readonly onApplied: (timing: ApplyTiming) => void;
  /** Hears of what is asked of the datastore. */
  readonly storeMeter: StoreMeter;
}

/** Opens the parts in the order in which they need each other; `stack` closes them in reverse. */
export async function openParts(
  stack: AsyncDisposableStack,
  config: AgentConfig,
  { clock, log, processes }: AgentCollaborators,
  { onDelta, onChange, onJournal, onIpv6Address, onApplied, storeMeter }: PartsOptions,
): Promise<AgentParts> {
  const { nodeName } = config;
  const version = readVersion();
  const store = stack.use(measureStore(await openStore(config.datastore), { clock, meter: storeMeter }));
  const registration = createRegistration(store, {
    nodeName,
    version,
    address: () => nodeAddress.current,
    ipv6Address: () => ipv6Address.known?.address,
  });
  const wireguardKey = createWireguardKeyFile(config.stateDirectory);
  const kernel = openKernel(stack, config, {
    clock,
    log,
    processes,
    privateKey: (publicKey) => wireguardKey.privateKey(publicKey),
  });
  const { rtnetlink, genetlink } = kernel;
  const nodeAddress = stack.use(
    createNodeAddress(
      {
        rtnetlink,
        recorded: (options) => registration.recordedAddress(4, options),
        log: log.scope("address"),
      },
      { nodeName, family: 4, setting: config.address, onChange },
    ),
  );
  const ipv6Address = stack.use(
    createIpv6Address(
      {
        rtnetlink,
        recorded: (options) => registration.recordedAddress(6, options),
        clock,
        log: log.scope("address"),
      },
      { nodeName, setting: config.ipv6Address, onChange, onFound: onIpv6Address },
    ),
  );
  const dataplane = stack.use(
    createDataplane(kernel, {
      nodeAddress: () => nodeAddress.ip,
      onUnderlay: (mtu) => {
        learn([{ kind: "underlay", mtu }]);
      },
      onBirdsInDoubt: () => {
        bird.refillKernel().catch((error: unknown) => {
          log.info("Cannot have BIRD refill the kernel; its scan will", { error });
        });
      },
      onChange,
      onApplied,
    }),
  );
  const directory = birdDirectory(config);
  const bird = stack.use(createBird({ processes, clock, log: log.scope("bird") }, { directory }));
  stack.defer(bird.onChange(onChange));
  const calculation = new Calculation(nodeName);
  const birdSecrets = stack.use(
    createBirdSecrets(config.secretsDirectory, {
      running: () => readIfThere(birdFiles(directory).config),
      onChange: () => {
        routeSource.update();
      },
    }),
  );
  const routeSourceLog = log.scope("route-source");
  const routeHold = stack.use(createRouteHold({ bird, dataplane, clock, log: routeSourceLog }));
  const routeSource = stack.use(
    createRouteSourceSwitch(
      { bird, dataplane, registration, secrets: birdSecrets, routeHold, clock, log: routeSourceLog },
      {
        nodeName,
        birdLogFile: birdFiles(directory).log,
        wanted: () => calculation.bird(),
        isRoutable: (cidrs) => calculation.isRoutable(cidrs),
        isNode: (address) => calculation.isNode(address),
        onChange,
      },
    ),
  );
  const garbageCollector = stack.use(
    createGarbageCollector(
      { store, clock, log: log.scope("garbage-collector") },
      {
        nodeName,
        graceMs: config.garbageCollection.graceSeconds * 1000,
        blocksOf: (name) => calculation.blocksOf(name),
      },
    ),
  );
  const journal = await openJournal(journalDirectory(config), {
    onChange: (gone) => {
      learn(
        endpointsAt(calculation, gone.nodeEnd).map((name) => ({ kind: "endpoint", name, value: undefined })),
      );
      onJournal();
    },
    onUnreadable: (path) => {
      log.warn("Cannot read an entry of the journal; it is left alone", { path });
    },
  });
  const learn = (news: readonly Fact[]): void => {
    const facts = news.map((fact) => withoutGone(fact, journal));
    garbageCollector.note(facts);
    const delta = calculation.update(facts);
    dataplane.update(delta);
    onDelta(delta);
  };
  const catalog = new Catalog(log.scope("catalog"), nodeName);
  const cluster = stack.use(
    followCluster(
      { store, catalog, clock, log: log.scope("cluster") },
      { nodeName, namespace: ENDPOINT_NAMESPACE, onFacts: learn, onState: onChange },
    ),
  );
  return {
    version,
    store,
    catalog,
    cluster,
    calculation,
    rtnetlink,
    genetlink,
    linkRemover: createLinkRemover(stack.use(openRtnetlink())),
    dataplane,
    bird,
    nodeAddress,
    ipv6Address,
    registration,
    routeSource,
    birdSecrets,
    garbageCollector,
    wireguardKey,
    journal,
    learn,
  };
}

/** The datastore has a record of what the journal says is gone. */
function withoutGone(fact: Fact, { entries }: Journal): Fact {
  const isGone = fact.kind === "endpoint" && fact.value !== undefined && entries.has(fact.value.ifName);
  return isGone ? { ...fact, value: undefined } : fact;
}

function endpointsAt(calculation: Calculation, nodeEnd: IfName): readonly string[] {
  return Array.from(calculation.endpoints()).flatMap(([name, { ifName }]) =>
    ifName === nodeEnd ? [name] : [],
  );
}
