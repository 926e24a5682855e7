// SPDX-License-Identifier: Apache-2.0
import { type ChannelOptions, Client } from "@grpc/grpc-js";
import { type EtcdCredentials, channelCredentials, serverNameOverride } from "./credentials.ts";

const CHANNEL_OPTIONS: ChannelOptions = {
  // A member that is gone without a word is found out within 15 s; etcd objects to more than one ping in 5 s (`--grpc-keepalive-min-time`).
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.max_receive_message_length": -1,
  // Each connection has credentials of its own moment.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
};

/** A connection in use, until it is disposed. */
export interface Lease extends Disposable {
  readonly client: Client;
}

/** One endpoint of etcd. */
export class Member {
  readonly endpoint: URL;
  readonly #credentials: EtcdCredentials;
  #connection: Promise<Connection> | undefined;

  constructor(endpoint: string, credentials: EtcdCredentials) {
    this.endpoint = new URL(endpoint);
    this.#credentials = credentials;
  }

  /** Nothing is sent before the first call on the client. */
  async lease(): Promise<Lease> {
    this.#connection ??= this.#connect();
    return (await this.#connection).lease();
  }

  /** Has the next lease be one of a new connection: grpc-js would wait longer and longer before it tries again, and keeps its credentials. */
  retire(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.then(
      (one) => {
        one.retire();
      },
      () => undefined,
    );
  }

  async #connect(): Promise<Connection> {
    const credentials = await channelCredentials(this.endpoint, this.#credentials);
    const serverName = serverNameOverride(this.endpoint);
    const options = {
      ...CHANNEL_OPTIONS,
      ...(serverName && { "grpc.ssl_target_name_override": serverName }),
    };
    return new Connection(new Client(this.endpoint.host, credentials, options));
  }
}

/** Closed when it is retired and nobody uses it any more. */
class Connection {
  readonly #client: Client;
  #users = 0;
  #isRetired = false;

  constructor(client: Client) {
    this.#client = client;
  }

  lease(): Lease {
    this.#users++;
    return {
      client: this.#client,
      [Symbol.dispose]: () => {
        this.#users--;
        this.#closeIfUnused();
      },
    };
  }

  retire(): void {
    this.#isRetired = true;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (this.#isRetired && this.#users === 0) this.#client.close();
  }
}
