// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from "node:util";
import { createResource } from "../../datastore/resources.ts";
import { type StoredResource, listResources, readResource } from "../../datastore/stored-resource.ts";
import { DatastoreError, type Store, type WaitOptions } from "../../datastore/store.ts";
import type { IPPool } from "../../model/ip-pool.ts";
import { formatIssues } from "../../model/issue.ts";
import { memberAt } from "../../model/json.ts";
import { blockPrefix, parseBlockKey } from "../../model/keys.ts";
import { partName, splitName, splitPool } from "../../model/pool-split.ts";
import { parseStoredResource } from "../../model/resource.ts";
import { type Cidr, cidrAddress, cidrContains, cidrFamily, cidrOf, prefixLengthOf } from "../../net/cidr.ts";
import { CommandError } from "../exit.ts";
import { describeFailure } from "../failure.ts";
import { deletePool } from "../resource/delete-pool.ts";

/** Which pool a person means: by exactly one of the two. */
export type SplitTarget = { readonly name: string } | { readonly cidr: Cidr };

export interface SplitPart {
  readonly name: string;
  readonly cidr: Cidr;
  readonly outcome: "created" | "present";
}

export interface SplitReport {
  readonly pool: string;
  readonly cidr: Cidr;
  readonly parts: readonly SplitPart[];
  /** `absent`: an earlier call had completed. */
  readonly outcome: "deleted" | "absent";
  /** Paths of fields that this version does not know, and that the parts do not have. */
  readonly lost: readonly string[];
}

interface SplitOptions extends WaitOptions {
  /** Find out what would come of it, and write nothing. */
  readonly dryRun: boolean;
}

/**
 * Puts `number` pools in the place of one, parts first: the closest pool says how packets to an address travel, and of pools that share addresses the older gives them out, so that
 * every address is in a pool of the same settings all along, and there is always one to take addresses from. Every step may find the work of an earlier attempt done. Throws
 * {@link CommandError} for what cannot be split, or was cut off half-way.
 */
export async function splitStoredPool(
  store: Store,
  target: SplitTarget,
  number: number,
  options: SplitOptions,
): Promise<SplitReport> {
  const stored = await listResources(store, "IPPool", options);
  const parent = findPool(stored, target);
  if (parent === undefined) return reportCompleted(stored, target, number);
  const { pool, lost } = readPool(parent);
  const parts = partsOf(pool, number);
  await requireWholeBlocks(store, pool, parts, options);
  const present = new Set(stored.flatMap((one) => presentPart(parts, one)));
  const report = reportOf(pool, parts, present, lost);
  if (options.dryRun) return report;
  try {
    for (const part of parts) if (!present.has(part.metadata.name)) await create(store, part, options);
    await requireUnchanged(store, parent, options);
    await remove(store, pool, options);
  } catch (error) {
    throw interrupted(pool, error, options);
  }
  return report;
}

function findPool(stored: readonly StoredResource[], target: SplitTarget): StoredResource | undefined {
  if ("name" in target) return stored.find(({ id }) => id.name === target.name);
  const found = stored.filter((one) => poolIn(one)?.spec.cidr === target.cidr);
  if (found.length < 2) return found[0];
  const names = found.map(({ id }) => `"${id.name}"`).join(", ");
  throw new CommandError("conflict", `Cannot split "${target.cidr}": ${names} have it; say --name`);
}

/** `undefined` for one that cannot be read. */
function poolIn({ parsed }: StoredResource): IPPool | undefined {
  return parsed.kind === "ok" && parsed.value.kind === "IPPool" ? parsed.value : undefined;
}

function readPool({ id, json }: StoredResource): { readonly pool: IPPool; readonly lost: readonly string[] } {
  const parsed = parseStoredResource("IPPool", json);
  if (parsed.kind === "invalid")
    throw new CommandError("invalid", `Cannot split IPPool "${id.name}": ${formatIssues(parsed.issues)}`);
  const lost = parsed.ignored.map(({ path }) => path).filter((path) => path.startsWith("spec."));
  return { pool: parsed.value, lost };
}

function partsOf(pool: IPPool, number: number): readonly IPPool[] {
  const parts = splitPool(pool, number);
  if (parts.kind === "ok") return parts.value;
  throw new CommandError(
    "invalid",
    `Cannot split IPPool "${pool.metadata.name}": ${formatIssues(parts.issues)}`,
  );
}

/** Blocks may be of another size than the pool's, from a pool that was there before it. */
async function requireWholeBlocks(
  store: Store,
  { metadata, spec }: IPPool,
  parts: readonly IPPool[],
  options: WaitOptions,
): Promise<void> {
  const { entries } = await store.list(blockPrefix(cidrFamily(spec.cidr)), options);
  const blocks = entries.flatMap(({ key }) => parseBlockKey(key) ?? []);
  const length = Math.max(...parts.map((part) => prefixLengthOf(part.spec.cidr)));
  const large = blocks.find((block) => cidrContains(spec.cidr, block) && prefixLengthOf(block) < length);
  if (large === undefined) return;
  const message = `block "${large}", from before its blockSize was ${spec.blockSize}, is larger than the parts, of /${length}`;
  throw new CommandError("conflict", `Cannot split IPPool "${metadata.name}": ${message}`);
}

/** The name of the part that is there already; throws where another pool has it. */
function presentPart(parts: readonly IPPool[], stored: StoredResource): readonly string[] {
  const { id } = stored;
  const part = parts.find(({ metadata }) => metadata.name === id.name);
  if (part === undefined) return [];
  const there = poolIn(stored);
  const differing = there === undefined ? ["spec"] : differingFields(part, there);
  if (differing.length === 0) return [id.name];
  const message = `it is there already, with another ${differing.join(", ")}`;
  const remedy = "delete it, or complete the split that it is from, with as many parts as that has";
  throw new CommandError("conflict", `Cannot create IPPool "${id.name}": ${message}; ${remedy}`);
}

/** The pool that is split is disabled at the end, after its parts were made of it. */
function differingFields(part: IPPool, there: IPPool): readonly string[] {
  const [wanted, have] = [part, there].map(({ spec }) => new Map<string, unknown>(Object.entries(spec)));
  const names = new Set([...(wanted?.keys() ?? []), ...(have?.keys() ?? [])]);
  names.delete("disabled");
  return [...names]
    .filter((name) => !isDeepStrictEqual(wanted?.get(name), have?.get(name)))
    .map((name) => `spec.${name}`);
}

function reportOf(
  { metadata, spec }: IPPool,
  parts: readonly IPPool[],
  present: ReadonlySet<string>,
  lost: readonly string[],
): SplitReport {
  return {
    pool: metadata.name,
    cidr: spec.cidr,
    parts: parts.map((part) => ({
      name: part.metadata.name,
      cidr: part.spec.cidr,
      outcome: present.has(part.metadata.name) ? "present" : "created",
    })),
    outcome: "deleted",
    lost,
  };
}

/** What is split already has parts of these names, one beside the other. */
function reportCompleted(
  stored: readonly StoredResource[],
  target: SplitTarget,
  number: number,
): SplitReport {
  const pools = new Map(stored.map((one) => [one.id.name, poolIn(one)]));
  const names = "name" in target ? [target.name] : [...pools.keys()].flatMap((name) => splitName(name) ?? []);
  for (const name of names) {
    const parts = Array.from({ length: number }, (_, index) => pools.get(partName(name, index)));
    const whole = wholeOf(name, parts[0], number);
    if (whole === undefined || ("cidr" in target && whole.spec.cidr !== target.cidr)) continue;
    const wanted = splitPool(whole, number);
    const isThere = (part: IPPool, index: number): boolean => parts[index]?.spec.cidr === part.spec.cidr;
    if (wanted.kind !== "ok" || !wanted.value.every(isThere)) continue;
    const present = new Set(wanted.value.map(({ metadata }) => metadata.name));
    return { ...reportOf(whole, wanted.value, present, []), outcome: "absent" };
  }
  const what = "name" in target ? `named "${target.name}"` : `of "${target.cidr}"`;
  throw new CommandError("absent", `There is no IPPool ${what}`);
}

/** The pool that the first of its parts is from. */
function wholeOf(name: string, first: IPPool | undefined, number: number): IPPool | undefined {
  const length = first === undefined ? -1 : prefixLengthOf(first.spec.cidr) - Math.log2(number);
  if (first === undefined || length < 0) return undefined;
  const cidr = cidrOf(cidrAddress(first.spec.cidr), length);
  return { ...first, metadata: { name }, spec: { ...first.spec, cidr } };
}

async function create(store: Store, part: IPPool, options: WaitOptions): Promise<void> {
  const outcome = await createResource(store, part, options);
  if (outcome.kind !== "created")
    throw new CommandError("conflict", `somebody else has created IPPool "${part.metadata.name}"`);
}

/** Settings that were changed meanwhile are not those of the parts. */
async function requireUnchanged(store: Store, parent: StoredResource, options: WaitOptions): Promise<void> {
  const now = await readResource(store, parent.id, options);
  const isSame = isDeepStrictEqual(memberAt(now?.json, "spec"), memberAt(parent.json, "spec"));
  if (!isSame) throw new CommandError("conflict", `somebody else has changed IPPool "${parent.id.name}"`);
}

/** Its blocks are those of the parts by now, so none is taken from its node. */
async function remove(store: Store, { metadata }: IPPool, options: WaitOptions): Promise<void> {
  const id = { kind: "IPPool", name: metadata.name } as const;
  const seen = { uid: metadata.uid };
  const outcome = await deletePool(store, id, { ...waitOf(options), seen, isForced: false });
  if (outcome.kind === "deleted" || outcome.kind === "absent") return;
  const why = "message" in outcome ? outcome.message : outcome.kind;
  throw new CommandError("conflict", `it cannot be deleted: ${why}`);
}

function waitOf({ signal }: WaitOptions): WaitOptions {
  return signal === undefined ? {} : { signal };
}

function interrupted({ metadata }: IPPool, cause: unknown, { signal }: WaitOptions): unknown {
  if (signal?.aborted === true) return cause;
  const isUnreachable = cause instanceof DatastoreError && cause.code === "unavailable";
  const exit = cause instanceof CommandError ? cause.exit : isUnreachable ? "unreachable" : "failed";
  const lines = [
    `Cannot complete the split of IPPool "${metadata.name}": ${describeFailure(cause)}`,
    "Containers are not affected; the same command again completes it, or says what is in the way",
  ];
  return new CommandError(exit, lines, { cause });
}
