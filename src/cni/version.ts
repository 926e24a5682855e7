// SPDX-License-Identifier: Apache-2.0

/** Versions of the specification whose results this plugin can give, oldest first; also in native/config.c. */
export const SUPPORTED_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** Errors that come before the version is known are given in this one. */
export const LATEST_VERSION: CniVersion = "1.1.0";

export function isSupportedVersion(version: unknown): version is CniVersion {
  return SUPPORTED_VERSIONS.some((supported) => supported === version);
}

/** The version to answer in, by the one that a network configuration names. Without one, it is of the first version that had a number. */
export function answerVersion(cniVersion: unknown): CniVersion {
  if (cniVersion === undefined) return SUPPORTED_VERSIONS[0];
  return isSupportedVersion(cniVersion) ? cniVersion : LATEST_VERSION;
}

export function isAtLeast(version: CniVersion, other: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(other);
}
