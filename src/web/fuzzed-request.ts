// SPDX-License-Identifier: Apache-2.0
// Requests that a random number generator has had its hands in, for tests.

const METHODS = ["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "PRI", "get", "G\0T", ""];
const TARGETS = [
  "/healthz",
  "/readyz",
  "/metrics",
  "/api/v1/status",
  "/api/v1/../../etc/passwd",
  "/api/v1/%2e%2e%2fstatus",
  "/api/v1/status?wait=ready",
  "http://example.com/metrics",
  "//example.com/metrics",
  "*",
  "\\\\metrics",
  "/\u00e9\ud83d\ude00",
  `/${"a".repeat(9000)}`,
  "",
];
const VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.1 x", "ICY", ""];
const ENDS = ["\r\n", "\n", "\r", "\r\n ", "\0\r\n"];
const BODIES = ["", "{}", "0\r\n\r\n", "ffffffffffffffff\r\n", "5\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000)];

/** Headers that decide something, and values that do not fit. */
function headersOf(good: readonly string[]): readonly string[] {
  return [
    ...good,
    "Host: example.com",
    "Host:",
    "Origin: null",
    "Origin: http://example.com",
    "Authorization: Bearer x",
    "Authorization: Basic eDp4",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Content-Length: 5, 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: \0",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Expect: 100-continue",
    "Expect: frob",
    "Range: bytes=0-",
    "__proto__: x",
    "constructor: x",
    `X-Long: ${"a".repeat(9000)}`,
    ": nameless",
    "no colon",
    "X-Tab:\t\t",
  ];
}

/** @param good the headers of a request that is answered */
export function fuzzRequest(random: () => number, good: readonly string[]): Buffer {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const mostly = <T>(usual: T, list: readonly T[]): T => (random() < 0.9 ? usual : pick(list));
  const line = [mostly("GET", METHODS), pick(TARGETS), mostly("HTTP/1.1", VERSIONS)].join(
    mostly(" ", ["  ", "\t"]),
  );
  const more = Array.from({ length: Math.floor(random() * 3) }, () => pick(headersOf(good)));
  const headers = random() < 0.8 ? [...good, ...more] : more;
  const end = mostly("\r\n", ENDS);
  const text = [line, ...headers, "", mostly("", BODIES)].join(end);
  const bytes = Buffer.from(text.repeat(random() < 0.1 ? 3 : 1), random() < 0.5 ? "utf8" : "latin1");
  for (let flips = random() < 0.15 ? Math.floor(random() * 8) : 0; flips > 0; flips--)
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  return random() < 0.1 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
}
