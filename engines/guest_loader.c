/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of a Fakechroot container: looked at, then run by the container's own loader. No C library, no data: see guest_init.c. The file is
 * of the container, so that all of it is taken for hostile; what it can make us do is to refuse it, or to run it.
 */
#include "engines/guest_loader.h"
#include "engines/guest_text.h"

#include <asm-generic/errno.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/guest_call.h"

#define AT_FDCWD (-100)
#define O_RDONLY_CLOEXEC 02000000
#define X_OK 1
#define ARENA ((size_t)1 << 20)
#define PROGRAM_HEADERS_MAX 64
#define DYNAMIC_MAX 1024
#define PATH_LIMIT 4096

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr elf_head;
typedef Elf64_Phdr elf_segment;
typedef Elf64_Dyn elf_dyn;
#define CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_head;
typedef Elf32_Phdr elf_segment;
typedef Elf32_Dyn elf_dyn;
#define CLASS ELFCLASS32
#endif

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__i386__)
#define MACHINE EM_386
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#elif defined(__arm__)
#define MACHINE EM_ARM
#elif defined(__riscv)
#define MACHINE EM_RISCV
#else
#define MACHINE EM_PPC64
#endif

struct text {
	const char *at;
	size_t len;
};

struct load {
	const char **argv, **env;
	long argc;
	const char *name, *file; /* what it is called by, where it is */
	const char **args; /* behind the file */
	char *next, *end; /* of the arena */
	struct text base, flags, library, keeper, dirs;
	char interp[PATH_LIMIT];
};

static int is_word(const char *s, const char *word)
{
	return begins(s, word, length(word) + 1);
}

static __attribute__((noreturn)) void leave(int status)
{
	(void)call(NR_exit_group, status, 0, 0, 0, 0);
	__builtin_trap();
}

static void say(const char *s)
{
	(void)call(NR_write, 2, (long)s, (long)length(s), 0, 0); /* the status says it too */
}

static __attribute__((noreturn)) void refuse(const struct load *l, const char *why)
{
	static const char advice[] = "; choose another execution mode (P1, R1) for it\n";

	say("udocker: ");
	say(l->name);
	say(": ");
	say(why);
	(void)call(NR_write, 2, (long)advice, sizeof(advice) - 1, 0, 0);
	leave(GUEST_LOADER_REFUSED);
}

static __attribute__((noreturn)) void fail(const struct load *l, const char *why, int status)
{
	say("udocker: ");
	say(l->name);
	say(": ");
	say(why);
	say("\n");
	leave(status);
}

/* The value of a variable; at is NULL if it is not set. */
static struct text variable(const char **env, const char *key)
{
	size_t n = length(key);
	struct text none = { 0, 0 }, found;

	for (; *env; env++)
		if (begins(*env, key, n) && (*env)[n] == '=') {
			found.at = *env + n + 1;
			found.len = length(found.at);
			return found;
		}
	return none;
}

/* The field of a list up to ':', which is taken off it. */
static struct text field(struct text *list)
{
	struct text f = { list->at, 0 };

	while (f.len < list->len && f.at[f.len] != ':')
		f.len++;
	list->at += f.len + (f.len < list->len);
	list->len -= f.len + (f.len < list->len);
	return f;
}

static int has_flag(const struct load *l, char flag)
{
	for (size_t i = 0; i < l->flags.len; i++)
		if (l->flags.at[i] == flag)
			return 1;
	return 0;
}

/* ---- the arena: words that are put together ---- */
static void open_arena(struct load *l)
{
	size_t pointers = ((size_t)l->argc + 16) * sizeof(char *), n = ARENA + pointers;
	long r;

	for (const char **e = l->env; *e; e++)
		n += sizeof(char *);
	r = call(NR_mmap, 0, (long)n, 3 /* read, write */, 0x22 /* private, anonymous */, -1);
	if (r < 0 && r > -4096)
		fail(l, "out of memory", GUEST_LOADER_REFUSED);
	l->next = (char *)r;
	l->end = l->next + n;
}

static char *take(struct load *l, size_t n)
{
	char *p = l->next;

	if (n > (size_t)(l->end - l->next))
		fail(l, "its environment is too large", GUEST_LOADER_REFUSED);
	l->next += n;
	return p;
}

static void put(struct load *l, struct text t)
{
	char *p = take(l, t.len);

	for (size_t i = 0; i < t.len; i++)
		p[i] = t.at[i];
}

static void put_char(struct load *l, char c)
{
	*take(l, 1) = c;
}

static const char **pointers(struct load *l, size_t n)
{
	while ((uintptr_t)l->next % sizeof(char *))
		(void)take(l, 1);
	return (const char **)take(l, n * sizeof(char *));
}

static int is_below_base(const struct load *l, struct text t)
{
	return t.len > l->base.len && begins(t.at, l->base.at, l->base.len) && t.at[l->base.len] == '/';
}

/* A list as the program knows it, as the host has it. */
static void put_inside(struct load *l, struct text list)
{
	while (list.len) {
		struct text one = field(&list);

		if (one.len && *one.at == '/' && !is_below_base(l, one))
			put(l, l->base);
		put(l, one);
		put_char(l, ':');
	}
}

/* ---- the file ---- */
static long read_at(int fd, void *to, size_t n, uint64_t at)
{
	if (at > INT32_MAX) /* as the system calls of all architectures take it in one word */
		return -EINVAL;
	return call(NR_pread64, fd, (long)to, (long)n, (long)at, 0);
}

/* Only loaders, which are libraries that can be run, have a name of their own: a static program that is position-independent has none. */
static int has_soname(int fd, const elf_segment *dynamic)
{
	elf_dyn d = { 0 };

	for (size_t i = 0; i < DYNAMIC_MAX && (i + 1) * sizeof(d) <= dynamic->p_filesz; i++) {
		if (read_at(fd, &d, sizeof(d), dynamic->p_offset + i * sizeof(d)) != sizeof(d) ||
			d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_SONAME)
			return 1;
	}
	return 0;
}

enum kind { DYNAMIC, LOADER, STATIC };

static enum kind look_at_segments(struct load *l, int fd, const elf_head *head)
{
	int loader = 0;

	if (head->e_phentsize != sizeof(elf_segment) || head->e_phnum > PROGRAM_HEADERS_MAX)
		fail(l, "is not a program", GUEST_LOADER_REFUSED);
	for (unsigned i = 0; i < head->e_phnum; i++) {
		elf_segment s = { 0 };
		long n;

		if (read_at(fd, &s, sizeof(s), head->e_phoff + i * sizeof(s)) != sizeof(s))
			break;
		if (s.p_type == PT_DYNAMIC)
			loader = has_soname(fd, &s);
		if (s.p_type != PT_INTERP)
			continue;
		if (s.p_filesz < 2 || s.p_filesz > sizeof(l->interp))
			fail(l, "is not a program", GUEST_LOADER_REFUSED);
		n = read_at(fd, l->interp, s.p_filesz, s.p_offset);
		if (n != (long)s.p_filesz || l->interp[n - 1] || *l->interp != '/')
			fail(l, "is not a program", GUEST_LOADER_REFUSED);
		return DYNAMIC;
	}
	return loader ? LOADER : STATIC;
}

/* Below the base a path with ".." may lead to the host's. */
static int climbs(const char *path)
{
	for (; *path; path++)
		if (begins(path, "/..", 3) && (path[3] == '/' || !path[3]))
			return 1;
	return 0;
}

static int is_musl(const char *interp)
{
	const char *base = interp;

	for (; *interp; interp++)
		if (*interp == '/')
			base = interp + 1;
	return begins(base, "ld-musl", 7);
}

/* ---- running it ---- */
static __attribute__((noreturn)) void run(struct load *l, const char *file, const char **argv)
{
	long r = call(NR_execve, (long)file, (long)argv, (long)l->env, 0, 0);

	if (r == -ENOENT)
		fail(l, "its loader is missing in the container", 127);
	fail(l, r == -E2BIG ? "argument list too long" : "cannot be run", GUEST_LOADER_REFUSED);
}

/* Put "KEY=VALUE" in the place of the variable, or behind the others; n is the length of "KEY=". */
static void set_variable(struct load *l, const char *entry, size_t n)
{
	const char **env;
	size_t i = 0, found = 0;

	while (l->env[i])
		i++;
	env = pointers(l, i + 2);
	for (i = 0; l->env[i]; i++) {
		int same = begins(l->env[i], entry, n);

		env[i] = same ? entry : l->env[i];
		found |= (size_t)same;
	}
	if (!found)
		env[i++] = entry;
	env[i] = NULL;
	l->env = env;
}

/* The library stays first among those that the program or its caller asks for, whose paths are of the container. */
static void keep_library(struct load *l)
{
	struct text old = variable(l->env, "LD_PRELOAD");
	const char *entry = l->next;

	if (old.at && old.len >= l->library.len && begins(old.at, l->library.at, l->library.len))
		return;
	put(l, (struct text){ "LD_PRELOAD=", 11 });
	put(l, l->library);
	put_char(l, ':');
	put(l, l->keeper);
	put_char(l, ':');
	if (old.at)
		put_inside(l, old);
	put_char(l, '\0');
	set_variable(l, entry, 11);
}

/* Where its libraries are: its own folders, then the container's, which a patched caller has put behind its own already. */
static void put_folders(struct load *l)
{
	struct text own = variable(l->env, "LD_LIBRARY_PATH");

	if (own.at && own.len >= l->dirs.len &&
		begins(own.at + own.len - l->dirs.len, l->dirs.at, l->dirs.len))
		own.len -= l->dirs.len;
	if (own.at)
		put_inside(l, own);
	put(l, l->dirs);
	put_char(l, '\0');
}

/* [loader --inhibit-cache --library-path DIRS [--argv0 NAME] FILE ARG…] */
static __attribute__((noreturn)) void run_by_loader(struct load *l)
{
	const char *loader = l->next, *dirs, **argv;
	size_t n = 0;

	put(l, l->base);
	put(l, (struct text){ l->interp, length(l->interp) + 1 });
	dirs = l->next;
	put_folders(l);
	argv = pointers(l, (size_t)l->argc + 8);
	argv[n++] = loader;
	if (!has_flag(l, GUEST_LOADER_MUSL))
		argv[n++] = "--inhibit-cache";
	argv[n++] = "--library-path";
	argv[n++] = dirs;
	if (has_flag(l, GUEST_LOADER_ARGV0)) {
		argv[n++] = "--argv0";
		argv[n++] = l->name;
	}
	argv[n++] = l->file;
	for (const char **a = l->args; *a; a++)
		argv[n++] = *a;
	argv[n] = NULL;
	run(l, loader, argv);
}

/* The kernel starts the container's loader, or that is the program: folders can be told by the environment alone. */
static __attribute__((noreturn)) void run_itself(struct load *l)
{
	static const char keys[2][17] = { "LD_LIBRARY_PATH=", "LD_LIBRARY_REAL=" };

	for (int i = 0; i < 2; i++) {
		const char *entry = l->next;

		put(l, (struct text){ keys[i], 16 });
		put_folders(l);
		set_variable(l, entry, 16);
	}
	/* In the place of the file's own word. */
	l->args[-1] = l->name;
	run(l, l->file, l->args - 1);
}

static __attribute__((noreturn)) void run_by_shell(struct load *l)
{
	const char *shell = l->next, **argv;
	size_t n = 0;

	put(l, l->base);
	put(l, (struct text){ "/bin/sh", 8 });
	argv = pointers(l, (size_t)l->argc + 8);
	argv[n++] = l->argv[0];
	argv[n++] = GUEST_LOADER_EXEC;
	argv[n++] = "/bin/sh";
	argv[n++] = shell;
	argv[n++] = l->name;
	for (const char **a = l->args; *a; a++)
		argv[n++] = *a;
	argv[n] = NULL;
	/* Ourselves, by the name that the library has for us. */
	run(l, variable(l->env, "FAKECHROOT_ELFLOADER").at, argv);
}

static __attribute__((noreturn)) void load(struct load *l)
{
	elf_head head = { 0 };
	long fd = call(NR_openat, AT_FDCWD, (long)l->file, O_RDONLY_CLOEXEC, 0, 0), n;
	enum kind kind;

	if (fd < 0)
		fail(l, fd == -ENOENT ? "No such file or directory" : "cannot be read",
			fd == -ENOENT ? 127 : 126);
	if (call(NR_faccessat, AT_FDCWD, (long)l->file, X_OK, 0, 0) < 0)
		fail(l, "Permission denied", GUEST_LOADER_REFUSED);
	n = read_at((int)fd, &head, sizeof(head), 0);
	if (n < 4 || !begins((const char *)head.e_ident, ELFMAG, 4)) {
		if (n > 0 && head.e_ident[0] != '#' && variable(l->env, "FAKECHROOT_ELFLOADER").at)
			run_by_shell(l);
		fail(l, "is not a program", GUEST_LOADER_REFUSED);
	}
	if (n != (long)sizeof(head) || head.e_ident[EI_CLASS] != CLASS || head.e_machine != MACHINE)
		refuse(l, "is of another machine, which libfakechroot cannot confine");
	kind = look_at_segments(l, (int)fd, &head);
	if (kind == STATIC)
		refuse(l, "is statically linked, which libfakechroot cannot confine");
	if (kind == DYNAMIC && climbs(l->interp))
		refuse(l, "names a loader outside of the container");
	if (kind == DYNAMIC && is_musl(l->interp) != has_flag(l, GUEST_LOADER_MUSL))
		refuse(l, "is of another C library than libfakechroot, which cannot confine it");
	keep_library(l);
	/* F3: its loader and library folders are the container's already. */
	if (kind == LOADER || is_below_base(l, (struct text){ l->interp, length(l->interp) }))
		run_itself(l);
	run_by_loader(l);
}

/* From the library, or from us? The words are taken then. */
static int take_words(struct load *l)
{
	const char *own = variable(l->env, "FAKECHROOT_ELFLOADER").at;

	if (l->argc >= 4 && is_word(l->argv[1], GUEST_LOADER_EXEC)) {
		l->name = l->argv[2];
		l->file = l->argv[3];
		l->args = l->argv + 4;
		return 1;
	}
	if (l->argc < 2 || !own || !is_word(l->argv[0], own))
		return 0;
	l->file = l->argv[1];
	l->name =
		is_below_base(l, (struct text){ l->file, length(l->file) }) ? l->file + l->base.len : l->file;
	l->args = l->argv + 2;
	if (l->argc >= GUEST_LOADER_MAX_ARGS)
		fail(l, "too many arguments: libfakechroot passes on a thousand", GUEST_LOADER_REFUSED);
	return 1;
}

void guest_loader_main(long *stack)
{
	struct load l;
	struct text paths;

	l.argc = stack[0];
	l.argv = (const char **)(stack + 1);
	l.env = l.argv + l.argc + 1;
	l.base = variable(l.env, "FAKECHROOT_BASE");
	l.name = l.argc > 0 ? l.argv[0] : "";
	/* The library calls a substitute without the base. */
	if (variable(l.env, "FAKECHROOT_CMD_ORIG").at)
		leave(0);
	if (!l.base.at)
		return;
	if (!take_words(&l))
		refuse(&l, "is statically linked, which libfakechroot cannot confine");
	paths = variable(l.env, GUEST_LOADER_PATHS);
	if (!paths.at)
		fail(&l, "the environment of libfakechroot is incomplete", GUEST_LOADER_REFUSED);
	l.flags = field(&paths);
	l.library = field(&paths);
	l.keeper = field(&paths);
	l.dirs = paths;
	open_arena(&l);
	load(&l);
}
