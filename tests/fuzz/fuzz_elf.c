/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and libraries of containers: an answer for every file, with ends to its texts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engines/elf_file.h"
#include "pkg/base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int fd = fd_anon("elf");
	auto_elf_paths paths = { .items = NULL };
	struct elf_facts f;

	if (fd < 0 || fd_write_all(fd, data, size) < 0 || elf_read(fd, &f) < 0)
		abort();
	if (strnlen(f.interp, sizeof(f.interp)) == sizeof(f.interp) ||
		(f.kind == ELF_DYNAMIC && f.interp[0] != '/'))
		abort();
	if (elf_paths_read(fd, &paths) < 0)
		abort();
	for (size_t i = 0; i < paths.n; i++) {
		size_t n = strlen(paths.items[i].text);

		/* All of it lies in the file. */
		if (n == 0 || n >= ELF_PATH_MAX || paths.items[i].at > size || n > size - paths.items[i].at ||
			memcmp(data + paths.items[i].at, paths.items[i].text, n) != 0)
			abort();
	}
	return 0;
}
