/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF file says of itself: of this machine's own, and of some that lie. */
#include "engines/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

#define FILE_MAX ((size_t)64 << 20)

static int read_bytes(const void *p, size_t n, struct elf_facts *f)
{
	autoclose int fd = fd_anon("elf");

	if (fd < 0 || fd_write_all(fd, p, n) < 0)
		exit(99);
	return elf_read(fd, f);
}

/* Ourselves, or where we are static another program: dynamic, native, against glibc. */
static void test_own(struct str *bytes)
{
	autoclose int fd = open(TAP_DYNAMIC_PROGRAM, O_RDONLY | O_CLOEXEC);
	struct elf_facts f;

	if (fd < 0 || fd_read_text(fd, FILE_MAX, bytes, "exe", NULL) < 0)
		exit(99);
	is_int(elf_read(fd, &f), 0, "our own program is read");
	is_int(f.kind, ELF_DYNAMIC, "it is dynamic");
	ok(elf_is_native(&f), "of this machine");
	ok(f.interp[0] == '/', "its loader has a path");
	ok(f.needs_libc_so_6 && f.needs_glibc >= ELF_GLIBC(2, 0) && f.needs_glibc < ELF_GLIBC(3, 0),
		"it needs glibc");
	is_int(f.has_glibc, 0, "and is none");
}

static void test_none(void)
{
	struct elf_facts f;

	ok(read_bytes("", 0, &f) == 0 && f.kind == ELF_NONE, "an empty file");
	ok(read_bytes("#!/bin/sh\n", 10, &f) == 0 && f.kind == ELF_NONE, "a script");
	ok(read_bytes(ELFMAG "\2\1\1", 7, &f) == 0 && f.kind == ELF_NONE, "a beginning");
}

/* Headers that are all there is: a program without a loader; one whose loader has no end; too many segments. */
static void test_small(void)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr segment;
		char text[16];
	} file = { .head = { .e_ident = ELFMAG,
			   .e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_phoff = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1 },
		.segment = { .p_type = PT_LOAD },
		.text = "/lib/ld.so" };
	struct elf_facts f;

	file.head.e_ident[EI_CLASS] = ELFCLASS64;
	file.head.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_STATIC, "no loader: static");
	file.segment = (Elf64_Phdr){
		.p_type = PT_INTERP, .p_offset = offsetof(__typeof__(file), text), .p_filesz = 11
	};
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_DYNAMIC, "a loader: dynamic");
	is_str(f.interp, "/lib/ld.so", "and its name");
	file.segment.p_filesz = 10;
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_NONE, "a name without an end");
	file.segment.p_filesz = UINT64_MAX;
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_NONE, "a name without bounds");
	file.segment.p_filesz = 11;
	file.segment.p_offset = UINT64_MAX - 4;
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_NONE, "a name beyond the end");
	file.head.e_phnum = UINT16_MAX;
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_NONE, "more segments than anything has");
	file.head.e_phnum = 1;
	file.head.e_type = ET_REL;
	ok(read_bytes(&file, sizeof(file), &f) == 0 && f.kind == ELF_NONE, "an object is no program");
}

/* Every byte of the headers and tables that we read may be any other: an answer, and no harm. */
static void test_damaged(const struct str *own)
{
	size_t n = own->len < 4096 ? own->len : 4096, answers = 0;
	struct elf_facts f;

	for (size_t i = 0; i < n; i += 7) {
		autofree char *bytes = xmemdup(own->data, own->len < 65536 ? own->len : 65536);

		bytes[i] = (char)~bytes[i];
		answers += read_bytes(bytes, own->len < 65536 ? own->len : 65536, &f) == 0;
	}
	is_int((long long)answers, (long long)((n + 6) / 7), "damaged in one place each");
}

int main(void)
{
	auto_str own = STR_INIT_MAX(FILE_MAX);

	test_own(&own);
	test_none();
	test_small();
	test_damaged(&own);
	return tap_done();
}
