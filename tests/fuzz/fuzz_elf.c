/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and libraries of containers: an answer for every file, with ends to its texts. */
#include <stdint.h>
#include <stdlib.h>

#include "engines/elf_file.h"
#include "pkg/base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int fd = fd_anon("elf");
	struct elf_facts f;

	if (fd < 0 || fd_write_all(fd, data, size) < 0 || elf_read(fd, &f) < 0)
		abort();
	if (strnlen(f.interp, sizeof(f.interp)) == sizeof(f.interp) ||
		(f.kind == ELF_DYNAMIC && f.interp[0] != '/'))
		abort();
	return 0;
}
