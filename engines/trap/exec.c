/* SPDX-License-Identifier: Apache-2.0 */
/* execve(), execveat() and ptrace(): see exec.h. What may be executed is looked at in exec_file.c. */
#include "engines/trap/exec.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/ptrace.h>

#include "engines/trap/call.h"
#include "engines/trap/exec_block.h"
#include "engines/trap/exec_file.h"
#include "engines/trap/owner.h"
#include "engines/trap/path.h"
#include "engines/trap/root.h"
#include "engines/trap/signals.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif
#define FLAGS (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK)
/* The kernel takes no more pointers than fit into three quarters of 8 MiB. */
#define MAX_ARGUMENTS ((6u << 20) / sizeof(char *))

static const char *program_name = "";
static int program_pid; /* that began it: not a vfork child */
static int postponed_pid; /* that asked to be traced */

const char *exec_program(void)
{
	return program_name;
}

void exec_set_program(const char *name)
{
	program_name = name;
	program_pid = (int)SYS(getpid);
}

/* The file of a descriptor, which may be an O_PATH one. */
static long open_again(int fd)
{
	char name[32];
	long r;

	if (fd == AT_FDCWD)
		return -EACCES; /* a directory */
	r = SYS(fcntl, fd, F_GETFD);
	if (r < 0)
		return r;
	text_fd_path(name, fd);
	return SYS(openat, AT_FDCWD, name, EXEC_FILE_OPEN);
}

/* Put "/dev/fd/N/" before the name, as the kernel does for what is named by a descriptor. */
static void name_by_fd(struct exec_block *b, int fd, size_t len)
{
	static const char prefix[] = "/dev/fd/";
	char begin[32];
	size_t n;

	memcpy(begin, prefix, sizeof(prefix) - 1);
	n = (size_t)(text_number(begin + sizeof(prefix) - 1, (unsigned long)fd) - begin);
	if (len)
		begin[n++] = '/';
	memmove(b->name + n, b->name, len + 1);
	memcpy(b->name, begin, n);
}

/* Fills b->name; *ret_fd: the descriptor that the name is relative to, or -1. The open program or -errno. */
static long open_program(struct exec_block *b, int dirfd, const char *path, int flags, int *ret_fd)
{
	long len = guest_string(b->name, path, TRAP_PATH_MAX), fd;
	unsigned long how = EXEC_FILE_OPEN | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);

	if (len < 0)
		return len;
	if (!len && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (!len)
		fd = open_again(dirfd);
	else
		fd = path_open(dirfd, b->name, how, 0);
	/* The kernel does not read it in the caller's name, we have to. */
	if (fd == -EACCES && len)
		fd = owner_open(dirfd, b->name, how, 0);
	*ret_fd = dirfd >= 0 && b->name[0] != '/' ? dirfd : -1;
	if (fd >= 0 && *ret_fd >= 0)
		name_by_fd(b, dirfd, (size_t)len);
	return fd == -ENXIO || fd == -ENODEV ? -EACCES : fd; /* sockets and devices are no programs */
}

static bool is_closed_by_exec(int fd)
{
	long r = SYS(fcntl, fd, F_GETFD);

	return r < 0 || (r & FD_CLOEXEC);
}

/* What lies behind the descriptor: 1 another #! line, 0 a program, or -errno. */
static long look_at(struct exec_block *b, int base_fd)
{
	char *head = b->head[b->levels];
	struct shebang line;
	long n = SYS(pread64, b->fd, head, SHEBANG_MAX, 0), r;

	if (n < 0)
		return n;
	memset(head + n, 0, SHEBANG_MAX - (size_t)n);
	r = shebang_parse(head, (size_t)n, &line);
	if (r == 0)
		return exec_file_is_elf(b->fd, head);
	if (r < 0)
		return r;
	if (b->levels == 0 && base_fd >= 0 && is_closed_by_exec(base_fd))
		return -ENOENT;
	if (b->levels == EXEC_LEVELS)
		return -ELOOP;
	b->line[b->levels++] = line;
	return 1;
}

/* From the name to the ELF file that is started, over the lines of scripts: b->fd is open then. 0 or -errno. */
static long find_program(struct exec_block *b, int dirfd, const char *path, int flags)
{
	int base_fd = -1;
	long fd = open_program(b, dirfd, path, flags, &base_fd), r;

	for (b->levels = 0;;) {
		if (fd < 0)
			return fd;
		b->fd = (int)fd;
		r = exec_file_permitted(b->fd, &b->st);
		if (r == 0 && !(flags & AT_EXECVE_CHECK))
			r = look_at(b, base_fd);
		if (r == 0)
			return 0;
		(void)SYS(close, b->fd);
		if (r < 0)
			return r;
		fd = path_open(AT_FDCWD, b->line[b->levels - 1].program, EXEC_FILE_OPEN, 0);
		if (fd == -ENXIO || fd == -ENODEV)
			fd = -EACCES;
	}
}

bool exec_program_is_kept(void)
{
	static const char mark[] = " (deleted)";
	const size_t n = strlen(program_name), m = sizeof(mark) - 1;

	return text_begins(program_name, "/proc/self/fd/") || (n > m && text_eq(program_name + n - m, mark));
}

/* For /proc/self/exe. What has no name in the guest is shown as the kernel does if it has none at all. */
static void name_program(struct exec_block *b)
{
	char link[32];
	long n = path_of_fd(b->fd, b->program);

	if (n >= 0)
		return;
	text_fd_path(link, b->fd);
	n = SYS(readlinkat, AT_FDCWD, link, b->program, sizeof(b->program) - 1);
	b->program[n < 0 ? 0 : n] = '\0';
	if (!text_begins(b->program, "/memfd:"))
		text_fd_path(b->program, trap_state->program);
}

static long count_words(char *const *argv, size_t *ret)
{
	size_t n = 0;
	char *word;

	for (; argv; n++) {
		long r = guest_read(&word, argv + n, sizeof(word));

		if (r < 0)
			return r;
		if (!word)
			break;
		if (n == MAX_ARGUMENTS)
			return -E2BIG;
	}
	*ret = n;
	return 0;
}

/* The innermost #! line comes first; the script's name stands for the guest's first word, which is lost. */
static const char **put_lines(struct exec_block *b, const char **to)
{
	for (unsigned i = b->levels; i-- > 0;) {
		*to++ = b->line[i].program;
		if (b->line[i].argument)
			*to++ = b->line[i].argument;
	}
	*to++ = b->name;
	return to;
}

static long make_words(struct exec_block *b, char *const *argv, const char ***ret)
{
	const char **words, **to;
	size_t n, skip = b->levels ? 1 : 0;
	long r = count_words(argv, &n);

	if (r < 0)
		return r;
	words = exec_block_words(b, EXEC_WORDS + 2 * EXEC_LEVELS + 2 + n + 1);
	if (!words)
		return -ENOMEM;
	words[EXEC_MARK] = b->mark;
	words[EXEC_PROGRAM] = b->program;
	words[EXEC_NAME] = b->name;
	words[EXEC_FD] = b->fd_text;
	to = words + EXEC_WORDS;
	if (b->levels)
		to = put_lines(b, to);
	else if (n == 0)
		*to++ = ""; /* as the kernel: a program has a name */
	if (n > skip) {
		r = guest_read(to, argv + skip, (n - skip) * sizeof(to[0]));
		to += n - skip;
	}
	*to = NULL;
	*ret = words;
	return r;
}

static void write_mark(struct exec_block *b)
{
	uint32_t uid[4], gid[4];
	char *to = b->mark;
	const char *root;
	size_t n;

	*to++ = EXEC_MARK_BYTE;
	*to++ = 'T';
	to = text_number(to, trap_state->fd_high);
	*to++ = ',';
	ids_exec(&b->st, uid, gid);
	to += ids_to_text(to);
	root = root_name(&n);
	memcpy(to, root, n + 1);
	text_number(b->fd_text, (unsigned long)b->fd);
}

static void trace_postponed(void)
{
	if (postponed_pid && postponed_pid == (int)SYS(getpid)) {
		postponed_pid = 0;
		(void)SYS(ptrace, PTRACE_TRACEME, 0, 0, 0);
	}
}

static long start_image(const char **words, char *const *envp)
{
	char self[32];
	long r;

	trace_postponed();
	signals_before_exec();
	r = SYS(execveat, trap_state->self, "", words, envp, AT_EMPTY_PATH);
	if (r == -ENOSYS || r == -EPERM) {
		text_fd_path(self, trap_state->self);
		r = SYS(execve, self, words, envp);
	}
	signals_after_exec();
	return r;
}

static long replace(struct exec_block *b, char *const *argv, char *const *envp)
{
	const char **words;
	long r;

	name_program(b);
	write_mark(b);
	r = make_words(b, argv, &words);
	if (r < 0)
		return r;
	(void)SYS(fcntl, b->fd, F_SETFD, 0);
	return start_image(words, envp);
}

long exec_program_at(int dirfd, const char *path, int flags, char *const *argv, char *const *envp)
{
	struct exec_block *b = exec_block_take();
	long r;

	if (!b)
		return -ENOMEM;
	r = find_program(b, dirfd, path, flags);
	if (r == 0) {
		if (!(flags & AT_EXECVE_CHECK))
			r = replace(b, argv, envp);
		(void)SYS(close, b->fd);
	}
	exec_block_give(b);
	return r;
}

/* A program keeps the mask of the thread that started it, and not that of a signal handler. */
static long exec_call(const struct call *c, int dirfd, int flags, const unsigned long *arg)
{
	uint64_t mask, before;
	long r;

	if (c->mask) {
		mask = signals_mask(*c->mask);
		(void)SYS(rt_sigprocmask, SIG_SETMASK, &mask, &before, sizeof(mask));
	}
	r = exec_program_at(dirfd, (const char *)arg[0], flags, (char *const *)arg[1], (char *const *)arg[2]);
	if (c->mask)
		(void)SYS(rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
	return r;
}

long call_execve(struct call *c)
{
	return exec_call(c, AT_FDCWD, 0, c->arg);
}

long call_execveat(struct call *c)
{
	if (c->arg[4] & ~(unsigned long)FLAGS)
		return -EINVAL;
	return exec_call(c, (int)c->arg[0], (int)c->arg[4], c->arg + 1);
}

/* Does this process use its parent's memory, as a vfork child does? */
static bool is_vfork_child(void)
{
	long pid = SYS(getpid), parent = SYS(getppid);

	return pid != program_pid && SYS(kcmp, pid, parent, KCMP_VM, 0, 0) <= 0; /* or it cannot be told */
}

/*
 * A debugger waits in vfork() until its child is a program; each of the engine's signals would stop that child before. So it is traced from its exec
 * on.
 */
long call_ptrace(struct call *c)
{
	if ((uint32_t)c->arg[0] != PTRACE_TRACEME || !is_vfork_child())
		return call_pass(c);
	postponed_pid = (int)SYS(getpid);
	return 0;
}
