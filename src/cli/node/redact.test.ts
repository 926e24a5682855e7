// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { birdPasswords, redactBirdConfig, redactSecrets } from "./redact.ts";

const CONFIG = `protocol bgp a {
  password "s3cret; {}";
  PASSWORD  "with 'quotes'" ;
  password unquoted;
}
password "to the end of the line
x;
`;

test("BIRD's passwords are left out of its configuration, and nothing else is", () => {
  assert.equal(
    redactBirdConfig(CONFIG),
    `protocol bgp a {
  password "(left out)";
  PASSWORD  "(left out)" ;
  password "(left out)";
}
password "(left out)"
x;
`,
  );
});

test("passwords are found, to be left out wherever else they are", () => {
  const passwords = birdPasswords(CONFIG);
  assert.deepEqual(passwords, ["s3cret; {}", "with 'quotes'"]);
  assert.equal(redactSecrets("a s3cret; {} b", passwords), "a (left out) b");
  assert.equal(redactSecrets("abc", ["b", "abc", ""]), "(left out)");
  assert.equal(redactSecrets(JSON.stringify({ a: 'of "two"' }), ['of "two"']), '{"a":"(left out)"}');
});
