// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { cidrAddress, parseCidr } from "../net/cidr.ts";
import { LabError } from "./error.ts";
import { type Layout, labCommand } from "./layout.ts";
import { createNamespaces, deleteNamespaces } from "./namespaces.ts";
import { killOccupants, netnsIdAt } from "./occupants.ts";
import type { AttachedContainer } from "./state.ts";
import type { LabTools } from "./tools.ts";
import type { Container } from "./topology-schema.ts";
import { bringUpLoopback } from "./underlay.ts";

const EXECUTABLE = fileURLToPath(new URL(`../../dist/margay-cni-${process.arch}`, import.meta.url));
/** The executable, which nodes have, where it was built: by Node, from the sources, a call takes the processor thirty times as long. */
const PLUGIN = existsSync(EXECUTABLE)
  ? EXECUTABLE
  : fileURLToPath(new URL("../../bin/margay-cni", import.meta.url));
const INTERFACE = "eth0";

const result = z.looseObject({
  interfaces: z.array(z.looseObject({ name: z.string(), sandbox: z.string().optional() })),
  ips: z.array(z.looseObject({ address: z.string() })),
});
/** CNI specification section 5, "Error". */
const failure = z.looseObject({ code: z.number(), msg: z.string(), details: z.string().optional() });

/** CNI specification, section 5: also what the plugin says where it cannot reach its agent. */
const TRY_AGAIN_LATER = 11;

/** Makes the container's namespace, and attaches it through the CNI plugin, as a container runtime does. */
export async function attach(
  tools: LabTools,
  layout: Layout,
  container: Container,
  { signal }: { readonly signal: AbortSignal },
): Promise<AttachedContainer> {
  const { name, host } = container;
  await createNamespaces(tools.processes, layout, [layout.namespace(name)]);
  try {
    await bringUpLoopback(layout.namespacePath(name));
    const { interfaces, ips } = result.parse(await callPlugin(tools, layout, "ADD", container, signal));
    const hostEnd = interfaces.find(({ sandbox }) => sandbox === undefined || sandbox === "");
    const addresses = ips.map(({ address }) => cidrAddress(parseCidr(address)));
    return { name, host, interface: hostEnd?.name ?? "", addresses };
  } catch (error) {
    // What an ADD that failed has taken, a DEL gives back (CNI specification, section 2), if there is someone to ask.
    await callPlugin(tools, layout, "DEL", container, signal).catch(() => undefined);
    await deleteNamespaces(tools.processes, [layout.namespace(name)]);
    throw error;
  }
}

/** Attaches a container that may be half there: what an earlier attachment of that name holds is given back first. */
export async function attachAnew(
  tools: LabTools,
  layout: Layout,
  container: Container,
  options: { readonly signal: AbortSignal },
): Promise<AttachedContainer> {
  await detach(tools, layout, container, options);
  return await attach(tools, layout, container, options);
}

/** Detaches the container and removes its namespace with every process in it. What is gone already is no error. */
export async function detach(
  tools: LabTools,
  layout: Layout,
  container: Container,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await callPlugin(tools, layout, "DEL", container, signal);
  const netnsId = netnsIdAt(layout.namespacePath(container.name));
  if (netnsId === undefined) return;
  await killOccupants(new Set([netnsId]), { clock: tools.clock, signal });
  await deleteNamespaces(tools.processes, [layout.namespace(container.name)]);
}

async function callPlugin(
  { processes }: LabTools,
  layout: Layout,
  command: "ADD" | "DEL",
  { name, host }: Container,
  signal: AbortSignal,
): Promise<unknown> {
  const { code, stdout, stderr } = await processes.run(PLUGIN, [], {
    input: await readFile(layout.host(host).cniConfig, "utf8"),
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: name,
      CNI_NETNS: layout.namespacePath(name),
      CNI_IFNAME: INTERFACE,
      CNI_PATH: dirname(PLUGIN),
    },
    signal,
  });
  const answer = parseJson(stdout);
  if (code === 0) return answer;
  const action = command === "ADD" ? "attach" : "detach";
  const why = explain(answer, stderr, layout);
  throw new LabError("failed", `Cannot ${action} container "${name}" on host "${host}": ${why}`);
}

function explain(answer: unknown, stderr: string, layout: Layout): string {
  const parsed = failure.safeParse(answer);
  if (!parsed.success) return stderr.trim() || "the CNI plugin gave no reason";
  const { code, msg, details } = parsed.data;
  const words = `${msg}${details === undefined || details === "" ? "" : ` (${details})`} (CNI error ${code})`;
  if (code !== TRY_AGAIN_LATER) return words;
  return `${words}; "${labCommand(layout.name, "up")}" starts an agent that is down`;
}

/** DEL prints nothing; text that is no JSON is none that the specification allows. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
