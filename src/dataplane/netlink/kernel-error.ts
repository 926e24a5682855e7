// SPDX-License-Identifier: Apache-2.0
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { AttributeDecoder } from "./attribute.ts";
import { getI32, getU32 } from "./integer.ts";
import {
  type NetlinkMessage,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_HDRLEN,
  checkHeader,
  nlmsgAlign,
} from "./message.ts";

// enum nlmsgerr_attrs (linux/netlink.h)
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
/** Since Linux 6.1. */
const NLMSGERR_ATTR_MISS_TYPE = 6;

/** What the kernel said beyond a number. */
export interface KernelErrorDetail extends ErrorOptions {
  /** The kernel's own words (extended acknowledgement). */
  readonly extAck?: string | undefined;
  /** Where in the request the attribute stands that the kernel objects to, in bytes from the message's start. */
  readonly attributeOffset?: number | undefined;
}

/** The kernel refused a netlink request or a system call. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  /** What was tried, as the message has it after "Cannot". */
  readonly op: string;
  /** A positive errno. */
  readonly errno: number;
  /** The errno's name, `EEXIST`; `ERRNO_<number>` where it has none. */
  readonly code: string;
  readonly extAck: string | undefined;
  readonly attributeOffset: number | undefined;

  constructor(op: string, errno: number, { extAck, attributeOffset, ...options }: KernelErrorDetail = {}) {
    const code = errnoName(errno);
    super(`Cannot ${op}: ${extAck ?? errnoText(errno)} (${code})`, options);
    this.op = op;
    this.errno = errno;
    this.code = code;
    this.extAck = extAck;
    this.attributeOffset = attributeOffset;
  }

  /** What a call of `node:fs` threw, as a `KernelError`; anything else is returned as it is. */
  static from(op: string, error: unknown): unknown {
    if (!(error instanceof Error) || !("errno" in error) || typeof error.errno !== "number") return error;
    return new KernelError(op, Math.abs(error.errno), { cause: error });
  }
}

export function isKernelError(error: unknown, code: string): error is KernelError {
  return error instanceof KernelError && error.code === code;
}

/**
 * The error that an `NLMSG_ERROR` or `NLMSG_DONE` message reports, or `undefined` where it reports success.
 * `op` is what was asked.
 */
export function decodeError(op: string, message: NetlinkMessage): KernelError | undefined {
  const { body } = message;
  // struct nlmsgerr { int error; struct nlmsghdr msg; … }, of which NLMSG_DONE has the first field alone.
  const isDone = message.type === NLMSG_DONE;
  checkHeader(body, isDone ? 4 : 4 + NLMSG_HDRLEN, "nlmsgerr");
  const error = getI32(body, 0);
  if (error === 0) return undefined;
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return new KernelError(op, -error);
  const offset = isDone ? 4 : extAckOffset(message);
  return new KernelError(op, -error, decodeExtAck(new AttributeDecoder(body, offset)));
}

/** The attributes come after the request's header, and after its body too unless that was left out. */
function extAckOffset({ body, flags }: NetlinkMessage): number {
  return 4 + ((flags & NLM_F_CAPPED) === 0 ? nlmsgAlign(getU32(body, 4)) : NLMSG_HDRLEN);
}

function decodeExtAck(attributes: AttributeDecoder): KernelErrorDetail {
  let text: string | undefined;
  let missing: number | undefined;
  let attributeOffset: number | undefined;
  while (attributes.next()) {
    switch (attributes.type) {
      case NLMSGERR_ATTR_MSG:
        text = attributes.string().replace(/\.$/, "");
        break;
      case NLMSGERR_ATTR_OFFS:
        attributeOffset = attributes.u32();
        break;
      case NLMSGERR_ATTR_MISS_TYPE:
        missing = attributes.u32();
        break;
    }
  }
  const extAck = text ?? (missing === undefined ? undefined : `attribute ${missing} is missing`);
  return { extAck, attributeOffset };
}

/** Where one number has two names, the last counts: EAGAIN and EOPNOTSUPP are the kernel's. */
const ERRNO_NAMES = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, errno]): [number, string] => [errno, name]),
  [constants.errno.EAGAIN, "EAGAIN"],
  [constants.errno.EOPNOTSUPP, "EOPNOTSUPP"],
  // #define ENOTSUPP 524 (linux/errno.h): meant to stay inside the kernel, and seen outside all the same.
  [524, "ENOTSUPP"],
]);

function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `ERRNO_${errno}`;
}

function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? "the kernel refused";
}
