// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import type { Lab } from "../../lab/lab.ts";
import { createLabSources } from "../../lab/dashboard/lab-view.ts";
import { systemClock } from "../../system/clock.ts";
import { hasCode } from "../../system/error-code.ts";
import { type Log, createLog } from "../../system/log.ts";
import { readVersion } from "../../system/version.ts";
import type { ApiHandler } from "../../web/api.ts";
import { LOOPBACK_HOST } from "../../web/gate.ts";
import { type Listener, listenForApi } from "../../web/listener.ts";
import { Tally } from "../../web/tally.ts";
import { createTokenCheck } from "../../web/token.ts";
import { createDashboard } from "../../web/view/handler.ts";
import { createPages } from "../../web/view/pages.ts";
import { createLabTracer } from "../trace/tracers.ts";
import { createRelay } from "./relay.ts";

/** Taken where nobody asks for a port, if it is free. */
const USUAL_PORT = 9180;
const TOKEN_BYTES = 32;

/** A dashboard that is being served, until it is disposed. */
export interface ServedDashboard extends AsyncDisposable {
  /** Where a browser finds it; the token is in the fragment, which browsers send nobody. */
  readonly url: string;
}

export interface ServeOptions {
  /** @default 9180, or any that is free */
  readonly port?: number | undefined;
}

/** Serves the dashboard of a whole lab, whether it is up already or not. */
export async function serveLab(lab: Lab, options: ServeOptions): Promise<ServedDashboard> {
  await using stack = new AsyncDisposableStack();
  const { answers, log } = createMeans();
  const labSources = createLabSources({ name: lab.name, version: readVersion(), clock: systemClock, log });
  const sources = { ...labSources, trace: createLabTracer(lab) };
  const dashboard = stack.use(createDashboard({ sources, answers, clock: systemClock, log }));
  const { url } = stack.use(await serve(dashboard.handle, { answers, log }, options));
  return { url, [Symbol.asyncDispose]: closing(stack.move()) };
}

/** Serves the dashboard of the node whose agent listens on the socket. */
export async function serveNode(socketPath: string, options: ServeOptions): Promise<ServedDashboard> {
  const means = createMeans();
  return await serve(createRelay(socketPath, means), means, options);
}

interface Means {
  readonly answers: Tally;
  readonly log: Log;
}

function createMeans(): Means {
  return { answers: new Tally("code"), log: createLog({ level: "warn" }) };
}

async function serve(handler: ApiHandler, means: Means, { port }: ServeOptions): Promise<ServedDashboard> {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const pages = createPages(means);
  const collaborators = { ...means, handler, pages, isToken: createTokenCheck(token) };
  const listen = (on: number): Promise<Listener> => listenForApi(collaborators, { port: on });
  const listener =
    port === undefined
      ? await listen(USUAL_PORT).catch((error: unknown) => {
          if (hasCode(error, "EADDRINUSE")) return listen(0);
          throw error;
        })
      : await listen(port);
  const url = `http://${LOOPBACK_HOST}:${listener.port}/#token=${token}`;
  return { url, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() };
}

function closing(stack: AsyncDisposableStack): () => Promise<void> {
  return () => stack.disposeAsync();
}
