// SPDX-License-Identifier: Apache-2.0
/* Sections are those of RFC 8259, "The JavaScript Object Notation (JSON) Data Interchange Format". */
#include "config.h"

#include <ctype.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/margay/agent.sock"

const char *const versions[VERSIONS] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };

/* What is still to be read. */
struct json {
	const unsigned char *at, *end;
};

/* A string; empty where it is not one of printable ASCII that fits, for no other is of use here. */
struct string {
	size_t length;
	char text[MAX_PATH + 1];
};

static void append(struct string *string, unsigned code)
{
	if (string->length < MAX_PATH && code >= ' ' && code <= '~')
		string->text[string->length++] = code;
	else
		string->length = sizeof(string->text);
}

static void finish(struct string *string)
{
	string->text[string->length <= MAX_PATH ? string->length : 0] = '\0';
}

static bool take(struct json *json, char wanted)
{
	if (json->at == json->end || *json->at != wanted)
		return false;
	json->at++;
	return true;
}

static void skip_space(struct json *json)
{
	while (take(json, ' ') || take(json, '\t') || take(json, '\n') || take(json, '\r'))
		;
}

/* Section 2: space is allowed around the structural characters, and around a whole text. */
static bool take_structural(struct json *json, char wanted)
{
	skip_space(json);
	return take(json, wanted);
}

static bool take_word(struct json *json, const char *word)
{
	while (*word != '\0')
		if (!take(json, *word++))
			return false;
	return true;
}

static bool take_digits(struct json *json)
{
	const unsigned char *start = json->at;

	while (json->at < json->end && isdigit(*json->at))
		json->at++;
	return json->at > start;
}

/* Section 6. */
static bool take_number(struct json *json)
{
	take(json, '-');
	if (!take(json, '0') && !take_digits(json))
		return false;
	if (take(json, '.') && !take_digits(json))
		return false;
	if (!take(json, 'e') && !take(json, 'E'))
		return true;
	if (!take(json, '+'))
		take(json, '-');
	return take_digits(json);
}

/* Section 7, what follows a reversed solidus. */
static bool take_escape(struct json *json, struct string *string)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	unsigned code = 0;

	for (size_t i = 0; i < sizeof(names) - 1; i++)
		if (take(json, names[i])) {
			append(string, values[i]);
			return true;
		}
	if (!take(json, 'u'))
		return false;
	for (int i = 0; i < 4; i++) {
		if (json->at == json->end || !isxdigit(*json->at))
			return false;
		unsigned digit = *json->at++;
		code = code << 4 | (isdigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
	}
	append(string, code);
	return true;
}

/* RFC 3629, section 4: no longer than it has to be, no surrogate, nothing beyond U+10FFFF. */
static bool take_character(struct json *json, struct string *string)
{
	const unsigned char *at = json->at;
	unsigned lead = *at;
	size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (lead < 0x20 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || (size_t)(json->end - at) < length)
		return false;
	for (size_t i = 1; i < length; i++)
		if (at[i] >> 6 != 2)
			return false;
	if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) ||
	    (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f))
		return false;
	append(string, lead);
	json->at += length;
	return true;
}

static bool take_string(struct json *json, struct string *string)
{
	string->length = 0;
	if (!take_structural(json, '"'))
		return false;
	while (!take(json, '"')) {
		if (json->at == json->end)
			return false;
		if (!(take(json, '\\') ? take_escape(json, string) : take_character(json, string)))
			return false;
	}
	finish(string);
	return true;
}

static bool take_name(struct json *json, struct string *name)
{
	return take_string(json, name) && take_structural(json, ':');
}

/* A value that holds no others. */
static bool take_scalar(struct json *json, struct string *string)
{
	skip_space(json);
	switch (json->at < json->end ? *json->at : '\0') {
	case '"':
		return take_string(json, string);
	case 't':
		return take_word(json, "true");
	case 'f':
		return take_word(json, "false");
	case 'n':
		return take_word(json, "null");
	default:
		return take_number(json);
	}
}

/* Any value; gives its string, which is empty where it is none. Depth takes nothing of the stack, so it has no other limit than length. */
static bool take_value(struct json *json, struct string *string)
{
	static char ends[MAX_TEXT];
	struct string inner;
	size_t depth = 0;

	*string = (struct string){ 0 };
	do {
		char end = take_structural(json, '{') ? '}' : take_structural(json, '[') ? ']' : '\0';
		if (end == '\0') {
			if (!take_scalar(json, depth == 0 ? string : &inner))
				return false;
		} else if (!take_structural(json, end)) {
			ends[depth++] = end;
			if (end == '}' && !take_name(json, &inner))
				return false;
			continue;
		}
		while (depth > 0 && take_structural(json, ends[depth - 1]))
			depth--;
		if (depth > 0 && !take_structural(json, ','))
			return false;
		if (depth > 0 && ends[depth - 1] == '}' && !take_name(json, &inner))
			return false;
	} while (depth > 0);
	return true;
}

static const char *version_of(const char *text)
{
	for (size_t i = 0; i < VERSIONS; i++)
		if (strcmp(text, versions[i]) == 0)
			return versions[i];
	return LATEST_VERSION;
}

static bool take_members(struct json *json, struct config *config)
{
	struct string name, value;

	do {
		if (!take_name(json, &name) || !take_value(json, &value))
			return false;
		if (strcmp(name.text, "cniVersion") == 0)
			config->version = version_of(value.text);
		else if (strcmp(name.text, "agentSocket") == 0)
			strcpy(config->socket, value.text[0] == '/' ? value.text : "");
	} while (take_structural(json, ','));
	return take_structural(json, '}');
}

bool parse_config(const char *text, size_t length, struct config *config)
{
	struct json json = { (const unsigned char *)text, (const unsigned char *)text + length };

	*config = (struct config){ versions[0], DEFAULT_SOCKET };
	if (length > MAX_TEXT || !take_structural(&json, '{'))
		return false;
	if (!take_structural(&json, '}') && !take_members(&json, config))
		return false;
	skip_space(&json);
	return json.at == json.end;
}
