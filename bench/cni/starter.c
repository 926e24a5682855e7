// SPDX-License-Identifier: Apache-2.0
/*
 * starter PROGRAM CONTAINER...: starts a plugin for each of the containers at one moment, as a runtime would, and tells how long each
 * took. Node takes up to 8 ms of the processor to start a process, more than some of those that are measured.
 *
 * Standard input: the network configuration that each gets. Environment: CNI_COMMAND, CNI_IFNAME and CNI_PATH; the container's ID is the name
 * of its network namespace. Standard output: one line "MILLISECONDS STATUS" for each container, in their order, and the milliseconds from the
 * moment to the last end. What the plugins say goes to standard error.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, MAX_CONFIG = 32 * 1024 };

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static size_t read_config(char *config)
{
	size_t length = 0;
	for (ssize_t got; (got = read(STDIN_FILENO, config + length, MAX_CONFIG - length)) != 0; length += (size_t)got)
		if (got < 0)
			err(EXIT_FAILURE, "read");
	return length;
}

/* Returns the process that becomes the plugin as soon as nobody has the other end of the gate open. */
static pid_t prepare(const char *program, const char *container, const int gate[2], const char *config, size_t length)
{
	int input[2];
	/* A pipe holds 64 KiB before anybody reads. */
	if (pipe2(input, O_CLOEXEC) < 0 || write(input[1], config, length) != (ssize_t)length)
		err(EXIT_FAILURE, "pipe");
	pid_t child = fork();
	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (child > 0) {
		close(input[0]);
		close(input[1]);
		return child;
	}
	char netns[256], nothing;
	snprintf(netns, sizeof(netns), "/run/netns/%s", container);
	setenv("CNI_CONTAINERID", container, 1);
	setenv("CNI_NETNS", netns, 1);
	dup2(input[0], STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	close(gate[1]);
	if (read(gate[0], &nothing, 1) == 0)
		execl(program, program, (char *)NULL);
	_exit(127);
}

int main(int argc, char **argv)
{
	static char config[MAX_CONFIG];
	static pid_t children[MOST];
	static double ends_ms[MOST];
	static int statuses[MOST];
	int gate[2], count = argc - 2;

	if (count < 1 || count > MOST)
		errx(EXIT_FAILURE, "usage: starter PROGRAM CONTAINER... (at most %d)", MOST);
	size_t length = read_config(config);
	if (pipe2(gate, O_CLOEXEC) < 0)
		err(EXIT_FAILURE, "pipe");
	for (int n = 0; n < count; n++)
		children[n] = prepare(argv[1], argv[n + 2], gate, config, length);
	/* The last of them is on its way to the gate. */
	usleep(20000);
	double start_ms = now_ms();
	close(gate[1]);
	for (int left = count; left > 0; left--) {
		int status;
		pid_t child = wait(&status);
		for (int n = 0; n < count; n++)
			if (children[n] == child) {
				ends_ms[n] = now_ms();
				statuses[n] = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			}
	}
	double whole_ms = now_ms() - start_ms;
	for (int n = 0; n < count; n++)
		printf("%.3f %d\n", ends_ms[n] - start_ms, statuses[n]);
	printf("%.3f\n", whole_ms);
	return EXIT_SUCCESS;
}
