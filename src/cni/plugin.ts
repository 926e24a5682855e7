// SPDX-License-Identifier: Apache-2.0
// The plugin starts once per container, so this file and what it imports stay small: no schema library, no HTTP client, no stream.
import { CniError } from "./error.ts";
import type { Exchange } from "./exchange.ts";
import { AGENT_SOCKET } from "../system/run-directory.ts";
import { LATEST_VERSION, SUPPORTED_VERSIONS, isSupportedVersion } from "./version.ts";

/** An agent that has taken a call and does not answer is as good as none. */
const ANSWER_TIMEOUT_MS = 30_000;
/** The variables of the specification (section 2). */
const VARIABLES = ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"];

export interface PluginOutput {
  /** What goes to standard output; empty where the specification wants nothing. */
  readonly stdout: string;
  readonly exitCode: 0 | 1;
}

/** Runs the plugin once: hands the call to the node's agent and passes on what it answers. Never throws. */
export async function runPlugin(
  environment: NodeJS.ProcessEnv,
  stdin: string,
  exchange: Exchange,
): Promise<PluginOutput> {
  let version: string = LATEST_VERSION;
  try {
    const config = parseConfig(stdin);
    // What has no version is of the first.
    const { cniVersion = SUPPORTED_VERSIONS[0] } = config;
    if (isSupportedVersion(cniVersion)) version = cniVersion;
    if (environment["CNI_COMMAND"] === "VERSION")
      return print({ cniVersion: version, supportedVersions: SUPPORTED_VERSIONS });
    return await callAgent(environment, config, version, exchange);
  } catch (error) {
    const failure = error instanceof CniError ? error : new CniError("internal", String(error));
    return fail(failure.render(version));
  }
}

async function callAgent(
  environment: NodeJS.ProcessEnv,
  config: Config,
  cniVersion: string,
  exchange: Exchange,
): Promise<PluginOutput> {
  const socket = config["agentSocket"] ?? AGENT_SOCKET;
  if (typeof socket !== "string")
    throw new CniError("invalidConfig", `Cannot use "agentSocket" ${JSON.stringify(socket)}: want a path`);
  const variables = variablesOf(environment);
  const call = JSON.stringify({ environment: variables, config });
  const { status, body } = await post(socket, call, exchange).catch((cause: unknown) => {
    throw unreachable(socket, environment["CNI_COMMAND"] === "STATUS", cause);
  });
  const answer = parseAnswer(body);
  if (status !== 200) return fail({ ...answer, cniVersion });
  return environment["CNI_COMMAND"] === "ADD" ? print(answer) : { stdout: "", exitCode: 0 };
}

type Config = Readonly<Record<string, unknown>>;

function parseConfig(stdin: string): Config {
  const value = parseJson(stdin, "decode", "network configuration on standard input");
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Config;
  throw new CniError("decode", "Cannot decode network configuration on standard input: want a JSON object");
}

function parseAnswer(body: string): object {
  const value = parseJson(body, "io", "the agent's answer");
  if (typeof value === "object" && value !== null) return value;
  throw new CniError("io", "Cannot decode the agent's answer: want a JSON object");
}

function parseJson(text: string, kind: "decode" | "io", what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CniError(
      kind,
      `Cannot decode ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function variablesOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(VARIABLES.map((name) => [name, environment[name] ?? ""]));
}

/** One HTTP/1.0 exchange: the answer ends with the connection, so nothing of HTTP has to be understood but the first line. */
async function post(
  socketPath: string,
  body: string,
  exchange: Exchange,
): Promise<{ readonly status: number; readonly body: string }> {
  const length = new TextEncoder().encode(body).length;
  const head = `POST /cni HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  const answer = await exchange(socketPath, head + body, { timeoutMs: ANSWER_TIMEOUT_MS });
  const end = answer.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] ([0-9]{3}) /.exec(answer)?.[1];
  if (end < 0 || status === undefined) throw new Error("the connection was closed before an answer came");
  return { status: Number(status), body: answer.slice(end + 4) };
}

function unreachable(socketPath: string, isStatus: boolean, cause: unknown): CniError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const remedy = 'start it ("margay agent --config FILE") and try again';
  const rest = "containers that run already are not affected";
  return new CniError(
    isStatus ? "notAvailable" : "tryAgainLater",
    `Cannot reach the Margay agent at "${socketPath}": ${remedy}; ${rest}`,
    { cause, details: why },
  );
}

function print(value: object): PluginOutput {
  return { stdout: `${JSON.stringify(value)}\n`, exitCode: 0 };
}

function fail(value: object): PluginOutput {
  return { stdout: `${JSON.stringify(value)}\n`, exitCode: 1 };
}
