// SPDX-License-Identifier: Apache-2.0
// Asks the server that the page came from. The token comes behind the address's "#", which a browser sends to nobody.

const KEY = "margay-token";

/** Takes the token out of the address bar, into what this tab alone remembers. */
export function takeToken(): void {
  const found = /^#token=([A-Za-z0-9\-._~+/=]+)/.exec(location.hash)?.[1];
  if (found === undefined) return;
  sessionStorage.setItem(KEY, found);
  history.replaceState(null, "", location.pathname + location.search);
}

/** What the server says of a request that it does not answer. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The answer; rejects with a {@link RefusedError}, or a `TypeError` where nobody answers. */
export async function ask(path: string, signal?: AbortSignal): Promise<Response> {
  const token = sessionStorage.getItem(KEY);
  const response = await fetch(path, {
    cache: "no-store",
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    ...(signal && { signal }),
  });
  if (!response.ok) throw new RefusedError(response.status, await errorOf(response));
  return response;
}

export async function askJson<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  const response = await ask(path, signal);
  // The server's types are those of the schemas that it is held to.
  return (await response.json()) as Answer;
}

async function errorOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not from the API.
  }
  return `${response.status} ${response.statusText}`;
}
