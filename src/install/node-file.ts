// SPDX-License-Identifier: Apache-2.0

/** A file of the node. */
export type NodeFile =
  | { readonly kind: "text"; readonly path: string; readonly text: string }
  /** The operator's from the moment it is there. */
  | { readonly kind: "first"; readonly path: string; readonly text: string }
  /** A program, copied from a file of this package. */
  | { readonly kind: "program"; readonly path: string; readonly source: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };
