// SPDX-License-Identifier: Apache-2.0
// Calls of the plugin that a random number generator has had its hands in.

export interface MutatedCall {
  readonly environment: Record<string, string>;
  readonly stdin: string;
}

/** Values that programs trip over. */
const ODDITIES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  "",
  " ",
  "../..",
  "a".repeat(5000),
  "\u0000",
  "\ud800",
  "{}",
  "__proto__",
  "constructor",
  "10.1.0.1",
  "10.1.0.1/33",
  "0.0.0.0/0",
  "fe80::1",
  "00:00:00:00:00:00",
  "ff:ff:ff:ff:ff:ff",
  "1.1.0",
  "0.0.1",
  [],
  {},
  [[[[[[[[]]]]]]]],
  { __proto__: null, toString: 1 },
  [null],
  ["10.1.0.1", "10.1.0.1"],
];
const COMMANDS = ["ADD", "ADD", "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "FROB"];
const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.2.0", ""];

/** Changes a good call in up to four places. `configOf` gives what a command has on standard input. */
export function mutate(
  random: () => number,
  {
    environment,
    configOf,
  }: {
    readonly environment: Readonly<Record<string, string>>;
    readonly configOf: (command: string) => object;
  },
): MutatedCall {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const oddity = (): unknown => structuredClone(pick(ODDITIES));
  const command = pick(COMMANDS);
  const mutated: Record<string, string> = { ...environment, CNI_COMMAND: command };
  const tree = structuredClone(configOf(command)) as Record<string, unknown>;
  const kinds: readonly (() => void)[] = [
    () => {
      mutated[pick(Object.keys(environment))] = textOf(pick(ODDITIES));
    },
    () => {
      mutated["CNI_ARGS"] =
        pick(["IP", "MAC", "K8S_POD_NAMESPACE", ""]) + pick(["=", "", ";"]) + textOf(pick(ODDITIES));
    },
    () => {
      tree["cniVersion"] = pick(VERSIONS);
    },
    () => {
      const { holder, key } = somewhere(tree, random);
      holder[key] = oddity();
    },
    () => {
      const { holder, key } = somewhere(tree, random);
      Reflect.deleteProperty(holder, key);
    },
    () => {
      const { holder } = somewhere(tree, random);
      holder[textOf(oddity())] = oddity();
    },
  ];
  for (let changes = Math.floor(random() * 5); changes > 0; changes--) pick(kinds)();
  const stdin = JSON.stringify(tree);
  // One in ten is no JSON any more, most likely.
  return { environment: mutated, stdin: random() < 0.1 ? tear(stdin, random) : stdin };
}

/** A key somewhere in the tree, and what holds it. */
function somewhere(
  tree: Record<string, unknown>,
  random: () => number,
): { readonly holder: Record<string, unknown>; readonly key: string } {
  let holder = tree;
  for (;;) {
    const keys = Object.keys(holder);
    const key = keys[Math.floor(random() * keys.length)] ?? "frob";
    const below = holder[key];
    if (typeof below !== "object" || below === null || random() < 0.3) return { holder, key };
    holder = below as Record<string, unknown>;
  }
}

/** Cuts a piece out, or puts one in. */
function tear(text: string, random: () => number): string {
  const [from, to] = [random(), random()].map((part) => Math.floor(part * text.length)).sort((a, b) => a - b);
  return random() < 0.5
    ? text.slice(0, from) + text.slice(to)
    : text.slice(0, from) + text.slice(from, to).repeat(2) + text.slice(from);
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  // No environment holds one.
  return text.replaceAll("\u0000", "\\0");
}
