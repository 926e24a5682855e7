// SPDX-License-Identifier: Apache-2.0
// The plugin from the sources. native/ has the executable, which behaves alike, to the word; test/plugin-contract.ts holds both to it.
// It starts once per container and command, so this file and what it imports stay small: no schema library, no HTTP client.
import { connect } from "node:net";
import { buffer as readAll } from "node:stream/consumers";
import { CALL_TYPE, type RawConfig, encodeCall, parseConfig, parseObject } from "./call.ts";
import { AGENT_SOCKET } from "../system/run-directory.ts";
import { CniError } from "./error.ts";
import { LATEST_VERSION, SUPPORTED_VERSIONS, answerVersion } from "./version.ts";

/** An agent that has taken a call and does not answer is as good as none. */
const ANSWER_TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export interface PluginOutput {
  /** What goes to standard output; empty where the specification wants nothing. */
  readonly stdout: string;
  readonly exitCode: 0 | 1;
}

/** Runs the plugin once: hands the call to the node's agent and passes on what it answers. Never throws. */
export async function runPlugin(environment: NodeJS.ProcessEnv, stdin: Uint8Array): Promise<PluginOutput> {
  let version: string = LATEST_VERSION;
  try {
    const config = parseConfig(stdin);
    version = answerVersion(config["cniVersion"]);
    if (environment["CNI_COMMAND"] === "VERSION")
      return print({ cniVersion: version, supportedVersions: SUPPORTED_VERSIONS }, 0);
    return await callAgent(environment, socketOf(config), stdin);
  } catch (error) {
    const failure = error instanceof CniError ? error : new CniError("internal", String(error));
    return print(failure.render(version), 1);
  }
}

/** Throws {@link CniError} where it is no path. */
export function socketOf({ agentSocket = AGENT_SOCKET }: RawConfig): string {
  if (typeof agentSocket === "string" && /^\/[ -~]{0,106}$/.test(agentSocket)) return agentSocket;
  throw new CniError(
    "invalidConfig",
    'Cannot use "agentSocket": want an absolute path of up to 107 printable ASCII characters',
  );
}

async function callAgent(
  environment: NodeJS.ProcessEnv,
  socket: string,
  stdin: Uint8Array,
): Promise<PluginOutput> {
  const command = environment["CNI_COMMAND"];
  const answer = await post(socket, encodeCall(environment, stdin)).catch((cause: unknown) => {
    throw unreachable(socket, command === "STATUS", cause);
  });
  const { status, body } = answer;
  const isSilent = status === "200" && body.length === 0 && command !== "ADD";
  if (!isSilent && !isPrintable(answer))
    throw new CniError("io", "Cannot decode the agent's answer: want status 200 or 422, and a JSON object");
  return { stdout: body.toString(), exitCode: status === "200" ? 0 : 1 };
}

/** One that was cut short is none. */
function isPrintable({ status, body }: Answer): boolean {
  if (status !== "200" && status !== "422") return false;
  return body.length < MAX_ANSWER_BYTES && parseObject(body) !== undefined;
}

interface Answer {
  readonly status: string | undefined;
  readonly body: Buffer;
}

/** One HTTP/1.0 exchange: the answer ends with the connection, so nothing of HTTP has to be understood but the first line. */
async function post(socketPath: string, call: Uint8Array): Promise<Answer> {
  const socket = connect({ path: socketPath });
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
    socket.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
  });
  try {
    socket.write(
      `POST /cni HTTP/1.0\r\ncontent-type: ${CALL_TYPE}\r\ncontent-length: ${call.length}\r\n\r\n`,
    );
    socket.write(call);
    const answer = await readAll(socket);
    const end = answer.indexOf("\r\n\r\n");
    if (end < 0) throw new Error("the connection was closed before an answer came");
    const [, status] = /^HTTP\/1\.1 ([0-9]{3}) /.exec(answer.toString("latin1", 0, end)) ?? [];
    return { status, body: answer.subarray(end + 4) };
  } finally {
    socket.destroy();
  }
}

function unreachable(socketPath: string, isStatus: boolean, cause: unknown): CniError {
  const remedy = 'start it ("margay agent --config FILE") and try again';
  const rest = "containers that run already are not affected";
  return new CniError(
    isStatus ? "notAvailable" : "tryAgainLater",
    `Cannot reach the Margay agent at "${socketPath}": ${remedy}; ${rest}`,
    { cause, details: reasonOf(cause) },
  );
}

/** Of the system, the name of the error (`errno(3)`). */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause ? String(cause.code) : cause.message;
}

function print(value: object, exitCode: 0 | 1): PluginOutput {
  return { stdout: `${JSON.stringify(value)}\n`, exitCode };
}
