/* SPDX-License-Identifier: Apache-2.0 */
/* Finds PRoot's loader among the bytes of PRoot. Whether it works is for the probe to try. */
#include "engines/proot_loader.h"

#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/probe_cache.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define TMP "tmp"
#define PROOT_MAX_BYTES (16u << 20)
#define LOADER_MAX_BYTES (256u << 10) /* it has some 9 KiB */

/* Where the headers that lie within n bytes say that the file ends; 0 if they say nothing sensible. */
static size_t elf_end(const unsigned char *bytes, size_t n, const ElfW(Ehdr) * h)
{
	uint64_t end = (uint64_t)h->e_shoff + (uint64_t)h->e_shnum * h->e_shentsize;

	if (h->e_phentsize != sizeof(ElfW(Phdr)) || h->e_phnum == 0 || h->e_phoff > n ||
		(uint64_t)h->e_phnum * sizeof(ElfW(Phdr)) > n - h->e_phoff || h->e_shoff > n)
		return 0;
	for (size_t i = 0; i < h->e_phnum; i++) {
		ElfW(Phdr) p;

		memcpy(&p, bytes + h->e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP || p.p_offset > n || p.p_filesz > n - p.p_offset)
			return 0;
		if (p.p_offset + p.p_filesz > end)
			end = p.p_offset + p.p_filesz;
	}
	return end <= n && end <= LOADER_MAX_BYTES ? (size_t)end : 0;
}

bool proot_loader_locate(const unsigned char *bytes, size_t n, size_t *ret_at, size_t *ret_len)
{
	ElfW(Ehdr) outer, h;
	size_t found = 0, end;

	if (n < sizeof(outer) || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&outer, bytes, sizeof(outer));
	for (size_t at = SELFMAG; n - at > sizeof(h); at++) {
		const unsigned char *p = memmem(bytes + at, n - at, ELFMAG, SELFMAG);

		if (!p || (size_t)(bytes + n - p) < sizeof(h))
			break;
		at = (size_t)(p - bytes);
		memcpy(&h, p, sizeof(h));
		if (memcmp(h.e_ident, outer.e_ident, EI_DATA + 1) != 0 || h.e_machine != outer.e_machine ||
			h.e_type != ET_EXEC)
			continue; /* that for 32-bit programs, or the letters by themselves */
		end = elf_end(p, n - at, &h);
		if (!end)
			continue;
		*ret_at = at;
		*ret_len = end;
		found++;
	}
	return found == 1;
}

/* One for each build of PRoot, so that a new one never loads with the loader of another. */
static char *loader_name(const char *proot)
{
	struct stat st;

	if (stat(proot, &st) < 0)
		return NULL;
	return xasprintf("proot-loader-%llx-%llx-%llx", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino, (unsigned long long)st.st_mtim.tv_sec);
}

static char *kept_path(const char *name)
{
	autofree char *tmp = probe_cache_path(TMP);

	if (tmp)
		(void)mkdir(tmp, 0700); /* there is another way without */
	return probe_cache_path(name);
}

char *proot_loader_keep(const char *proot)
{
	autofree char *name = loader_name(proot);
	autoclose int fd = open(proot, O_RDONLY | O_CLOEXEC);
	auto_str bytes = STR_INIT_MAX(PROOT_MAX_BYTES);
	size_t at, len;

	if (!name || fd < 0 || fd_read_text(fd, PROOT_MAX_BYTES, &bytes, proot, NULL) < 0 ||
		!proot_loader_locate((const unsigned char *)bytes.data, bytes.len, &at, &len))
		return NULL;
	return probe_cache_put(name, bytes.data + at, len) ? kept_path(name) : NULL;
}

char *proot_loader_tmp(void)
{
	autofree char *path = probe_cache_path(TMP);

	return path && access(path, W_OK | X_OK) == 0 ? steal_ptr(&path) : NULL;
}

char *proot_loader_kept(const char *proot)
{
	autofree char *name = loader_name(proot);
	autofree char *path = name ? probe_cache_path(name) : NULL;

	return path && access(path, X_OK) == 0 ? steal_ptr(&path) : NULL;
}
