// SPDX-License-Identifier: Apache-2.0
// The dashboard's own files. They are read once, and whoever asks names one of them or nothing.
import { createHash } from "node:crypto";
import { type Dirent, readFileSync, readdirSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasCode } from "../../system/error-code.ts";
import type { ApiHandler } from "../api.ts";
import { type Reply, refusal, sendReply } from "../reply.ts";
import type { Tally } from "../tally.ts";

/** Where `npm run build:dashboard` puts them. */
export const PAGES_DIRECTORY = fileURLToPath(new URL("../../../dist/dashboard", import.meta.url));

const INDEX = "index.html";
/** What needs no encoding in a path; none is hidden. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const MAX_BYTES = 16 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
};

/** The page asks for nothing from elsewhere, is framed by nobody, and has no scripts but its own files. */
const HEADERS = {
  "content-security-policy":
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  // Asked for again each time, and answered with 304 where it is the same.
  "cache-control": "no-cache",
} as const;

interface Page {
  readonly reply: Reply;
  readonly etag: string;
}

export interface PagesOptions {
  /** @default {@link PAGES_DIRECTORY} */
  readonly directory?: string;
  readonly answers: Tally;
}

/** Serves the dashboard's files: `/`, and each of the others by its name. They are no secret. */
export function createPages({ directory = PAGES_DIRECTORY, answers }: PagesOptions): ApiHandler {
  let pages: ReadonlyMap<string, Page> | undefined;
  return (request, response) => {
    pages ??= readPages(directory);
    const page = pages === undefined ? undefined : pages.get(request.url ?? "");
    if (page === undefined && (pages !== undefined || request.url !== "/")) return false;
    const reply = replyTo(request, page);
    answers.note(String(reply.status));
    sendReply(response, reply);
    return true;
  };
}

function replyTo({ method = "", headers }: IncomingMessage, page: Page | undefined): Reply {
  if (method !== "GET" && method !== "HEAD")
    return { ...refusal(405, "want GET or HEAD"), headers: { allow: "GET, HEAD" } };
  if (page === undefined) return { ...NOT_BUILT, headers: HEADERS };
  const { reply, etag } = page;
  // Of a 304 `node:http` leaves the body out.
  return headers["if-none-match"] === etag ? { ...reply, status: 304 } : reply;
}

const NOT_BUILT: Reply = {
  status: 503,
  type: "text/plain; charset=utf-8",
  body: 'The dashboard\'s page is not built here: "npm run build:dashboard" builds it.\n',
};

/** By their paths; `undefined` where there are none yet. Throws where there is more than a page has. */
function readPages(directory: string): ReadonlyMap<string, Page> | undefined {
  const files = listFiles(directory);
  if (!files.includes(INDEX)) return undefined;
  const pages = new Map(files.map((file) => [`/${file}`, readPage(join(directory, file))]));
  const bytes = pages.values().reduce((sum, { reply }) => sum + Buffer.byteLength(reply.body), 0);
  if (bytes > MAX_BYTES) throw new Error(`Cannot serve "${directory}": it has more than ${MAX_BYTES} octets`);
  const index = pages.get(`/${INDEX}`);
  return index === undefined ? undefined : pages.set("/", index);
}

/** Below the directory; links are not followed (`recursive` of `readdir` does). */
function listFiles(directory: string, below = ""): readonly string[] {
  return listDirectory(join(directory, below)).flatMap((entry) => {
    const path = `${below}${entry.name}`;
    if (!NAME.test(entry.name)) return [];
    return entry.isDirectory() ? listFiles(directory, `${path}/`) : entry.isFile() ? [path] : [];
  });
}

function listDirectory(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

function readPage(path: string): Page {
  const body = readFileSync(path);
  const etag = `"${createHash("sha256").update(body).digest("base64url")}"`;
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  return { etag, reply: { status: 200, type, body, headers: { ...HEADERS, etag } } };
}
