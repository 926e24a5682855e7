// SPDX-License-Identifier: Apache-2.0
/* For plugin-config.test.ts: reads texts, each after its length (uint32_t), and prints for each what parse_config() makes of it. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	uint32_t length;

	while (fread(&length, sizeof(length), 1, stdin) == 1) {
		struct config config;
		/* Of exactly that size, so that a sanitizer sees what is read beyond. */
		char *text = malloc(length);
		if ((text == NULL && length > 0) || fread(text, 1, length, stdin) != length)
			return EXIT_FAILURE;
		if (parse_config(text, length, &config))
			printf("%s %s\n", config.version, config.socket);
		else
			printf("no object\n");
		free(text);
	}
	return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
