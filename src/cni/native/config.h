// SPDX-License-Identifier: Apache-2.0
#ifndef MARGAY_CONFIG_H
#define MARGAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

/* The longest text that is parsed, in octets. */
enum { MAX_TEXT = 4 * 1024 * 1024 };
/* The longest path of a unix socket, in octets (unix(7)). */
enum { MAX_PATH = 107 };

/* Versions of the CNI specification, as in cni/version.ts: oldest first. */
#define VERSIONS 7
extern const char *const versions[VERSIONS];
/* Errors that come before the version is known are given in this one. */
#define LATEST_VERSION versions[VERSIONS - 1]

/* What the plugin itself has to know of a network configuration. */
struct config {
	/* The version to answer in, one of the above: the first where none is named, the latest where one is that is not known. */
	const char *version;
	/* An absolute path of printable ASCII; empty where "agentSocket" is none. */
	char socket[MAX_PATH + 1];
};

/* Whether the text is a JSON object, by RFC 8259 to the letter. Of members with one name the last counts. */
bool parse_config(const char *text, size_t length, struct config *config);

#endif
