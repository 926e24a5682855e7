// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { RUN_DIRECTORY } from "../system/run-directory.ts";
import { LabError } from "./error.ts";

/** Where labs keep their files; gone when the last lab is. */
export const LABS_DIRECTORY = join(RUN_DIRECTORY, "lab");
/** Where FRR keeps the files of its instances. */
export const FRR_DIRECTORY = "/run/frr";
/** Where iproute2 keeps the names of network namespaces. */
export const NETNS_DIRECTORY = "/run/netns";
/** The lab that is meant where none is named. */
export const DEFAULT_LAB = "lab";
/** The namespace in which the bridges of the underlay are. */
export const UNDERLAY = "underlay";

/**
 * Part of the names of namespaces, and of paths of unix sockets, which end at 107 bytes. There is no hyphen in it, so no
 * lab's namespace prefix starts another's.
 */
const LAB_NAME = /^[a-z][a-z0-9]{0,15}$/;

/** Where everything of one lab is. */
export interface Layout {
  readonly name: string;
  readonly directory: string;
  readonly stateFile: string;
  /** Where all hosts have the passwords of BGP sessions. */
  readonly secrets: string;
  /** What the names of the lab's namespaces, and of nobody else's, start with. */
  readonly namespacePrefix: string;
  /** The network namespace of a host, router or container, or {@link UNDERLAY}. */
  readonly namespace: (node: string) => string;
  readonly namespacePath: (node: string) => string;
  readonly host: (name: string) => HostLayout;
  readonly etcd: (member: string) => EtcdLayout;
  readonly speaker: (router: string) => SpeakerLayout;
}

export interface HostLayout {
  /** The agent's state directory. */
  readonly directory: string;
  readonly agentConfig: string;
  readonly agentLog: string;
  readonly agentSocket: string;
  /** What the CNI plugin reads on its standard input. */
  readonly cniConfig: string;
  /** Only the first host has it. */
  readonly store: string;
}

/** Of a router's BGP speaker. */
export interface SpeakerLayout {
  readonly directory: string;
  readonly logFile: string;
  /** What FRR calls one of several instances on a machine (`-N`). */
  readonly pathspace: string;
  /** Where such an instance has its files: it gives up root's rights, and would not come into the lab's directory. */
  readonly frrDirectory: string;
}

export interface EtcdLayout {
  readonly directory: string;
  readonly dataDirectory: string;
  readonly logFile: string;
}

/** Throws {@link LabError} for a name that no lab can have. */
export function createLayout(name: string): Layout {
  if (!LAB_NAME.test(name)) {
    const want = "want a lower-case letter, then up to 15 lower-case letters and digits";
    throw new LabError("invalid", `Cannot use lab name "${name}": ${want}`);
  }
  const directory = join(LABS_DIRECTORY, name);
  const namespacePrefix = `margay-${name}-`;
  return {
    name,
    directory,
    stateFile: join(directory, "state.json"),
    secrets: join(directory, "secrets"),
    namespacePrefix,
    namespace: (node) => namespacePrefix + node,
    namespacePath: (node) => join(NETNS_DIRECTORY, namespacePrefix + node),
    host: (host) => hostLayout(join(directory, host)),
    etcd: (member) => etcdLayout(join(directory, member)),
    speaker: (router) => speakerLayout(join(directory, router), namespacePrefix + router),
  };
}

/** How a person calls a command on the lab. */
export function labCommand(name: string, command: string): string {
  return name === DEFAULT_LAB ? `margay lab ${command}` : `margay lab ${command} --name ${name}`;
}

function speakerLayout(directory: string, pathspace: string): SpeakerLayout {
  const logFile = join(directory, "speaker.log");
  return { directory, logFile, pathspace, frrDirectory: join(FRR_DIRECTORY, pathspace) };
}

function etcdLayout(directory: string): EtcdLayout {
  return { directory, dataDirectory: join(directory, "data"), logFile: join(directory, "etcd.log") };
}

function hostLayout(directory: string): HostLayout {
  return {
    directory,
    agentConfig: join(directory, "agent.json"),
    agentLog: join(directory, "agent.log"),
    agentSocket: join(directory, "agent.sock"),
    cniConfig: join(directory, "cni.json"),
    store: join(directory, "store.db"),
  };
}
