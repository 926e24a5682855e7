// SPDX-License-Identifier: Apache-2.0
// What nodes write for each other into the datastore for one trace; as strict as what comes from outside.
import { z } from "zod";
import { cidrField, ipField, ipv4Field, ipv6Field, portField, textField } from "../../model/schema.ts";
import { parseMac } from "../../net/mac.ts";
import { MOST_FRAMES } from "../watch.ts";

const mac = textField(parseMac);
const u8 = z.int().min(0).max(0xff);
const u16 = z.int().min(0).max(0xffff);
const octets = z.int().min(0).max(0xffff_ffff);
const index = z.int().min(0).max(0x7fff_ffff);
/** Names of interfaces, settings, errors and stations: short, and of no odd characters. */
const word = z.string().regex(/^[\x21-\x7e]{1,253}$/, "want up to 253 printable characters");
/** Characters of a text. */
export const MOST_WORDS = 300;
const words = z
  .string()
  .max(MOST_WORDS)
  .regex(/^[\x20-\x7e]*$/, "want printable characters");
const list = <T extends z.ZodType>(item: T, most: number) => z.array(item).max(most);

const echo = z.strictObject({ identifier: u16, sequence: u16 });
const ip = { protocol: u8, ttl: u8, length: octets };
const ports = { srcPort: u16, dstPort: u16 };
const plainHeaders = [
  z.strictObject({ kind: z.literal("ethernet"), src: mac, dst: mac }),
  z.strictObject({ kind: z.literal("ipv4"), src: ipv4Field, dst: ipv4Field, ...ip }),
  z.strictObject({ kind: z.literal("ipv6"), src: ipv6Field, dst: ipv6Field, ...ip }),
  z.strictObject({
    kind: z.enum(["udp", "tcp"]),
    ...ports,
    flags: list(z.enum(["FIN", "SYN", "RST", "PSH", "ACK"]), 5).exactOptional(),
  }),
  z.strictObject({ kind: z.literal("vxlan"), vni: octets }),
  z.strictObject({
    kind: z.enum(["arp", "nd"]),
    operation: z.enum(["request", "reply"]),
    ip: ipField,
    mac: mac.exactOptional(),
  }),
] as const;
const icmp = { kind: z.enum(["icmp", "icmp6"]), type: u8, code: u8 };
const more = { echo: echo.exactOptional(), mtu: octets.exactOptional() };
/** What an error quotes; one in there quotes nothing more. */
const quoted = list(
  z.discriminatedUnion("kind", [
    ...plainHeaders,
    z.strictObject({ ...icmp, ...more, quoted: z.tuple([]).exactOptional() }),
  ]),
  8,
);
const header = z.discriminatedUnion("kind", [
  ...plainHeaders,
  z.strictObject({ ...icmp, ...more, quoted: quoted.exactOptional() }),
]);

const sighting = z.strictObject({
  station: word,
  ifIndex: index,
  direction: z.enum(["in", "out"]),
  atUs: z.number().min(0).max(1e9),
  headers: list(header, 12),
});

const hop = z.strictObject({ ifIndex: index, gateway: ipField.exactOptional() });
const route = z.object({
  table: octets,
  dst: cidrField,
  type: word,
  protocol: u8,
  metric: octets,
  ifIndex: index.exactOptional(),
  gateway: ipField.exactOptional(),
  onlink: z.boolean(),
  mtu: octets.exactOptional(),
  nextHops: list(hop, 64).exactOptional(),
});
const neighbour = z.strictObject({
  ifIndex: index,
  ip: ipField,
  mac: mac.exactOptional(),
  state: z.enum(["permanent", "known", "unknown"]),
});
const lookup = z.strictObject({
  dst: ipField,
  src: ipField.exactOptional(),
  inIfIndex: index.exactOptional(),
  result: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("route"), route }),
    z.strictObject({ kind: z.literal("refused"), code: word }),
  ]),
});
const link = z.strictObject({
  index,
  name: word,
  kind: word.exactOptional(),
  vxlanPort: u16.exactOptional(),
  vxlanFamily: z.literal([4, 6]).exactOptional(),
  mac: mac.exactOptional(),
  mtu: octets,
  up: z.boolean(),
  running: z.boolean(),
});
const station = z.strictObject({
  name: word,
  kind: z.enum(["container", "node", "machine"]),
  attachment: z.strictObject({ node: word, ifName: word }).exactOptional(),
  links: list(link, 128),
  addresses: list(z.object({ ifIndex: index, ip: ipField, prefixLength: u8 }), 128),
  neighbours: z.strictObject({ before: list(neighbour, 64), after: list(neighbour, 64) }),
  forwarding: list(z.strictObject({ ifIndex: index, mac, dst: ipField }), 64).exactOptional(),
  peers: list(
    z.strictObject({
      ifIndex: index,
      publicKey: word,
      allowedIps: list(cidrField, 64),
      endpoint: word.exactOptional(),
    }),
    64,
  ).exactOptional(),
  lookups: list(lookup, 64),
  settings: z.record(word, words),
  routes: list(route, 64).exactOptional(),
  filters: z.record(words, list(words, 64)).exactOptional(),
  processes: z.strictObject({ agent: z.boolean(), bird: z.boolean() }).exactOptional(),
});

const ends = { src: ipField, dst: ipField };
export const markerSchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...ends, kind: z.literal("icmp"), identifier: u16, sequence: u16 }),
  z.strictObject({ ...ends, kind: z.enum(["udp", "tcp"]), srcPort: portField, dstPort: portField }),
]);
const probe = z.discriminatedUnion("kind", [
  z.strictObject({ ...ends, kind: z.literal("icmp"), packetBytes: octets, identifier: u16, sequence: u16 }),
  z.strictObject({
    ...ends,
    kind: z.enum(["udp", "tcp"]),
    packetBytes: octets,
    srcPort: portField,
    dstPort: portField,
  }),
]);

export const requestSchema = z.strictObject({
  version: z.literal(1),
  /** Who asks: the name of a node. */
  asker: word,
  /** Milliseconds since the Unix epoch, by the asker's clock. */
  createdMs: z.int().min(0),
  marker: markerSchema,
  /** Once the probe has been sent: what is wanted now is the report. */
  outcome: z.strictObject({ probe, isAnswered: z.boolean() }).nullable(),
  /** Once the report has been read, where the probe (`there`) or its answer came to the node and did not leave it: what is wanted now is the rule that drops it. */
  dropped: z.enum(["there", "back"]).exactOptional(),
});

export const answerSchema = z.discriminatedUnion("phase", [
  z.strictObject({ phase: z.literal("listening") }),
  z.strictObject({ phase: z.literal("refused"), reason: words }),
  z.strictObject({
    phase: z.literal("report"),
    stations: list(station, 4),
    sightings: list(sighting, MOST_FRAMES),
    resolutions: list(sighting, MOST_FRAMES),
    destination: word.exactOptional(),
  }),
  z.strictObject({
    phase: z.literal("drop"),
    drop: z
      .strictObject({ table: words, chain: words, rule: words.nullable(), isAround: z.boolean() })
      .nullable(),
  }),
]);
