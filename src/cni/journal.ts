// SPDX-License-Identifier: Apache-2.0
import { mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { textField } from "../model/schema.ts";
import { parseIfName } from "../net/if-name.ts";
import { replaceFile } from "../system/replace-file.ts";
import { type Attachment, describeAttachment } from "./attachment.ts";
import { hasCode } from "../system/error-code.ts";

/** Attachments that are gone from this node, and that the datastore could not be told of yet. It outlives the agent. */
export interface Journal {
  /** What is in it now, by the names of the node ends. */
  readonly entries: ReadonlyMap<string, Attachment>;
  add(attachment: Attachment): Promise<void>;
  /** One that is not in it is no fault. */
  remove(attachment: Attachment): Promise<void>;
}

const Entry = z.strictObject({
  network: z.string(),
  containerId: z.string(),
  ifName: textField(parseIfName),
});

const SUFFIX = ".json";

/** Opens the journal in a directory, a file for each attachment. `onChange` is called after what is in it has changed. */
export async function openJournal(
  directory: string,
  { onChange, onUnreadable }: JournalOptions,
): Promise<Journal> {
  const entries = new Map<string, Attachment>();
  for (const file of await namesIn(directory)) {
    const attachment = await readEntry(join(directory, file));
    // What a crash has left of a file, or another hand: nothing is lost but what the leak collector finds anyway.
    if (attachment === undefined) onUnreadable(join(directory, file));
    else entries.set(attachment.nodeEnd, attachment);
  }
  const pathOf = ({ nodeEnd }: Attachment): string => join(directory, nodeEnd + SUFFIX);
  return {
    entries,
    async add(attachment) {
      const { network, containerId, ifName, nodeEnd } = attachment;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await replaceFile(pathOf(attachment), `${JSON.stringify({ network, containerId, ifName })}\n`);
      entries.set(nodeEnd, attachment);
      onChange(attachment);
    },
    async remove(attachment) {
      if (!entries.has(attachment.nodeEnd)) return;
      await rm(pathOf(attachment), { force: true });
      entries.delete(attachment.nodeEnd);
    },
  };
}

export interface JournalOptions {
  /** Called after an attachment has come into the journal. */
  readonly onChange: (added: Attachment) => void;
  /** Called with the path of each file that cannot be read. */
  readonly onUnreadable: (path: string) => void;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(SUFFIX));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

async function readEntry(path: string): Promise<Attachment | undefined> {
  try {
    return describeAttachment(Entry.parse(JSON.parse(await readFile(path, "utf8"))));
  } catch {
    return undefined;
  }
}
