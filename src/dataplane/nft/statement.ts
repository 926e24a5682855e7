// SPDX-License-Identifier: Apache-2.0
// Margay's part of nftables, as values. `nft(8)` is driven, and not netlink, for its language is the documented interface
// (wiki.nftables.org, "Scripting"). Needs nft 0.9.5 and Linux 5.7, for counters of elements.

/** Every statement is about this table of the family `ip`, and about nothing else: other tables are never named. */
export const NFT_TABLE = "margay";

/** What a set holds. */
export type NftType = "ipv4_addr" | "inet_proto" | "inet_service";

export interface NftSet {
  readonly kind: "set";
  readonly name: string;
  readonly type: NftType;
  /** Whether each element counts the packets that were found by it. */
  readonly counter: boolean;
}

/** A chain of packets that end on this machine. What it does not drop, it accepts, and other chains still see. */
export interface NftInputChain {
  readonly kind: "chain";
  readonly name: string;
  readonly priority: number;
}

/** Whether a field of the packet is in a set. */
export interface NftMatch {
  readonly field: "ip saddr" | "ip protocol" | "udp dport";
  readonly isIn: boolean;
  readonly set: string;
}

/** Drops the packets that match all. */
export interface NftDropRule {
  readonly kind: "rule";
  readonly chain: string;
  readonly matches: readonly NftMatch[];
}

export interface NftElement {
  readonly kind: "element";
  readonly set: string;
  /** An IPv4 address, or a number. */
  readonly value: string;
  /** For people who list the table. */
  readonly comment?: string;
}

/** The table as a whole, without elements. */
export type NftFrame = readonly (NftSet | NftInputChain | NftDropRule)[];

export type NftStatement =
  /** Makes the table anew, without elements, whatever there was. */
  | { readonly kind: "replaceTable"; readonly frame: NftFrame }
  /** The table must be there. */
  | { readonly kind: "deleteTable" }
  /** One that is there already stays. */
  | { readonly kind: "addElement"; readonly element: NftElement }
  /** The element must be there. */
  | { readonly kind: "deleteElement"; readonly element: NftElement };

/** Statements that take effect together, or not at all. */
export type NftTransaction = readonly NftStatement[];

/** The exact text that `nft -f -` reads. Throws `SyntaxError` for what could mean something else in its language. */
export function renderTransaction(transaction: NftTransaction): string {
  return transaction
    .flatMap(renderStatement)
    .map((line) => `${line}\n`)
    .join("");
}

function renderStatement(statement: NftStatement): readonly string[] {
  switch (statement.kind) {
    case "replaceTable":
      // To add what is there already is no error, to delete what is not is one.
      return [
        `add table ip ${NFT_TABLE}`,
        `delete table ip ${NFT_TABLE}`,
        `add table ip ${NFT_TABLE}`,
        ...statement.frame.map(renderObject),
      ];
    case "deleteTable":
      return [`delete table ip ${NFT_TABLE}`];
    case "addElement": {
      const { comment } = statement.element;
      return [
        renderElement("add", statement.element, comment === undefined ? "" : ` ${renderComment(comment)}`),
      ];
    }
    case "deleteElement":
      return [renderElement("delete", statement.element)];
  }
}

function renderObject(object: NftFrame[number]): string {
  switch (object.kind) {
    case "set": {
      const { type, counter } = object;
      return `add set ip ${NFT_TABLE} ${checkName(object.name)} { type ${type};${counter ? " counter;" : ""} }`;
    }
    case "chain": {
      const priority = checkNumber(object.priority);
      return `add chain ip ${NFT_TABLE} ${checkName(object.name)} { type filter hook input priority ${priority}; policy accept; }`;
    }
    case "rule":
      return `add rule ip ${NFT_TABLE} ${checkName(object.chain)} ${object.matches.map(renderMatch).join(" ")} drop`;
  }
}

function renderMatch({ field, isIn, set }: NftMatch): string {
  return `${field} ${isIn ? "" : "!= "}@${checkName(set)}`;
}

function renderElement(verb: "add" | "delete", { set, value }: NftElement, suffix = ""): string {
  return `${verb} element ip ${NFT_TABLE} ${checkName(set)} { ${checkValue(value)}${suffix} }`;
}

function renderComment(comment: string): string {
  return `comment "${check("comment", comment, /^[\w .-]{1,100}$/)}"`;
}

function checkName(name: string): string {
  return check("name", name, /^[a-z][a-z0-9-]{0,30}$/);
}

function checkValue(value: string): string {
  return check("element", value, /^[0-9]{1,5}$|^[0-9]{1,3}(\.[0-9]{1,3}){3}$/);
}

function checkNumber(number: number): number {
  check("number", String(number), /^-?[0-9]{1,9}$/);
  return number;
}

function check(what: string, text: string, pattern: RegExp): string {
  if (pattern.test(text)) return text;
  throw new SyntaxError(`Cannot render nftables ${what} "${text}": want ${String(pattern)}`);
}
