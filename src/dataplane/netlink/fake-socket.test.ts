// SPDX-License-Identifier: Apache-2.0
import { createFakeSocket } from "./fake-socket.ts";
import { describeNetlinkSocket } from "./socket-contract.ts";

describeNetlinkSocket("fake", () => createFakeSocket());
