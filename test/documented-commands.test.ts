// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseDocumentedCommands, unmarkedBlocks, withOutput } from "./documented-commands.ts";

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

<!-- run on host2
seven
-->

<!-- run on host2 -->

\`\`\`sh
eight
\`\`\`

<!-- not run: it would hurt -->

    nine

\`\`\`yaml
spec: {}
\`\`\`

\`\`\`console
$ ten
\`\`\`
`;

test("what a page marks is run, in order, with what is shown of each command", () => {
  const found = parseDocumentedCommands(PAGE).map(({ line, machine, text, code, output }) => [
    line,
    machine,
    text,
    code,
    output,
  ]);
  assert.deepEqual(found, [
    [6, "host1", "one   # a comment", 0, undefined],
    [7, "host1", "two <<'END'\n$ text\n\nEND", 0, undefined],
    [11, "host1", "three \\\n  more", 0, undefined],
    [17, "host1", "four", 0, undefined],
    [18, "host1", "five <<END\ntext\nEND", 0, "printed\n  …"],
    [23, "host1", "six   # ends with code 4", 4, undefined],
    [27, "host2", "seven", 0, undefined],
    [33, "host2", "eight", 0, undefined],
  ]);
});

for (const page of ["<!-- run -->\n\ntext\n", "<!-- run -->\n\n```console\nprinted\n```\n"])
  test(`a mark without commands is a mistake: ${JSON.stringify(page)}`, () => {
    assert.throws(() => parseDocumentedCommands(page), SyntaxError);
  });

test("what a page shows of a command can be replaced by what it prints now", () => {
  const [, , , , five] = parseDocumentedCommands(PAGE);
  assert.ok(five);
  assert.equal(
    withOutput(PAGE, five, "one\ntwo\nthree\n"),
    PAGE.replace("printed\n  …\n", "one\ntwo\nthree\n"),
  );
});

test("blocks that say neither that they are run nor why not are found", () => {
  assert.deepEqual(unmarkedBlocks(PAGE), [2, 45]);
});

for (const page of globSync(["*.md", "docs/*.md"]).sort())
  test(`${page} says of each block of code whether it is run`, () => {
    assert.deepEqual(unmarkedBlocks(readFileSync(page, "utf8")), []);
  });
