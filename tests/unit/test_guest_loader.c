/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs programs under libfakechroot, compiled for the host: its system calls are ours, so that it is seen what it would execute, with what words
 * and environment, and what it says. Files are of a hostile container.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#undef AT_FDCWD
#undef X_OK
/* In the place of guest_call.h, which has the kernel's. */
#define UDOCKER_GUEST_CALL_H
enum { NR_write, NR_openat, NR_pread64, NR_faccessat, NR_mmap, NR_execve, NR_exit_group };
static long call(long nr, long a, long b, long c, long d, long e);
#define put guest_put /* scratch.h has one */
#include "engines/guest_loader.c"

#define WORDS 24

static struct {
	jmp_buf end;
	int status; /* -1: it executes `file` */
	char said[1024], file[512], words[2048], env[2048];
	void *arena;
	size_t arena_size;
} did;

static void append(char *to, size_t size, const char *text, size_t n)
{
	size_t used = strlen(to);

	if (n >= size - used)
		exit(99);
	snprintf(to + used, size - used, "%.*s", (int)n, text);
}

static void join(char *to, size_t size, const char **words)
{
	for (*to = '\0'; *words; words++) {
		append(to, size, "|", *to != '\0');
		append(to, size, *words, strlen(*words));
	}
}

static long answer(long r)
{
	return r < 0 ? -errno : r;
}

static long call(long nr, long a, long b, long c, long d, long e)
{
	(void)e;
	switch (nr) {
	case NR_write:
		append(did.said, sizeof(did.said), (const char *)b, (size_t)c);
		return c;
	case NR_openat:
		return answer(openat((int)a, (const char *)b, (int)c));
	case NR_pread64:
		return answer(pread((int)a, (void *)b, (size_t)c, (off_t)d));
	case NR_faccessat:
		return answer(faccessat((int)a, (const char *)b, (int)c, 0));
	case NR_mmap:
		did.arena_size = (size_t)b;
		did.arena = mmap(
			NULL, did.arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		return (long)did.arena;
	case NR_execve:
		snprintf(did.file, sizeof(did.file), "%s", (const char *)a);
		join(did.words, sizeof(did.words), (const char **)b);
		join(did.env, sizeof(did.env), (const char **)c);
		did.status = -1;
		break;
	default: /* NR_exit_group */
		did.status = (int)a;
	}
	longjmp(did.end, 1);
}

/* 1: it is none of its business; else what it did is in `did`. */
static int loader(const char *const *argv, const char *const *env)
{
	long stack[2 * WORDS + 4] = { 0 };
	size_t n = 1;

	for (; argv[stack[0]]; stack[0]++)
		stack[n++] = (long)argv[stack[0]];
	stack[n++] = 0;
	for (; *env; env++)
		stack[n++] = (long)*env;
	did.status = -2;
	*did.said = *did.file = *did.words = *did.env = '\0';
	did.arena = NULL;
	if (setjmp(did.end) == 0)
		guest_loader_main(stack);
	if (did.arena)
		munmap(did.arena, did.arena_size);
	return did.status == -2;
}

#define BASE "FAKECHROOT_BASE=/c"
#define PATHS "FAKECHROOT_LDLIBPATH=a:/lib/fake.so:/lib/keep.so:/c/lib:/c/usr/lib"
#define OWN "FAKECHROOT_ELFLOADER=/init"
static const char *const usual[] = { BASE, PATHS, OWN, NULL };

static void words_of(const char *const *argv, const char *const *env)
{
	(void)loader(argv, env);
}

/* ---- a program of this machine's kind ---- */
struct image {
	elf_head head;
	elf_segment interp, dynamic, load;
	elf_dyn tags[2];
	char path[64];
};

static struct image program(const char *interp)
{
	struct image i = { .head = { .e_type = ET_DYN,
				   .e_machine = MACHINE,
				   .e_phoff = offsetof(struct image, interp),
				   .e_phentsize = sizeof(elf_segment),
				   .e_phnum = 3 },
		.interp = { .p_type = PT_INTERP,
			.p_offset = offsetof(struct image, path),
			.p_filesz = strlen(interp) + 1 },
		.dynamic = { .p_type = PT_DYNAMIC,
			.p_offset = offsetof(struct image, tags),
			.p_filesz = sizeof(i.tags) },
		.load = { .p_type = PT_LOAD } };

	memcpy(i.head.e_ident, ELFMAG, SELFMAG);
	i.head.e_ident[EI_CLASS] = CLASS;
	snprintf(i.path, sizeof(i.path), "%s", interp);
	return i;
}

static char file[128];

static void write_file(const void *bytes, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		exit(99);
	close(fd);
}

static void start(const struct image *i)
{
	write_file(i, sizeof(*i));
	words_of((const char *const[]){ "x", "--exec", "prog", file, "a", "", NULL }, usual);
}

static void test_words(void)
{
	ok(loader((const char *const[]){ "x", NULL }, (const char *const[]){ "A=b", NULL }),
		"without libfakechroot's variables it is something else's start");
	words_of((const char *const[]){ "x", NULL },
		(const char *const[]){ BASE, "FAKECHROOT_CMD_ORIG=/sbin/x", NULL });
	is_int(did.status, 0, "a program that is to do nothing does it well");
	words_of((const char *const[]){ "static", "--exec", NULL }, usual);
	is_int(did.status, GUEST_LOADER_REFUSED, "in the place of a static program it refuses");
	is_str(did.said,
		"udocker: static: is statically linked, which libfakechroot cannot confine; choose another "
		"execution mode (P1, R1) for it\n",
		"and says so");
	words_of((const char *const[]){ NULL }, usual);
	is_int(did.status, GUEST_LOADER_REFUSED, "no words at all are refused");
	words_of((const char *const[]){ "x", "--exec", "prog", "/none", NULL },
		(const char *const[]){ BASE, NULL });
	ok(did.status == GUEST_LOADER_REFUSED && strstr(did.said, "incomplete"),
		"half of an environment is refused");
	words_of((const char *const[]){ "x", "--exec", "prog", "/none", NULL }, usual);
	is_int(did.status, 127, "a file that is not there is 127");
}

static void test_program(void)
{
	struct image i = program("/lib/ld.so");
	static const char *const own[] = { "LD_PRELOAD=/own.so:rel.so", "LD_LIBRARY_PATH=/opt:/c/x", BASE,
		PATHS, OWN, NULL };

	start(&i);
	is_str(did.file, "/c/lib/ld.so", "the loader of the container runs it");
	ok(strstr(did.words, "/c/lib/ld.so|--inhibit-cache|--library-path|/c/lib:/c/usr/lib|--argv0|prog|") ==
				did.words &&
			strstr(did.words, "/udocker-unit-"),
		"in the container's libraries, under its name");
	ok(strcmp(did.words + strlen(did.words) - 3, "|a|") == 0, "its words arrive, the empty one too");
	ok(strstr(did.env, "LD_PRELOAD=/lib/fake.so:/lib/keep.so:") != NULL,
		"the library is there again when somebody has taken it away");
	words_of((const char *const[]){ "x", "--exec", "prog", file, NULL }, own);
	ok(strstr(did.env, "LD_PRELOAD=/lib/fake.so:/lib/keep.so:/c/own.so:rel.so:|") == did.env,
		"before the program's own, which are the container's");
	ok(strstr(did.words, "|/c/opt:/c/x:/c/lib:/c/usr/lib|") != NULL, "as are its folders");
	words_of((const char *const[]){ "/init", "/c/bin/none", NULL }, usual);
	is_str(did.said, "udocker: /bin/none: No such file or directory\n",
		"from the library a file is called as in the container");
	i = program("/c/lib/ld.so");
	start(&i);
	is_str(did.file, file, "what is patched for the container is started by the kernel");
	ok(strstr(did.words, "prog|a|") == did.words && strstr(did.env, "LD_LIBRARY_REAL=/c/lib:/c/usr/lib"),
		"with folders in its environment");
	chmod(file, 0644);
	words_of((const char *const[]){ "x", "--exec", "prog", file, NULL }, usual);
	ok(geteuid() == 0 || did.status == GUEST_LOADER_REFUSED, "what may not be executed is not");
	chmod(file, 0755);
	write_file("echo", 4);
	words_of((const char *const[]){ "x", "--exec", "prog", file, "a", NULL }, usual);
	ok(strcmp(did.file, "/init") == 0 &&
			strstr(did.words, "x|--exec|/bin/sh|/c/bin/sh|prog|a") == did.words,
		"a script without a first line is the shell's");
}

static void refused(const struct image *i, const char *what)
{
	start(i);
	ok(did.status == GUEST_LOADER_REFUSED && strstr(did.said, "udocker: prog: ") == did.said,
		"%s is refused", what);
}

static void test_hostile(void)
{
	struct image i = program("/lib/ld.so");

	i.head.e_machine ^= 1;
	refused(&i, "another machine");
	i = program("/lib/ld.so");
	i.head.e_ident[EI_CLASS] ^= 3;
	refused(&i, "another class");
	i = program("/lib/ld.so");
	i.head.e_phnum = 65535;
	refused(&i, "a table of any length");
	i = program("/lib/ld.so");
	i.head.e_phentsize = 1;
	refused(&i, "a table of other entries");
	i = program("/lib/ld.so");
	i.head.e_phoff = (typeof(i.head.e_phoff))-8;
	refused(&i, "a table behind the end of numbers");
	i = program("/lib/ld.so");
	i.interp.p_offset = INT32_MAX;
	refused(&i, "a loader's name behind the end of the file");
	i = program("/lib/ld.so");
	i.interp.p_filesz = 1;
	refused(&i, "a loader without a name");
	i = program("/lib/ld.so");
	i.interp.p_filesz = (typeof(i.interp.p_filesz))-1;
	refused(&i, "a name of any length");
	i = program("/lib/ld.so");
	i.interp.p_filesz--;
	refused(&i, "a name without an end");
	i = program("lib/ld.so");
	refused(&i, "a loader by a relative name");
	i = program("/../../bin/loader");
	refused(&i, "a loader above the container");
	i = program("/c/../bin/loader");
	refused(&i, "one that is above it after all");
	i = program("/lib/..");
	refused(&i, "one that is a folder above");
	i = program("/lib/ld-musl-x.so.1");
	refused(&i, "another C library");
	i = program("/lib/ld.so");
	i.interp.p_type = PT_NULL;
	refused(&i, "a static program");
	i.dynamic.p_filesz = (typeof(i.dynamic.p_filesz))-1;
	i.dynamic.p_offset = (typeof(i.dynamic.p_offset))-sizeof(elf_dyn);
	i.tags[0].d_tag = 77;
	refused(&i, "a list that never ends");
	write_file("\177ELF", 4);
	words_of((const char *const[]){ "x", "--exec", "prog", file, NULL }, usual);
	is_int(did.status, GUEST_LOADER_REFUSED, "four bytes are no program");
	write_file("", 0);
	words_of((const char *const[]){ "x", "--exec", "prog", file, NULL }, usual);
	is_int(did.status, GUEST_LOADER_REFUSED, "nor is none");
}

/* Whatever is in the headers: it is refused, or run by what lies in the container, or runs itself. */
static void test_any(void)
{
	uint32_t random = 1;
	int wrong = 0;

	for (int round = 0; round < 3000; round++) {
		struct image i = program(round % 2 ? "/lib/ld.so" : "/c/lib/ld.so");
		unsigned char *bytes = (unsigned char *)&i;

		for (int k = 0; k <= round % 5; k++) {
			random = random * 1664525 + 1013904223;
			bytes[(random >> 8) % sizeof(i)] = (unsigned char)(round % 3 ? random >> 24 : 0xff);
		}
		start(&i);
		wrong += did.status == -1 ? strncmp(did.file, "/c/", 3) != 0 && strcmp(did.file, file) != 0 &&
						    strcmp(did.file, "/init") != 0
					  : did.status != GUEST_LOADER_REFUSED;
	}
	is_int(wrong, 0, "nothing else happens, whatever bytes a file has");
}

int main(void)
{
	char path[64];
	int dir = scratch_open(path);

	snprintf(file, sizeof(file), "%s/program", path);
	test_words();
	test_program();
	test_hostile();
	test_any();
	scratch_close(dir, path);
	return tap_done();
}
