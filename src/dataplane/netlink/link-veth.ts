// SPDX-License-Identifier: Apache-2.0
import { type NewLink, createLink, encodeNewLink } from "./link-message.ts";
import type { NetlinkRequest } from "./request.ts";

// Inside IFLA_INFO_DATA of a veth (linux/veth.h).
const VETH_INFO_PEER = 1;

export interface NewVeth extends NewLink {
  /** The kernel cannot switch the peer on while the pair is not whole yet (`ENOTCONN`); `setLink` can, afterwards. */
  readonly peer: NewLink & { readonly up?: never };
}

/** Makes both ends at once; `EEXIST` where either name is taken. */
export function createVeth({ peer, ...veth }: NewVeth): NetlinkRequest {
  const request = createLink("veth", veth, (data) => {
    data.nested(VETH_INFO_PEER, (into) => encodeNewLink(peer, into));
  });
  return { ...request, description: `${request.description} with peer "${peer.name}"` };
}
