// SPDX-License-Identifier: Apache-2.0
// The guard of tunnels. Ownership: the nftables table `ip margay` is ours by its name, and all that is in it. nftables tells of its changes.
import { GUARD_TABLE_KEY, type WantedGuard } from "../desired/wanted.ts";
import { describeError } from "../system/log.ts";
import { type Request, applyTable, failureOf } from "./apply-table.ts";
import { GUARD_FRAME, elementKey, elementOf, isGuardFrame } from "./guard-table.ts";
import type { LinkTable } from "./link.ts";
import type { Link } from "./netlink/link.ts";
import type { Kernel } from "./kernel.ts";
import type { NftEvent } from "./nft/event.ts";
import type { Nft } from "./nft/nft.ts";
import type { NftElement, NftStatement } from "./nft/statement.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** The table itself, or an element of one of its sets. */
type SeenGuard = { readonly kind: "table" } | NftElement;

interface GuardRequest extends Request {
  readonly statement: NftStatement;
}

/** The guard, wanted and seen side by side. */
export class Guard {
  readonly table = new ReconcileTable<WantedGuard, SeenGuard>((wanted) =>
    "ifName" in wanted ? wanted.ifName : undefined,
  );
  /** Whether what stands in the kernel is to be listed before anything is done. */
  #isInDoubt = true;
  #isListing = false;
  /** Whether the table was made, and not seen since as it should be. */
  #isUnproven = false;
  /** Why it cannot be told what stands in the kernel. */
  #failure: Error | undefined;

  /** What is seen may be out of date. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  note(event: NftEvent): void {
    // The listing that is under way may be older than the event, and has the last word.
    if (this.#isListing || event.kind !== "elements") {
      this.#isInDoubt = true;
      return;
    }
    for (const element of event.elements)
      this.table.see(elementKey(element), event.change === "new" ? element : undefined);
  }

  /** What is wanted. Comes before any tunnel. @returns whether something was looked at that a tunnel may wait for */
  async make(kernel: Kernel): Promise<boolean> {
    if (this.#isInDoubt || this.table.nextRetryMs <= kernel.clock.now()) await this.#list(kernel);
    const isBusy = this.table.isBusy;
    await this.#apply(kernel, (key) => this.table.wanted(key) !== undefined);
    return isBusy;
  }

  /** What is not wanted. Comes when the tunnels that it was for are gone. */
  async unmake(kernel: Kernel): Promise<void> {
    await this.#apply(kernel, (key) => this.table.wanted(key) === undefined);
  }

  async #list({ nft, log }: Kernel): Promise<void> {
    this.#isInDoubt = false;
    this.#isListing = true;
    this.#failure = undefined;
    try {
      this.table.reset(await this.#seen(nft));
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(describeError(error));
      log.debug("Cannot tell what the guard of tunnels is", { error });
      this.table.reset(new Map());
    } finally {
      this.#isListing = false;
    }
  }

  async #seen(nft: Nft): Promise<ReadonlyMap<string, SeenGuard>> {
    const listing = await nft.list();
    const isWhole = listing !== undefined && isGuardFrame(listing.frame);
    const isInVain = this.#isUnproven && !isWhole;
    this.#isUnproven = false;
    // Or it would be made again and again, as fast as the machine can.
    if (isInVain) throw new Error("Cannot guard tunnels: the table was changed as soon as it was made");
    if (listing === undefined) return new Map();
    // Whatever else it is: where it is wanted it is made anew, and else only removed.
    if (!isWhole) return new Map(this.#isWanted() ? [] : [[GUARD_TABLE_KEY, { kind: "table" }]]);
    const all: readonly SeenGuard[] = [{ kind: "table" }, ...listing.elements];
    return new Map(all.map((item) => [item.kind === "table" ? GUARD_TABLE_KEY : elementKey(item), item]));
  }

  #isWanted(): boolean {
    return this.table.wanted(GUARD_TABLE_KEY) !== undefined;
  }

  async #apply(kernel: Kernel, only: (key: string) => boolean): Promise<void> {
    const plan = (key: string): Plan<SeenGuard, GuardRequest> => this.#plan(key);
    const execute = (requests: readonly GuardRequest[]): Promise<readonly (Error | undefined)[]> =>
      this.#execute(requests, kernel.nft);
    await applyTable({ kind: "guard", table: this.table, plan, only, execute }, kernel);
  }

  #plan(key: string): Plan<SeenGuard, GuardRequest> {
    const wanted = this.table.wanted(key);
    const seen = this.table.seen(key);
    if (wanted === undefined)
      return seen === undefined ? DONE : { kind: "remove", requests: [removal(seen)] };
    if (seen !== undefined) return DONE;
    // One fault says it; the rest waits.
    if (this.#failure !== undefined && wanted.kind !== "table")
      return { kind: "blocked", reason: "the guard is not there" };
    return { kind: "change", requests: [addition(wanted)], after: seenOf(wanted) };
  }

  async #execute(requests: readonly GuardRequest[], nft: Nft): Promise<readonly (Error | undefined)[]> {
    const outcome = this.#failure ?? (await run(requests, nft));
    const isReplaced = requests.some(({ statement }) => statement.kind === "replaceTable");
    if (isReplaced && outcome === undefined) this.#isUnproven = true;
    return requests.map(() => outcome);
  }
}

/**
 * A tunnel does not open before its guard stands. One that is open stays so: the guard may have been taken away, and comes back.
 */
export function planBehindGuard<R>(
  plan: Plan<Link, R>,
  name: string,
  links: LinkTable,
  { table }: Guard,
): Plan<Link, R> {
  const opens = plan.kind === "create" || (plan.kind === "change" && plan.after.up);
  if (!opens || links.byName(name)?.up === true) return plan;
  const [reason] = table.pendingOn(name);
  return reason === undefined ? plan : { kind: "blocked", reason };
}

/** All in one transaction: what holds others comes before them, and goes after them. */
async function run(requests: readonly GuardRequest[], nft: Nft): Promise<Error | undefined> {
  const statements = requests.map(({ statement }) => statement);
  const isFirst = ({ kind }: NftStatement): boolean => kind === "replaceTable";
  const isLast = ({ kind }: NftStatement): boolean => kind === "deleteTable";
  const isBetween = (statement: NftStatement): boolean => !isFirst(statement) && !isLast(statement);
  return failureOf(() =>
    nft.run([...statements.filter(isFirst), ...statements.filter(isBetween), ...statements.filter(isLast)]),
  );
}

function addition(wanted: WantedGuard): GuardRequest {
  if (wanted.kind === "table")
    return {
      description: "make the guard of tunnels",
      statement: { kind: "replaceTable", frame: GUARD_FRAME },
    };
  const element = elementOf(wanted);
  return {
    description: `add ${element.value} to "${element.set}" of the guard`,
    statement: { kind: "addElement", element },
  };
}

function removal(seen: SeenGuard): GuardRequest {
  if (seen.kind === "table")
    return { description: "remove the guard of tunnels", statement: { kind: "deleteTable" } };
  return {
    description: `remove ${seen.value} from "${seen.set}" of the guard`,
    statement: { kind: "deleteElement", element: seen },
  };
}

function seenOf(wanted: WantedGuard): SeenGuard {
  return wanted.kind === "table" ? wanted : elementOf(wanted);
}
