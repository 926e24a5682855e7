// SPDX-License-Identifier: Apache-2.0
// A table of nftables. Ownership: it is ours by its name, and so is all that is in it. nftables tells of its changes.
import type { Kind } from "../desired/wanted.ts";
import { describeError } from "../system/log.ts";
import { type Request, applyTable, failureOf } from "./apply-table.ts";
import type { ItemDifference } from "./compare-items.ts";
import type { Kernel } from "./kernel.ts";
import { setTypes } from "./nft/element-message.ts";
import type { NftEvent } from "./nft/event.ts";
import type { NftListing } from "./nft/listing.ts";
import { MOST_ELEMENTS, type Nft } from "./nft/nft.ts";
import { type NftFrame, type NftStatement, type NftTable, nftTableName } from "./nft/statement.ts";
import { DONE, type Plan } from "./plan.ts";
import {
  type RulesetItems,
  type Written,
  compareRuleset,
  describeAddition,
  describeRemoval,
  frameOf,
  isSame,
} from "./ruleset-items.ts";
import { ReconcileTable } from "./table.ts";

/** How what is wanted of one kind is written in nftables. */
export interface RulesetForm<W> extends RulesetItems<W> {
  readonly kind: Kind;
  readonly table: NftTable;
}

interface RulesetRequest extends Request {
  readonly statement: NftStatement;
}

/** One table, wanted and seen side by side. */
export class Ruleset<W extends object> {
  readonly #form: RulesetForm<W>;
  readonly table = new ReconcileTable<W, Written>((wanted) =>
    "ifName" in wanted && typeof wanted.ifName === "string" ? wanted.ifName : undefined,
  );
  /** Whether what stands in the kernel is to be listed before anything is done. */
  #isInDoubt = true;
  #isListing = false;
  /** Whether the table was made, and not seen since as it should be. */
  #isUnproven = false;
  /** Why it cannot be told what stands in the kernel. */
  #failure: Error | undefined;

  constructor(form: RulesetForm<W>) {
    this.#form = form;
  }

  /** What is seen may be out of date. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  note(event: NftEvent): void {
    if (event.kind === "overrun") this.#isInDoubt = true;
    else if (nftTableName(event.table) === nftTableName(this.#form.table)) this.#noteOwn(event);
  }

  #noteOwn(event: Exclude<NftEvent, { readonly kind: "overrun" }>): void {
    // The listing that is under way may be older than the event, and has the last word.
    if (this.#isListing || event.kind === "table" || !event.elements.every(({ set }) => this.#isPlain(set))) {
      this.#isInDoubt = true;
      return;
    }
    for (const element of event.elements)
      this.table.see(this.#form.keyOf(element), event.change === "new" ? element : undefined);
  }

  /** All at once. */
  async apply(kernel: Kernel): Promise<void> {
    await this.#look(kernel);
    await this.#apply(kernel, () => true);
  }

  /** What is wanted. Comes before what relies on it. @returns whether something was looked at that others may wait for */
  async make(kernel: Kernel): Promise<boolean> {
    await this.#look(kernel);
    const isBusy = this.table.isBusy;
    await this.#apply(kernel, (key) => this.table.wanted(key) !== undefined);
    return isBusy;
  }

  /** What is not wanted. Comes when what it was for is gone. */
  async unmake(kernel: Kernel): Promise<void> {
    await this.#apply(kernel, (key) => this.table.wanted(key) === undefined);
  }

  async #look(kernel: Kernel): Promise<void> {
    if (this.#isInDoubt || this.table.nextRetryMs <= kernel.clock.now()) await this.#list(kernel);
    // It is made anew with everything that is in it, in one transaction.
    if (this.#isOutdated()) this.table.reset(new Map());
  }

  async #list({ nft, log }: Kernel): Promise<void> {
    this.#isInDoubt = false;
    this.#isListing = true;
    this.#failure = undefined;
    try {
      this.table.reset(await this.#seen(nft));
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(describeError(error));
      log.debug(`Cannot tell what the ${this.#form.title} is`, { error });
      this.table.reset(new Map());
    } finally {
      this.#isListing = false;
    }
  }

  /** How what stands in the kernel, listed afresh, differs from what is wanted; changes nothing here or there. Rejects with `NftError` or `KernelError`. */
  async differences(nft: Nft): Promise<readonly ItemDifference[]> {
    return compareRuleset(this.#form, new Map(this.table.wantedEntries()), await this.#listing(nft));
  }

  /** Most nodes neither want nor have most of the tables, and each is looked for now and then. */
  async #listing(nft: Nft): Promise<NftListing | undefined> {
    const { table } = this.#form;
    return this.#wantedFrame() !== undefined || (await nft.has(table)) ? await nft.list(table) : undefined;
  }

  async #seen(nft: Nft): Promise<ReadonlyMap<string, Written>> {
    const { tableKey, title } = this.#form;
    const wanted = this.#wantedFrame();
    const listing = await this.#listing(nft);
    const isWhole = listing?.frame !== undefined && (wanted === undefined || isSame(listing.frame, wanted));
    const isInVain = this.#isUnproven && !isWhole;
    this.#isUnproven = false;
    // Or it would be made again and again, as fast as the machine can.
    if (isInVain) throw new Error(`Cannot make ${title}: the table was changed as soon as it was made`);
    if (listing === undefined) return new Map();
    const self = { kind: "table", frame: listing.frame ?? [] } as const;
    // Whatever else it is: where it is wanted it is made anew, and else only removed.
    if (!isWhole) return new Map(wanted === undefined ? [[tableKey, self]] : []);
    return new Map<string, Written>([
      [tableKey, self],
      ...listing.elements.map((element) => [this.#form.keyOf(element), element] as const),
    ]);
  }

  #wantedFrame(): NftFrame | undefined {
    const wanted = this.table.wanted(this.#form.tableKey);
    return wanted && frameOf(this.#form.write(wanted));
  }

  #seenFrame(): NftFrame | undefined {
    const seen = this.table.seen(this.#form.tableKey);
    return seen && frameOf(seen);
  }

  #isOutdated(): boolean {
    const [wanted, seen] = [this.#wantedFrame(), this.#seenFrame()];
    return wanted !== undefined && seen !== undefined && !isSame(seen, wanted);
  }

  /** Whether events tell what the set holds. */
  #isPlain(set: string): boolean {
    return setTypes(this.#seenFrame() ?? this.#wantedFrame() ?? []).has(set);
  }

  async #apply(kernel: Kernel, only: (key: string) => boolean): Promise<void> {
    const plan = (key: string): Plan<Written, RulesetRequest> => this.#plan(key);
    const execute = (requests: readonly RulesetRequest[]): Promise<readonly (Error | undefined)[]> =>
      this.#execute(requests, kernel.nft);
    await applyTable({ kind: this.#form.kind, table: this.table, plan, only, execute }, kernel);
  }

  #plan(key: string): Plan<Written, RulesetRequest> {
    const wanted = this.table.wanted(key);
    const seen = this.table.seen(key);
    if (wanted === undefined)
      return seen === undefined ? DONE : { kind: "remove", requests: [this.#removal(seen)] };
    if (seen !== undefined) return DONE;
    const after = this.#form.write(wanted);
    // One fault says it; the rest waits.
    if (this.#failure !== undefined && after.kind === "element")
      return { kind: "blocked", reason: `the ${this.#form.title} is not there` };
    return { kind: "change", requests: [this.#addition(after)], after };
  }

  #addition(written: Written): RulesetRequest {
    const { title } = this.#form;
    const description = describeAddition(title, written);
    if (written.kind === "table")
      return { description, statement: { kind: "replaceTable", frame: written.frame } };
    return { description, statement: { kind: "addElement", element: written } };
  }

  #removal(seen: Written): RulesetRequest {
    const { title } = this.#form;
    const description = describeRemoval(title, seen);
    if (seen.kind === "table") return { description, statement: { kind: "deleteTable" } };
    return { description, statement: { kind: "deleteElement", element: seen } };
  }

  async #execute(requests: readonly RulesetRequest[], nft: Nft): Promise<readonly (Error | undefined)[]> {
    const statements = requests.map(({ statement }) => statement);
    const outcome = this.#failure ?? (await failureOf(() => this.#run(statements, nft)));
    if (outcome === undefined && statements.some(({ kind }) => kind === "replaceTable"))
      this.#isUnproven = true;
    return requests.map(() => outcome);
  }

  /** All in one transaction. */
  async #run(statements: readonly NftStatement[], nft: Nft): Promise<void> {
    const { table } = this.#form;
    const types = setTypes(this.#seenFrame() ?? []);
    const elements = statements.flatMap((statement) =>
      "element" in statement && types.has(statement.element.set) ? [statement] : [],
    );
    if (elements.length === statements.length && elements.length <= MOST_ELEMENTS)
      await nft.change(table, elements, types);
    else await nft.run({ table, statements: inOrder(statements) });
  }
}

/** What holds others comes before them; a prefix goes before another takes its place. What a table holds goes with it. */
function inOrder(statements: readonly NftStatement[]): readonly NftStatement[] {
  const of = (wanted: NftStatement["kind"]): readonly NftStatement[] =>
    statements.filter(({ kind }) => kind === wanted);
  const last = of("deleteTable");
  return last.length > 0 ? last : [...of("replaceTable"), ...of("deleteElement"), ...of("addElement")];
}
