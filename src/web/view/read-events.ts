// SPDX-License-Identifier: Apache-2.0

/** One of a stream of server-sent events. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** A whole view of a thousand containers has less than a hundredth of it. */
const MAX_LENGTH = 64 * 1024 * 1024;

/** Reads a stream as the feed writes it: each event is a line of its name and one of its data; comments are left out. Throws `SyntaxError` where one does not end. */
export async function* readEvents(chunks: AsyncIterable<unknown>): AsyncGenerator<ServerEvent> {
  let rest = "";
  for await (const chunk of chunks) {
    rest += String(chunk);
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, name, data] = /^event: (\w+)\ndata: ([^\n]*)$/.exec(block) ?? [];
      if (name !== undefined && data !== undefined) yield { name, data };
    }
    if (rest.length > MAX_LENGTH)
      throw new SyntaxError(`Cannot read events: one is longer than ${MAX_LENGTH} characters`);
  }
}
