// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAsShown, parseDocumentedCommands } from "./documented-commands.ts";

const PAGE = `
    not marked

<!-- run -->

    one   # a comment
    two <<'END'
    $ text

    END
    three \\
      more

<!-- run -->

\`\`\`console
$ four
$ five <<END
> text
> END
printed
  …
$ six   # ends with code 4
\`\`\`

<!-- run
seven
-->

<!-- run -->

\`\`\`sh
eight
\`\`\`
`;

test("what a page marks is run, in order, with what is shown of each command", () => {
  const found = parseDocumentedCommands(PAGE).map(({ line, text, code, output }) => [
    line,
    text,
    code,
    output,
  ]);
  assert.deepEqual(found, [
    [6, "one   # a comment", 0, undefined],
    [7, "two <<'END'\n$ text\n\nEND", 0, undefined],
    [11, "three \\\n  more", 0, undefined],
    [17, "four", 0, undefined],
    [18, "five <<END\ntext\nEND", 0, "printed\n  …"],
    [23, "six   # ends with code 4", 4, undefined],
    [27, "seven", 0, undefined],
    [33, "eight", 0, undefined],
  ]);
});

for (const page of ["<!-- run -->\n\ntext\n", "<!-- run -->\n\n```console\nprinted\n```\n"])
  test(`a mark without commands is a mistake: ${JSON.stringify(page)}`, () => {
    assert.throws(() => parseDocumentedCommands(page), SyntaxError);
  });

for (const [shown, output, isSo] of [
  ["a b", "a    b\n", true],
  ["a", "a\nb\n", false],
  ["b", "a\nb\n", false],
  ["a\n…", "a\nb\nc\n", true],
  ["a\n…", "a\n", true],
  ["…\nb\n…\nd", "a\nb\nc\nd\n", true],
  ["…\nb\n…\nd", "a\nc\nd\n", false],
  ["10.1.…/26 via *", "10.1.2.0/26   via *\n", true],
  ["10.1.…/26 via *", "10.1.2.0/26\nvia *\n", false],
] as const)
  test(`${JSON.stringify(output)} is ${isSo ? "" : "not "}shown by ${JSON.stringify(shown)}`, () => {
    assert.equal(isAsShown(output, shown), isSo);
  });
