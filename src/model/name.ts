// SPDX-License-Identifier: Apache-2.0

/** The name of a node, as its Node resource carries it. */
export type NodeName = string & { readonly [nodeNameBrand]: true };
declare const nodeNameBrand: unique symbol;

/** RFC 1123 section 2.1: letters, digits and inner hyphens; Kubernetes allows lower case only. */
const LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const MAX_SUBDOMAIN = 253;
/** What a network name and a container ID may be (CNI specification 1.1.0, section 2), hence their composites. */
const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** Whether the text is a lower-case RFC 1123 subdomain, what most resources are named by. */
export function isSubdomain(text: string): boolean {
  return text.length <= MAX_SUBDOMAIN && SUBDOMAIN.test(text);
}

/** Whether the text is made of the characters that CNI allows in identifiers; none of them divides a key. */
export function isIdentifier(text: string): boolean {
  return text.length <= MAX_SUBDOMAIN && IDENTIFIER.test(text);
}

/** Parses a node's name; throws `SyntaxError` unless it is a lower-case RFC 1123 subdomain. */
export function parseNodeName(text: string): NodeName {
  if (!isSubdomain(text))
    throw new SyntaxError(`Cannot use node name "${text}": want a lower-case RFC 1123 subdomain`);
  return text as NodeName;
}
