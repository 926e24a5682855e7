// SPDX-License-Identifier: Apache-2.0
import {
  type NftElement,
  type NftFrame,
  type NftMatch,
  type NftStatement,
  type NftTable,
  type NftTransaction,
  type NftVerdict,
  nftTableName,
} from "./statement.ts";

/** The exact text that `nft -f -` reads. Throws `SyntaxError` for what could mean something else in its language. */
export function renderTransaction({ table, statements }: NftTransaction): string {
  return statements
    .flatMap((statement) => renderStatement(table, statement))
    .map((line) => `${line}\n`)
    .join("");
}

/** The table, as arguments of a command and in text. Throws `SyntaxError` likewise. */
export function renderTable(table: NftTable): string {
  checkName(table.name);
  return nftTableName(table);
}

function renderStatement(table: NftTable, statement: NftStatement): readonly string[] {
  const name = renderTable(table);
  switch (statement.kind) {
    case "replaceTable":
      // To add what is there already is no error, to delete what is not is one.
      return [
        `add table ${name}`,
        `delete table ${name}`,
        `add table ${name}`,
        ...statement.frame.map((object) => renderObject(name, object)),
      ];
    case "deleteTable":
      return [`delete table ${name}`];
    case "addElement": {
      const { comment } = statement.element;
      const suffix = comment === undefined ? "" : ` ${renderComment(comment)}`;
      return [renderElement("add", name, statement.element, suffix)];
    }
    case "deleteElement":
      return [renderElement("delete", name, statement.element)];
  }
}

function renderObject(table: string, object: NftFrame[number]): string {
  switch (object.kind) {
    case "set": {
      const { type, counter, interval } = object;
      const options = `${interval ? " flags interval;" : ""}${counter ? " counter;" : ""}`;
      return `add set ${table} ${checkName(object.name)} { type ${type};${options} }`;
    }
    case "chain": {
      const { type, hook } = object;
      const priority = checkNumber(object.priority);
      return `add chain ${table} ${checkName(object.name)} { type ${type} hook ${hook} priority ${priority}; policy accept; }`;
    }
    case "rule": {
      const words = [
        ...object.matches.map(renderMatch),
        ...(object.counter ? ["counter"] : []),
        renderVerdict(object.verdict),
      ];
      return `add rule ${table} ${checkName(object.chain)} ${words.join(" ")}`;
    }
  }
}

function renderMatch(match: NftMatch): string {
  if ("value" in match) return `${match.field} ${renderOperand(match.value)}`;
  return `${match.field} ${match.isIn ? "" : "!= "}@${checkName(match.set)}`;
}

/** A name that may end in `*` is quoted, or it would be a word of the language. */
function renderOperand(value: string): string {
  return /^[a-z]+\*?$/.test(value) ? `"${value}"` : renderAddress(value);
}

function renderVerdict(verdict: NftVerdict): string {
  if (verdict.kind !== "translate") return verdict.kind;
  const { address, ports } = verdict;
  const range = ports === undefined ? "" : `:${ports.map(checkNumber).join("-")}`;
  // As Calico's: ports drawn at random leave fewer races for one and the same between two packets at once.
  if (address === undefined) return `masquerade${range && ` to ${range}`} fully-random`;
  return `snat ip to ${renderAddress(address)}${range} fully-random`;
}

function renderElement(
  verb: "add" | "delete",
  table: string,
  { set, value }: NftElement,
  suffix = "",
): string {
  return `${verb} element ${table} ${checkName(set)} { ${renderValue(value)}${suffix} }`;
}

function renderValue(value: string): string {
  const [first = "", second] = value.split(" . ", 2);
  return second === undefined
    ? renderAddress(value)
    : `"${check("interface", first, /^[\w.-]{1,15}$/)}" . ${renderAddress(second)}`;
}

function renderComment(comment: string): string {
  return `comment "${check("comment", comment, /^[\w .-]{1,100}$/)}"`;
}

function checkName(name: string): string {
  return check("name", name, /^[a-z][a-z0-9-]{0,30}$/);
}

/** A number, an address or a prefix. Words, which nft would look up, are none. */
function renderAddress(value: string): string {
  return check(
    "element",
    value,
    /^[0-9]{1,5}$|^[0-9]{1,3}(\.[0-9]{1,3}){3}(\/[0-9]{1,2})?$|^[0-9a-f]*:[0-9a-f:.]{1,40}(\/[0-9]{1,3})?$/,
  );
}

function checkNumber(number: number): number {
  check("number", String(number), /^-?[0-9]{1,9}$/);
  return number;
}

function check(what: string, text: string, pattern: RegExp): string {
  if (pattern.test(text)) return text;
  throw new SyntaxError(`Cannot render nftables ${what} "${text}": want ${String(pattern)}`);
}
