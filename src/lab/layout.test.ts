// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LabError } from "./error.ts";
import { createLayout, labCommand } from "./layout.ts";

describe("createLayout", () => {
  it("gives every node of a lab a namespace of its own, and its agent a socket that fits a path", () => {
    const layout = createLayout("l".repeat(16));
    assert.equal(layout.namespace("host1"), "margay-llllllllllllllll-host1");
    assert.ok(layout.namespacePath("host1").endsWith(layout.namespace("host1")));
    const longest = layout.host("h".repeat(32)).agentSocket;
    assert.ok(Buffer.byteLength(longest) <= 107, longest);
  });

  it("gives no lab a namespace prefix that starts another's", () => {
    assert.ok(!createLayout("lab1").namespacePrefix.startsWith(createLayout("lab").namespacePrefix));
  });

  for (const name of ["", "Lab", "1lab", "a-b", "a/b", "..", "l".repeat(17), "lab\n"]) {
    it(`refuses the lab name ${JSON.stringify(name)}`, () => {
      assert.throws(() => createLayout(name), LabError);
    });
  }
});

describe("labCommand", () => {
  it("names a lab only where it has to", () => {
    assert.equal(labCommand("lab", "up"), "margay lab up");
    assert.equal(labCommand("other", "up"), "margay lab up --name other");
  });
});
