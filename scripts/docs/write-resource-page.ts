// SPDX-License-Identifier: Apache-2.0
// Brings the tables of docs/resources.md to what the schemas say; what is said of each field stays, and is empty where it is yet to be said.
//   npm run docs
import { readFile, writeFile } from "node:fs/promises";
import { format, resolveConfig } from "prettier";
import { PAGE, renderPage } from "./resource-page.ts";

const page = renderPage(await readFile(PAGE, "utf8"));
await writeFile(PAGE, await format(page, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
