// SPDX-License-Identifier: Apache-2.0
// A reporter for node:test that prints one line, "<passed> <failed>", once the whole run has ended.
import type { TestEvent } from "node:test/reporters";

export default async function* reportTotals(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // There is one summary for each file, which names it, and one for the whole run.
    if (event.type !== "test:summary" || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    // What is left was failed or cancelled.
    yield `${passed} ${tests - passed - skipped - todo}\n`;
  }
}
