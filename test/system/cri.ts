// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from "node:url";
import { Client, type MethodDefinition, credentials } from "@grpc/grpc-js";
import { type ServiceDefinition, loadSync } from "@grpc/proto-loader";

// The messages of cri.proto.

export interface PodSandboxConfig {
  readonly metadata: { readonly name: string; readonly uid: string; readonly namespace: string };
  readonly hostname?: string;
  readonly log_directory?: string;
  readonly dns_config?: {
    readonly servers?: readonly string[];
    readonly searches?: readonly string[];
    readonly options?: readonly string[];
  };
  readonly port_mappings?: readonly { readonly container_port: number; readonly host_port: number }[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: object;
}

export interface PodSandboxId {
  readonly pod_sandbox_id: string;
}

export type PodSandboxState = "SANDBOX_READY" | "SANDBOX_NOTREADY";

export interface PodSandboxStatus {
  readonly id: string;
  readonly state: PodSandboxState;
  readonly network: { readonly ip: string; readonly additional_ips: readonly { readonly ip: string }[] };
}

export interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

const DESCRIPTION = loadSync(fileURLToPath(new URL("cri.proto", import.meta.url)), {
  keepCase: true,
  enums: String,
  defaults: true,
});

const METHODS = {
  runPodSandbox: method<{ readonly config: PodSandboxConfig }, PodSandboxId>("RunPodSandbox"),
  stopPodSandbox: method<PodSandboxId, object>("StopPodSandbox"),
  removePodSandbox: method<PodSandboxId, object>("RemovePodSandbox"),
  podSandboxStatus: method<PodSandboxId, { readonly status: PodSandboxStatus }>("PodSandboxStatus"),
  listPodSandbox: method<
    object,
    { readonly items: readonly { readonly id: string; readonly state: PodSandboxState }[] }
  >("ListPodSandbox"),
  status: method<object, { readonly status: { readonly conditions: readonly RuntimeCondition[] } }>("Status"),
};

function method<Request, Response>(name: string): MethodDefinition<Request, Response> {
  // What the loader makes is typed by no more than the name of the file.
  const definition = DESCRIPTION["runtime.v1.RuntimeService"] as ServiceDefinition;
  return definition[name] as unknown as MethodDefinition<Request, Response>;
}

/** What kubelet is to a container runtime. */
export type CriClient = Disposable & {
  readonly [Name in keyof typeof METHODS]: (typeof METHODS)[Name] extends MethodDefinition<
    infer Request,
    infer Response
  >
    ? (request: Request) => Promise<Response>
    : never;
};

export function connectCri(socketPath: string): CriClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  const call =
    <Request, Response>(definition: MethodDefinition<Request, Response>) =>
    (request: Request): Promise<Response> =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = definition;
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, response) => {
          if (response === undefined) reject(error ?? new Error(`no answer to ${path}`));
          else resolve(response);
        });
      });
  return {
    runPodSandbox: call(METHODS.runPodSandbox),
    stopPodSandbox: call(METHODS.stopPodSandbox),
    removePodSandbox: call(METHODS.removePodSandbox),
    podSandboxStatus: call(METHODS.podSandboxStatus),
    listPodSandbox: call(METHODS.listPodSandbox),
    status: call(METHODS.status),
    [Symbol.dispose]: () => {
      client.close();
    },
  };
}
