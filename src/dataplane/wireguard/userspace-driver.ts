// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { IfName } from "../../net/if-name.ts";
import type { Clock } from "../../system/clock.ts";
import type { ProcessRunner } from "../../system/process.ts";
import { KernelError, isKernelError } from "../netlink/kernel-error.ts";
import { type Link, deleteLink, getLink, setLink } from "../netlink/link.ts";
import type { NetlinkRequest } from "../netlink/request.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import type { WireguardDevice } from "../netlink/wireguard-device.ts";
import type { WireguardDriver } from "./driver.ts";
import { type UapiAnswer, isUapiAnswer, parseUapiAnswer } from "./uapi-answer.ts";
import { UAPI_GET, encodeUapiChange } from "./uapi-request.ts";

export interface UserspaceWireguard {
  readonly rtnetlink: Rtnetlink;
  readonly processes: ProcessRunner;
  readonly clock: Clock;
}

export interface UserspaceOptions {
  /** Holds the sockets, `<interface>.sock`; nobody but root may look into it. Made if it is not there. */
  readonly directory: string;
}

/** Where `wireguard-go` has its sockets, whatever one would like. */
const FIXED_DIRECTORY = "/run/wireguard";
/**
 * Several hosts may share this machine's files, and all have a device of the same name: so each process sees a directory of its own
 * in that place, while what others unmount goes from its view too. In a session of its own, it gets none of the signals that a terminal sends.
 */
const PROGRAM = ["setsid", "unshare", "--mount", "--propagation", "slave", "sh", "-c"] as const;
const SCRIPT = `mount --bind "$1" ${FIXED_DIRECTORY} && exec wireguard-go "$2"`;

/** A process that lives answers at once. */
const ANSWER_TIMEOUT_MS = 5000;
const START_TIMEOUT_MS = 5000;
const START_INTERVAL_MS = 10;
// asm-generic/errno-base.h and errno.h
const ENODEV = 19;
const ETIMEDOUT = 110;

/**
 * Devices by `wireguard-go`, for kernels without their own. Each is a process that belongs to nobody: it outlives the agent, and ends with its
 * link; the link goes when the process ends.
 */
export function createUserspaceDriver(
  { rtnetlink, processes, clock }: UserspaceWireguard,
  { directory }: UserspaceOptions,
): WireguardDriver {
  const socketOf = (name: IfName): string => join(directory, `${name}.sock`);
  const ask = (op: string, name: IfName, question: string): Promise<UapiAnswer["device"]> =>
    askWireguard(op, socketOf(name), question);
  return {
    async create({ name, mtu }) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await mkdir(FIXED_DIRECTORY, { recursive: true, mode: 0o700 });
      await startProcess(processes, directory, name);
      await succeed(rtnetlink, setLink({ name, up: true }));
      await untilUp(() => ask(`start WireGuard device "${name}"`, name, UAPI_GET), name, clock);
      // Not before: as it starts it sets an MTU of its own.
      await succeed(rtnetlink, setLink({ name, mtu }));
    },
    async get(name) {
      const link = await linkNamed(rtnetlink, name);
      if (link === undefined) return undefined;
      return { ifIndex: link.index, ...(await ask(`get WireGuard device "${name}"`, name, UAPI_GET)) };
    },
    async change(name, change) {
      const op = `change WireGuard device "${name}"`;
      const link = await linkNamed(rtnetlink, name);
      if (link === undefined) throw new KernelError(op, ENODEV);
      try {
        await ask(op, name, encodeUapiChange(change));
      } catch (error) {
        // A device whose process was started for another directory, or has lost its socket, is of no use: it makes room for one that is.
        if (isUnanswered(error)) await rtnetlink.execute([deleteLink({ index: link.index })]);
        throw error;
      }
    },
  };
}

async function succeed(rtnetlink: Rtnetlink, request: NetlinkRequest): Promise<void> {
  const [error] = await rtnetlink.execute([request]);
  if (error !== undefined) throw error;
}

/** `undefined` where there is no such link. */
export async function linkNamed(rtnetlink: Rtnetlink, name: IfName): Promise<Link | undefined> {
  try {
    return (await rtnetlink.list(getLink(name)))[0];
  } catch (error) {
    if (isKernelError(error, "ENODEV")) return undefined;
    throw error;
  }
}

/** Puts itself into the background once its device and its socket are there. */
async function startProcess(processes: ProcessRunner, directory: string, name: IfName): Promise<void> {
  const [command, ...args] = PROGRAM;
  // With a level it would hold on to the output of whoever starts it.
  const env = { LOG_LEVEL: "" };
  const { code, stderr } = await processes.run(command, [...args, SCRIPT, "sh", directory, name], { env });
  if (code !== 0) throw new Error(`Cannot start "wireguard-go" for "${name}": ${complaintIn(stderr)}`);
}

/** The last line; above it there may be a box that praises the kernel's own WireGuard. */
function complaintIn(output: string): string {
  return output.trimEnd().split("\n").at(-1) ?? "";
}

/** It hears that its link is up a little later, and takes a port then: before that, a port that is in use would be found too late to be told. */
async function untilUp(
  get: () => Promise<Pick<WireguardDevice, "listenPort">>,
  name: IfName,
  clock: Clock,
): Promise<void> {
  const deadline = clock.now() + START_TIMEOUT_MS;
  while ((await get()).listenPort === 0) {
    if (clock.now() > deadline) throw new KernelError(`start WireGuard device "${name}"`, ETIMEDOUT);
    await clock.sleep(START_INTERVAL_MS);
  }
}

function isUnanswered(error: unknown): boolean {
  return isKernelError(error, "ECONNREFUSED") || isKernelError(error, "ENOENT");
}

/** What a device says of its peers, without making anything. Throws `KernelError` where nobody answers for it. */
export async function readUserspaceWireguard(
  directory: string,
  name: string,
): Promise<Pick<WireguardDevice, "peers">> {
  return await askWireguard(`get WireGuard device "${name}"`, join(directory, `${name}.sock`), UAPI_GET);
}

async function askWireguard(op: string, path: string, question: string): Promise<UapiAnswer["device"]> {
  const { errno, device } = parseUapiAnswer(await converse(op, path, question));
  if (errno !== 0) throw new KernelError(op, errno);
  return device;
}

/** Sends a question and reads the whole answer to it. */
async function converse(op: string, path: string, question: string): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const socket = connect({ path, signal });
  try {
    socket.setEncoding("utf8").write(question);
    let text = "";
    for await (const chunk of socket as AsyncIterable<string>) {
      text += chunk;
      if (isUapiAnswer(text)) break;
    }
    return text;
  } catch (error) {
    if (signal.aborted) throw new KernelError(op, ETIMEDOUT);
    throw KernelError.from(op, error);
  } finally {
    socket.destroy();
  }
}
