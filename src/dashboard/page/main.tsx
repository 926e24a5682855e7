// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import { App } from "./app.tsx";
import { takeToken } from "./client.ts";
import { follow } from "./feed.ts";
import { applyTheme } from "./theme.ts";
import "./style/style.css";

takeToken();
applyTheme();
const root = document.querySelector("#app");
if (root !== null) render(<App />, root);
void follow();
