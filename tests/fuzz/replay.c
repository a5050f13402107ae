/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the files named on the command line to a fuzz target, so that `make check` replays the corpus without libFuzzer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		uint8_t *data = malloc(1 << 20);
		size_t n = f && data ? fread(data, 1, 1 << 20, f) : 0;

		if (!f || !data) {
			perror(argv[i]);
			return 1;
		}
		LLVMFuzzerTestOneInput(data, n);
		free(data);
		(void)fclose(f); /* read only */
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
