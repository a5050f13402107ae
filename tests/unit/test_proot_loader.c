/* SPDX-License-Identifier: Apache-2.0 */
/* The loader inside PRoot: found among good and bad bytes, kept and found again. */
#include "engines/proot_loader.h"

#include <link.h>

#include "engines/engine.h"
#include "pkg/base/mem.h"
#include "tests/unit/scratch.h"

#define INNER_AT 4097 /* not aligned: nothing promises that */
#define INNER_LEN 512
#define TOTAL 8192

static unsigned char bytes[TOTAL];

/* Header, one segment up to `len`. */
static void put_elf(size_t at, int type, uint32_t segment, size_t len)
{
	ElfW(Ehdr) h = { .e_ident = ELFMAG,
		.e_type = (uint16_t)type,
		.e_machine = 62,
		.e_phoff = sizeof(h),
		.e_phnum = 1,
		.e_phentsize = sizeof(ElfW(Phdr)) };
	ElfW(Phdr) p = { .p_type = segment, .p_filesz = len };

	h.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(bytes + at, &h, sizeof(h));
	memcpy(bytes + at + sizeof(h), &p, sizeof(p));
}

static void fresh(void)
{
	memset(bytes, 0, sizeof(bytes));
	put_elf(0, ET_DYN, PT_LOAD, TOTAL);
	memcpy(bytes + 1000, ELFMAG, SELFMAG); /* the letters alone */
}

static bool found(size_t n)
{
	size_t at = 0, len = 0;

	return proot_loader_locate(bytes, n, &at, &len) && at == INNER_AT && len == INNER_LEN;
}

static void test_locate(void)
{
	ElfW(Ehdr) h;

	fresh();
	ok(!found(TOTAL), "none");
	put_elf(INNER_AT, ET_EXEC, PT_LOAD, INNER_LEN);
	ok(found(TOTAL), "one");
	ok(found(INNER_AT + INNER_LEN), "that ends with the file");
	ok(!found(INNER_AT + INNER_LEN - 1), "one byte is missing");
	for (size_t n = 0; n < INNER_AT + 200; n++)
		if (found(n))
			ok(false, "the file ends at %zu", n);
	memcpy(&h, bytes + INNER_AT, sizeof(h));
	h.e_shoff = 448;
	h.e_shnum = 1;
	h.e_shentsize = 64;
	memcpy(bytes + INNER_AT, &h, sizeof(h));
	ok(found(TOTAL), "section headers up to the same end");
	h.e_shoff = UINT32_MAX;
	memcpy(bytes + INNER_AT, &h, sizeof(h));
	ok(!found(TOTAL), "section headers anywhere");
	h.e_shoff = h.e_shnum = 0;
	h.e_phoff = UINT32_MAX - 8;
	memcpy(bytes + INNER_AT, &h, sizeof(h));
	ok(!found(TOTAL), "program headers anywhere");
	put_elf(INNER_AT, ET_EXEC, PT_LOAD, SIZE_MAX);
	ok(!found(TOTAL), "a segment without end");
	put_elf(INNER_AT, ET_DYN, PT_LOAD, INNER_LEN);
	ok(!found(TOTAL), "a library");
	put_elf(INNER_AT, ET_EXEC, PT_INTERP, INNER_LEN);
	ok(!found(TOTAL), "one that needs an interpreter");
	put_elf(INNER_AT, ET_EXEC, PT_LOAD, INNER_LEN);
	put_elf(100, ET_EXEC, PT_LOAD, INNER_LEN);
	ok(!found(TOTAL), "which of two");
	bytes[0] = '#';
	ok(!found(TOTAL), "a script");
}

static void test_keep(int fd, const char *top)
{
	autofree char *proot = xasprintf("%s/proot", top), *cache = xasprintf("%s/cache", top);
	autofree char *none = proot_loader_keep(proot);
	struct stat st = { 0 };

	ok(!none, "no executable");
	fresh();
	put_elf(INNER_AT, ET_EXEC, PT_LOAD, INNER_LEN);
	autoclose int out = openat(fd, "proot", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ok(out >= 0 && write(out, bytes, TOTAL) == TOTAL, "a PRoot");
	none = proot_loader_keep(proot);
	ok(!none, "nothing is remembered");
	engine_set_cache_dir(cache);
	none = proot_loader_kept(proot);
	ok(!none, "none has been kept");

	autofree char *path = proot_loader_keep(proot), *again = proot_loader_kept(proot);
	is_str(again, path, "one has");
	ok(path && stat(path, &st) == 0 && st.st_size == INNER_LEN, "of its size");
	is_int(st.st_mode & 07777, 0755,
		"for the program of R2 as well, whoever that is; the folder is ours alone");
	autofree char *twice = proot_loader_keep(proot);
	struct stat later = { 0 };

	ok(twice && stat(twice, &later) == 0 && later.st_ino == st.st_ino,
		"kept again it is the same file, which may be mounted");
	ok(truncate(path, 1) == 0, "cut off");
	free(twice);
	twice = proot_loader_keep(proot);
	ok(twice && stat(twice, &later) == 0 && later.st_size == INNER_LEN, "it is replaced");
	ok(path && unlink(path) == 0, "taken away");
	none = proot_loader_kept(proot);
	ok(!none, "it is not named any more");
	engine_set_cache_dir(NULL);
}

int main(void)
{
	char top[64];
	int fd = scratch_open(top);

	test_locate();
	test_keep(fd, top);
	scratch_close(fd, top);
	return tap_done();
}
