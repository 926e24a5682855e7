// SPDX-License-Identifier: Apache-2.0
/*
 * The CNI plugin as one executable: hands a call to the node's agent, and prints what it answers. It behaves as cni/plugin.ts, which runs
 * from the sources, to the word; cni/call.ts has what is sent.
 *
 * It starts once per container and command, so it loads and allocates nothing: what comes from outside goes into buffers of the greatest
 * size that is taken, of which the kernel provides no more than is used.
 */
#define _POSIX_C_SOURCE 200809L
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_CONFIG = 1024 * 1024 };
/* CNI specification 1.1.0, section 5, "Error". */
enum { IO = 5, DECODE = 6, INVALID_CONFIG = 7, TRY_AGAIN_LATER = 11, NOT_AVAILABLE = 50 };
/* An agent that has taken a call and does not answer is as good as none. */
static const struct timeval ANSWER_TIMEOUT = { .tv_sec = 30 };
/* CNI specification, section 2. */
static const char *const VARIABLES[] = { "CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH" };
enum { VARIABLE_COUNT = sizeof(VARIABLES) / sizeof(VARIABLES[0]) };
extern char **environ;

/* Where standard output takes no more, there is nobody to tell but by the status. */
static int finish(int status)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? status : EXIT_FAILURE;
}

/* Of printable ASCII. */
static void print_string(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
		printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	putchar('"');
}

/* The details may be absent. */
static int fail(const char *version, int code, const char *msg, const char *details)
{
	printf("{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":", version, code);
	print_string(msg);
	if (details != NULL) {
		printf(",\"details\":");
		print_string(details);
	}
	printf("}\n");
	return finish(EXIT_FAILURE);
}

static int print_versions(const char *version)
{
	printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[", version);
	for (int i = 0; i < VERSIONS; i++)
		printf("%s\"%s\"", i == 0 ? "" : ",", versions[i]);
	printf("]}\n");
	return finish(EXIT_SUCCESS);
}

/* The names that Node gives, for those that are to be expected. */
static const char *error_name(int error)
{
	switch (error) {
	case EACCES:
		return "EACCES";
	case EAGAIN:
		return "no answer within 30 s";
	case ECONNREFUSED:
		return "ECONNREFUSED";
	case ECONNRESET:
		return "ECONNRESET";
	case ELOOP:
		return "ELOOP";
	case ENOENT:
		return "ENOENT";
	case ENOTDIR:
		return "ENOTDIR";
	case EPIPE:
		return "EPIPE";
	default:
		return strerror(error);
	}
}

/* Reads to the end, or until the buffer is full. -1 with errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t count = read(fd, buffer + length, size - length);
		if (count == 0)
			break;
		if (count > 0)
			length += count;
		else if (errno != EINTR)
			return -1;
	}
	return length;
}

/* Changes the parts. -1 with errno. */
static int write_all(int fd, struct iovec *parts, int count)
{
	while (count > 0) {
		ssize_t written = writev(fd, parts, count);
		if (written < 0 && errno != EINTR)
			return -1;
		for (; count > 0 && written >= (ssize_t)parts->iov_len; parts++, count--)
			written -= parts->iov_len;
		if (count > 0 && written > 0) {
			parts->iov_base = (char *)parts->iov_base + written;
			parts->iov_len -= written;
		}
	}
	return 0;
}

/* -1 with errno. */
static int connect_to(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int result;

	_Static_assert(sizeof(address.sun_path) == MAX_PATH + 1, "unix(7)");
	strcpy(address.sun_path, path);
	/* The former is also for connect(2), where more wait than the agent's backlog holds (socket(7)). */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ANSWER_TIMEOUT, sizeof(ANSWER_TIMEOUT)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ANSWER_TIMEOUT, sizeof(ANSWER_TIMEOUT)) < 0)
		return -1;
	do
		result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (result < 0 && errno == EINTR);
	return result;
}

/* Gives the entry of the environment, which is the name, "=" and the value; NULL where there is none. */
static char *variable(const char *name)
{
	size_t length = strlen(name);

	for (char **entry = environ; *entry != NULL; entry++)
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry;
	return NULL;
}

/* One HTTP/1.0 exchange: the answer ends with the connection. Gives its length; -1 with errno. */
static ssize_t exchange(const char *path, char *config, size_t length, char *answer, size_t size)
{
	char head[128];
	/* The head, the variables, an empty one that ends them, the configuration. */
	struct iovec parts[1 + VARIABLE_COUNT + 2];
	int count = 1;
	size_t content = 0;

	for (int i = 0; i < VARIABLE_COUNT; i++) {
		char *entry = variable(VARIABLES[i]);
		if (entry != NULL)
			parts[count++] = (struct iovec){ entry, strlen(entry) + 1 };
	}
	parts[count++] = (struct iovec){ "", 1 };
	parts[count++] = (struct iovec){ config, length };
	for (int i = 1; i < count; i++)
		content += parts[i].iov_len;
	int written = snprintf(head, sizeof(head), "POST /cni HTTP/1.0\r\ncontent-type: %s\r\ncontent-length: %zu\r\n\r\n",
			       "application/vnd.margay.cni-call", content);
	if (written < 0 || (size_t)written >= sizeof(head)) {
		errno = EOVERFLOW;
		return -1;
	}
	parts[0] = (struct iovec){ head, written };

	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	ssize_t result = connect_to(fd, path) < 0 || write_all(fd, parts, count) < 0 ? -1 : read_all(fd, answer, size);
	int error = errno;
	close(fd);
	errno = error;
	return result;
}

static int fail_unreachable(const struct config *config, const char *command, const char *why)
{
	char msg[512];
	int length = snprintf(msg, sizeof(msg), "Cannot reach the Margay agent at \"%s\": %s; %s", config->socket,
			      "start it (\"margay agent --config FILE\") and try again",
			      "containers that run already are not affected");

	if (length < 0 || (size_t)length >= sizeof(msg))
		return EXIT_FAILURE;
	return fail(config->version, strcmp(command, "STATUS") == 0 ? NOT_AVAILABLE : TRY_AGAIN_LATER, msg, why);
}

static int call_agent(const struct config *config, const char *command, char *input, size_t length)
{
	static char answer[MAX_TEXT + 1];
	struct config ignored;

	if (config->socket[0] == '\0')
		return fail(config->version, INVALID_CONFIG,
			    "Cannot use \"agentSocket\": want an absolute path of up to 107 printable ASCII characters", NULL);
	ssize_t size = exchange(config->socket, input, length, answer, MAX_TEXT);
	if (size < 0)
		return fail_unreachable(config, command, error_name(errno));
	answer[size] = '\0';
	const char *body = strstr(answer, "\r\n\r\n");
	if (body == NULL)
		return fail_unreachable(config, command, "the connection was closed before an answer came");
	body += strlen("\r\n\r\n");
	size_t rest = answer + size - body;
	bool is_done = strncmp(answer, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) == 0;
	bool is_refused = strncmp(answer, "HTTP/1.1 422 ", strlen("HTTP/1.1 422 ")) == 0;
	bool is_silent = is_done && rest == 0 && strcmp(command, "ADD") != 0;
	/* One that fills the buffer, or that was cut short, is no object. */
	if (!is_silent && !((is_done || is_refused) && parse_config(body, rest, &ignored)))
		return fail(config->version, IO, "Cannot decode the agent's answer: want status 200 or 422, and a JSON object", NULL);
	fwrite(body, 1, rest, stdout);
	return finish(is_done ? EXIT_SUCCESS : EXIT_FAILURE);
}

int main(void)
{
	static char input[MAX_CONFIG + 1];
	struct config config;
	const char *command = getenv("CNI_COMMAND");

	if (command == NULL)
		command = "";
	/* That the other end has gone is told by the call that finds out. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return EXIT_FAILURE;
	ssize_t length = read_all(STDIN_FILENO, input, sizeof(input));
	if (length < 0 || length > MAX_CONFIG || !parse_config(input, length, &config))
		return fail(LATEST_VERSION, DECODE,
			    "Cannot decode network configuration on standard input: want a JSON object of up to 1048576 bytes", NULL);
	if (strcmp(command, "VERSION") == 0)
		return print_versions(config.version);
	return call_agent(&config, command, input, length);
}
