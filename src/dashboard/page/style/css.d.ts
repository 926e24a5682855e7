// SPDX-License-Identifier: Apache-2.0
// The build takes style sheets out of what imports them.
declare module "*.css";
