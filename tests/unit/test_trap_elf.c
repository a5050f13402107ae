/* SPDX-License-Identifier: Apache-2.0 */
/* The trap engine's loader: a program mapped as the kernel would, and files that lie, which must map nothing and end nobody. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engines/trap/elf_map.h"
#include "engines/trap/state.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

#include <elf.h>

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif
#define PAGE 4096ul
#define SEGMENTS 4

/* A file of two pages that is well formed: code in the first page, data and what is zeroed behind it in the second. */
struct file {
	Elf64_Ehdr head;
	Elf64_Phdr segment[SEGMENTS];
	char rest[2 * PAGE - sizeof(Elf64_Ehdr) - SEGMENTS * sizeof(Elf64_Phdr)];
};

static struct file good(void)
{
	struct file f = { .head = { .e_ident = ELFMAG,
				  .e_type = ET_DYN,
				  .e_machine = MACHINE,
				  .e_entry = 0x200,
				  .e_phoff = sizeof(Elf64_Ehdr),
				  .e_phentsize = sizeof(Elf64_Phdr),
				  .e_phnum = 3 } };

	f.head.e_ident[EI_CLASS] = ELFCLASS64;
	f.segment[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = PAGE, .p_memsz = PAGE, .p_align = PAGE
	};
	f.segment[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
		.p_flags = PF_R | PF_W,
		.p_offset = PAGE,
		.p_vaddr = PAGE,
		.p_filesz = 100,
		.p_memsz = 3 * PAGE,
		.p_align = PAGE };
	f.segment[2] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	for (size_t i = 0; i < sizeof(f.rest); i++)
		f.rest[i] = 'x';
	return f;
}

static struct elf_image image;

static long map(const void *bytes, size_t n)
{
	autoclose int fd = fd_anon("elf");

	if (fd < 0 || fd_write_all(fd, bytes, n) < 0)
		exit(99);
	return elf_map(fd, true, &image);
}

static void test_good(void)
{
	struct file f = good();
	const char *data;

	is_int(map(&f, sizeof(f)), 0, "a well formed file is mapped");
	is_int((long)(image.entry - image.base), 0x200, "its entry is where it says");
	is_int((long)(image.end - image.low), 4 * (long)PAGE, "all of it has room");
	ok(image.phdr == image.base + sizeof(Elf64_Ehdr) && image.phnum == 3,
		"its headers are found in memory");
	data = (const char *)(image.base + PAGE);
	ok(data[99] == 'x' && data[100] == 0 && data[PAGE - 1] == 0 && data[2 * PAGE] == 0,
		"what follows the file's bytes is zero, to the end of the page and behind it");
	ok(!image.executable_stack && !image.go && !image.interpreter[0],
		"nothing is said of it that is not so");
	munmap((void *)image.low, image.end - image.low);
}

static void test_aligned(void)
{
	struct file f = good();

	f.segment[1].p_align = 2ul << 20;
	is_int(map(&f, sizeof(f)), 0, "a file that wants large pages");
	is_int((long)(image.low % (2ul << 20)), 0, "gets an address for them");
	munmap((void *)image.low, image.end - image.low);
}

static void test_notes(void)
{
	static const char go[] = "\4\0\0\0\1\0\0\0\4\0\0\0Go\0\0x\0\0";
	struct file f = good();

	f.head.e_phnum = 4;
	f.segment[3] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = PAGE + 512, .p_filesz = sizeof(go) };
	memcpy((char *)&f + PAGE + 512, go, sizeof(go));
	ok(map(&f, sizeof(f)) == 0 && image.go, "a program of Go's is told by its note");
	munmap((void *)image.low, image.end - image.low);
	memset((char *)&f + PAGE + 512, 0xff, 64);
	ok(map(&f, sizeof(f)) == 0 && !image.go, "notes of absurd sizes are none");
	munmap((void *)image.low, image.end - image.low);
}

static void test_bad(void)
{
	struct file f;

#define REFUSED(change, text) \
	do { \
		f = good(); \
		change; \
		ok(map(&f, sizeof(f)) < 0, text); \
	} while (0)
	is_int(map("", 0), -ENOEXEC, "an empty file");
	f = good();
	is_int(map(&f, sizeof(f.head)), -ENOEXEC, "a file that ends behind its header");
	is_int(map(&f, PAGE), -ENOEXEC, "a file whose segments lie behind its end");
	REFUSED(f.head.e_ident[EI_CLASS] = ELFCLASS32, "a 32-bit file");
	REFUSED(f.head.e_machine = EM_S390, "another machine's");
	REFUSED(f.head.e_type = ET_CORE, "a core file");
	REFUSED(f.head.e_phnum = 0, "no segments");
	REFUSED(f.head.e_phnum = 65535, "more segments than there are");
	REFUSED(f.head.e_phentsize = 8, "segments of another size");
	REFUSED(f.head.e_phoff = ~0ul, "segments at the end of the world");
	REFUSED(f.segment[0].p_type = f.segment[1].p_type = PT_NULL, "nothing to load");
	REFUSED(f.segment[1].p_memsz = 10, "more bytes in the file than in memory");
	REFUSED(f.segment[1].p_vaddr = PAGE + 1, "an address that is not the offset's");
	REFUSED(f.segment[1].p_memsz = ~0ul - PAGE, "a size that wraps");
	REFUSED(f.segment[1].p_vaddr = ~0ul & ~(PAGE - 1), "an address of the kernel's");
	REFUSED(f.segment[1].p_memsz = 1ul << 46, "more than the address space holds beside us");
	REFUSED(f.head.e_phnum = 4;
		f.segment[3] = ((Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = PAGE, .p_filesz = 64 }),
		"an interpreter whose name does not end");
	REFUSED(f.head.e_phnum = 4;
		f.segment[3] = ((Elf64_Phdr){ .p_type = PT_INTERP, .p_filesz = 1ul << 40 }),
		"an interpreter with an endless name");
	REFUSED(f.head.e_type = ET_EXEC; f.segment[0].p_vaddr = TRAP_BASE;
		f.segment[1].p_vaddr = TRAP_BASE + PAGE, "a program that is to lie where the engine does");
}

int main(void)
{
	test_good();
	test_aligned();
	test_notes();
	test_bad();
	return tap_done();
}
