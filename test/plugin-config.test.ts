// SPDX-License-Identifier: Apache-2.0
// The executable reads of a configuration what the plugin of the sources reads, of whatever text: by its own code, watched by sanitizers.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfig } from "../src/cni/call.ts";
import { socketOf } from "../src/cni/plugin.ts";
import { answerVersion } from "../src/cni/version.ts";
import { createRandom } from "../src/system/random.ts";

const SOURCES = ["native/parse-config.c", "../src/cni/native/config.c"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const HEADERS = fileURLToPath(new URL("../src/cni/native", import.meta.url));
const SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const SEED = 20_261_129;
const TEXTS = 20_000;

/** Texts to be changed, with all that JSON has. */
const SEEDS = [
  String.raw`{"cniVersion":"1.0.0","agentSocket":"/run/a.sock","a":[1,-0.5e+3,2E-1,{"b":[]},{}],"c":null}`,
  String.raw`{"cni\u0056ersion":"0.4\u002e0","agentSocket":"\/run\\\"\u0041\b\f\n\r\t","\ud83d\ude00":true}`,
  ' {"agentSocket" : "/first", "x" : { "agentSocket" : 1 } ,\n"agentSocket":\t"/last","cniVersion":false}\r\n',
  '{"a":"é€😀\u{10ffff}","cniVersion":"1.1.0","b":[[[[[["",0,10]]]]]],"agentSocket":"/é"}',
  '{"cniVersion":1,"agentSocket":["/a"],"agentSocket ":"/b","":{"":{}}}',
];
/** Put in at random places. */
const PIECES = [
  ...[
    "{",
    "}",
    "[",
    "]",
    '"',
    ",",
    ":",
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\\u0000",
    "0",
    "-",
    ".",
    "e",
    "+",
  ],
  ...["true", "nul", '"agentSocket":', '"cniVersion":', '"/x"', '"0.1.0"', " ", "\n", "\x00", "\x1f", "\x7f"],
  ...[
    "\xff",
    "\xc0\x80",
    "\xc2",
    "\xed\xa0\x80",
    "\xe0\x80\x80",
    "\xf4\x90\x80\x80",
    "\xf0\x8f\xbf\xbf",
    "\xef\xbb\xbf",
  ],
  "a".repeat(107),
].map((piece) => Buffer.from(piece, "latin1"));

function mutate(random: () => number): Buffer {
  const below = (limit: number): number => Math.floor(random() * limit);
  let text = Buffer.from(SEEDS[below(SEEDS.length)] ?? "");
  for (let changes = below(4); changes > 0; changes--) {
    const at = below(text.length + 1);
    const [before, rest] = [text.subarray(0, at), text.subarray(at)];
    const piece = PIECES[below(PIECES.length)] ?? Buffer.alloc(0);
    // Puts in, replaces, takes out, or cuts off.
    const kept = rest.subarray([0, piece.length, 1 + below(3), rest.length][below(4)] ?? 0);
    text = Buffer.concat([before, ...(random() < 0.7 ? [piece] : []), kept]);
  }
  return text;
}

/** What parse-config.c prints, as the sources have it. */
function expected(text: Buffer): string {
  try {
    const config = parseConfig(text);
    return `${answerVersion(config["cniVersion"])} ${socketOrNone(config)}`;
  } catch {
    return "no object";
  }
}

function socketOrNone(config: ReturnType<typeof parseConfig>): string {
  try {
    return socketOf(config);
  } catch {
    return "";
  }
}

describe("the executable's view of a configuration", () => {
  let folder: string;
  let program: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "margay-config-"));
    program = join(folder, "parse-config");
    execFileSync("cc", ["-std=c17", ...SANITIZERS, "-I", HEADERS, "-o", program, ...SOURCES]);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it(`is that of the sources, in ${TEXTS} mutated ones`, () => {
    const random = createRandom(SEED);
    const texts = [
      ...["", "{", "{}", "[]", "{}{}", '{"a":01}', '{"a":1.}', '{"a":1e}', '{"a":-}', '{"a":"\t"}'].map(
        (text) => Buffer.from(text),
      ),
      ...Array.from({ length: TEXTS }, () => mutate(random)),
    ];
    const input = texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return [length, text];
    });
    const { status, stdout, stderr } = spawnSync(program, {
      input: Buffer.concat(input),
      encoding: "latin1",
      maxBuffer: 2 ** 26,
    });
    assert.deepEqual([status, stderr], [0, ""]);
    const outcomes = stdout.split("\n").slice(0, -1);
    assert.equal(outcomes.length, texts.length);
    for (const [index, text] of texts.entries())
      assert.equal(outcomes[index], expected(text), JSON.stringify(text.toString("latin1")));
    // Of every kind, there were many.
    const kinds = Map.groupBy(outcomes, (outcome): string =>
      outcome === "no object" ? outcome : outcome.endsWith(" ") ? "no path" : "both",
    );
    for (const kind of ["no object", "no path", "both"])
      assert.ok((kinds.get(kind)?.length ?? 0) > TEXTS / 100, `${kind}: ${kinds.get(kind)?.length ?? 0}`);
  });
});
