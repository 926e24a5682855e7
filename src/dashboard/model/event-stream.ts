// SPDX-License-Identifier: Apache-2.0
// Server-sent events, of a stream of text that is cut anywhere (WHATWG HTML, section "Parsing an event stream"); of the fields, those that are used.

export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** Takes the next piece of the stream, and gives the events that are whole with it. */
export type EventStreamParser = (text: string) => readonly ServerEvent[];

export function createEventStreamParser(): EventStreamParser {
  let rest = "";
  let name = "";
  let data: string[] = [];
  const take = (line: string): ServerEvent | undefined => {
    if (line === "") {
      const event = data.length === 0 ? undefined : { name: name || "message", data: data.join("\n") };
      name = "";
      data = [];
      return event;
    }
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") name = value;
    if (field === "data") data.push(value);
    return undefined;
  };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?=.)/s);
    rest = lines.pop() ?? "";
    return lines.flatMap((line) => take(line) ?? []);
  };
}
