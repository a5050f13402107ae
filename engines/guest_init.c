/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first program inside a direct engine: reads a launch block (guest_init.h), sets what belongs to the process itself,
 * answers on the status descriptor and becomes the program. No C library and no relocation, so that it runs in any guest
 * of its architecture, before anything of the guest has been trusted, and costs a handful of system calls: under a tracer
 * each of them is two stops. What the engine's process hands on (signals) is pkg/runtime's.
 */
#include "engines/guest_init.h"

#include <asm-generic/errno.h>
#include <stddef.h>

#define GUEST_CALL_START
#include "engines/guest_call.h"
#include "engines/guest_filter.h"
#include "engines/guest_loader.h"
#include "engines/guest_within.h"

#define AT_EMPTY_PATH 0x1000
#define AT_FDCWD (-100)
#define MSG_NOSIGNAL 0x4000
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define PDEATHSIG 1 /* PR_SET_PDEATHSIG */
#define NEW_LISTENER 8 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */
#define SIGKILL 9
#define SIGCHLD 17
#define TIOCSCTTY 0x540E

#define F_DUPFD_CLOEXEC 1030
#define MSG_CMSG_CLOEXEC 0x40000000
#define ERRNO_PROTOCOL 71 /* EPROTO */
#define WAIT_SPINS 100
#define WAIT_STEPS 10000 /* of */
#define WAIT_STEP_NS 1000000

void guest_main(long *stack);

/*
 * All that changes lies on the stack: without data of its own the program is one segment, and each further one would be two more calls
 * of the loader, four stops of a tracer.
 */
struct guest {
	int status_fd;
	char *cursor, *limit; /* of the launch block: next field; behind the last NUL */
	const char *file; /* where the program is, "" if it has to be looked for */
	uint64_t *filter; /* struct sock_filter each */
	size_t n_filter; /* 0: none */
	unsigned filter_flags;
	volatile struct guest_init_shared *shared; /* NULL: nobody waits for a listener */
	int first[GUEST_INIT_FDS_PER_MESSAGE];
	size_t used; /* of the arena */
	_Alignas(16) char arena[GUEST_INIT_INLINE_MAX];
	char text[GUEST_INIT_INLINE_MAX + 1];
	char path[4096 + 256];
	char listen_pid[32];
};

/* ---- what a C library would have ---- */
static __attribute__((noreturn)) void die(void)
{
	(void)call(NR_exit_group, GUEST_INIT_FAILED, 0, 0, 0, 0);
	__builtin_trap(); /* the container's own filter may forbid it */
}

static __attribute__((noreturn)) void fail(const struct guest *g, int stage, long error)
{
	struct guest_init_status s = { stage, (int32_t)(error < 0 ? -error : error) };

	/* Nobody can be told if this fails too; the exit status still says it. */
	(void)call(NR_write, g->status_fd, (long)&s, sizeof(s), 0, 0);
	die();
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* The compiler may make calls of these from loops and assignments. */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n--) {
		*t++ = *f++;
		__asm__ volatile("" ::: "memory"); /* keeps the loop from becoming a call of itself */
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	char *t = to;

	while (n--) {
		*t++ = (char)c;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

/* Memory, never given back: from a small arena, and from the kernel when that is spent. */
static void *grab(struct guest *g, size_t n)
{
	long r;

	n = (n + 15) & ~(size_t)15;
	if (n <= sizeof(g->arena) - g->used) {
		g->used += n;
		return g->arena + g->used - n;
	}
	r = call(NR_mmap, 0, (long)n, 3 /* read, write */, 0x22 /* private, anonymous */, -1);
	if (r < 0 && r > -4096)
		fail(g, GUEST_INIT_STAGE_BLOCK, r);
	return (void *)r;
}

/* ---- the launch block ---- */
static char *field(struct guest *g)
{
	char *s = g->cursor;

	if (s >= g->limit)
		fail(g, GUEST_INIT_STAGE_BLOCK, EINVAL);
	g->cursor += length(s) + 1;
	return s;
}

static uint64_t number(struct guest *g)
{
	const char *s = field(g);
	uint64_t n = 0;

	if (!*s)
		fail(g, GUEST_INIT_STAGE_BLOCK, EINVAL);
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			fail(g, GUEST_INIT_STAGE_BLOCK, EINVAL);
		n = n * 10 + (uint64_t)(*s - '0');
	}
	return n;
}

/* A count is at most the bytes that are left, since each thing counted takes at least one. */
static size_t count(struct guest *g)
{
	uint64_t n = number(g);

	if (n > (uint64_t)(g->limit - g->cursor))
		fail(g, GUEST_INIT_STAGE_BLOCK, EINVAL);
	return (size_t)n;
}

static void expect(struct guest *g, const char *word)
{
	const char *s = field(g);

	while (*s && *s == *word) {
		s++;
		word++;
	}
	if (*s != *word)
		fail(g, GUEST_INIT_STAGE_BLOCK, EINVAL);
}

static char **list(struct guest *g, size_t *ret_n)
{
	size_t n = count(g);
	char **v = grab(g, (n + 1) * sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = field(g);
	v[n] = NULL;
	*ret_n = n;
	return v;
}

/* The bytes, which must end as fields do. */
static void use_block(struct guest *g, char *bytes, size_t n)
{
	if (n == 0 || bytes[n - 1] != '\0')
		fail(g, GUEST_INIT_STAGE_BLOCK, EINVAL);
	g->cursor = bytes;
	g->limit = bytes + n;
}

static void read_block(struct guest *g, int fd)
{
	size_t cap = (size_t)GUEST_INIT_INLINE_MAX * 8, n = 0;
	char *buf = grab(g, cap);
	long r;

	for (;;) {
		r = call(NR_read, fd, (long)(buf + n), (long)(cap - n), 0, 0);
		if (r == -EINTR)
			continue;
		if (r < 0)
			fail(g, GUEST_INIT_STAGE_BLOCK, r);
		n += (size_t)r;
		if (r == 0)
			break;
		if (n == cap) {
			char *more;

			if (cap > GUEST_INIT_BLOCK_MAX)
				fail(g, GUEST_INIT_STAGE_BLOCK, E2BIG);
			more = grab(g, cap * 8);
			memcpy(more, buf, n);
			buf = more;
			cap *= 8;
		}
	}
	use_block(g, buf, n);
}

/* ---- the other side ---- */
enum { SOCK = 0 }; /* our descriptor of it */

static void say_hello(void)
{
	static const char hello = GUEST_INIT_HELLO;
	struct {
		const void *base;
		size_t len;
	} iov = { &hello, 1 };
	struct kernel_msghdr msg = { .iov = &iov, .n_iov = 1 };
	long r;

	do
		r = call(NR_sendmsg, SOCK, (long)&msg, MSG_NOSIGNAL, 0, 0);
	while (r == -EINTR);
	if (r < 0)
		die(); /* nobody is there */
}

/* Who reads the status knows from now on that its end is the program's beginning. */
static void say_here(const struct guest *g)
{
	static const char here = GUEST_INIT_HERE;

	(void)call(NR_write, g->status_fd, (long)&here, 1, 0, 0); /* who waits may have been killed */
}

/* One message: its bytes, and its descriptors into `fd`. How many of these came is in *ret_fds; all are close-on-exec. */
static size_t receive(
	const struct guest *g, void *data, size_t size, int fd[GUEST_INIT_FDS_PER_MESSAGE], size_t *ret_fds)
{
	struct {
		void *base;
		size_t len;
	} iov = { data, size };
	struct {
		size_t len;
		int level, type, fd[GUEST_INIT_FDS_PER_MESSAGE + 1];
	} control = { 0 };
	struct kernel_msghdr msg = {
		.iov = &iov, .n_iov = 1, .control = &control, .control_len = sizeof(control)
	};
	size_t head = offsetof(__typeof__(control), fd), n;
	long r;

	do
		r = call(NR_recvmsg, SOCK, (long)&msg, MSG_CMSG_CLOEXEC, 0, 0);
	while (r == -EINTR);
	if (r <= 0 || msg.control_len < head || control.len < head || control.level != SOL_SOCKET ||
		control.type != SCM_RIGHTS)
		fail(g, GUEST_INIT_STAGE_FDS, r < 0 ? r : ERRNO_PROTOCOL); /* our supervisor has gone */
	n = (control.len - head) / sizeof(int);
	if (n > GUEST_INIT_FDS_PER_MESSAGE)
		fail(g, GUEST_INIT_STAGE_FDS, ERRNO_PROTOCOL);
	memcpy(fd, control.fd, n * sizeof(int));
	*ret_fds = n;
	return (size_t)r;
}

/* A descriptor that stands where another is to go moves behind all that are asked for; the old one ends with exec. */
static void make_room(const struct guest *g, int *fd, int number, int base)
{
	long r;

	if (*fd != number)
		return;
	r = call(NR_fcntl, *fd, F_DUPFD_CLOEXEC, base, 0, 0);
	if (r < 0)
		fail(g, GUEST_INIT_STAGE_FDS, r);
	*fd = (int)r;
}

/* To the numbers of the block. What we hold besides is close-on-exec, so that nothing has to be closed by a call of its own. */
static void place(struct guest *g, int *fd, const int *to, size_t n)
{
	int base = 3, has_zero = 0;
	long r;

	for (size_t i = 0; i < n; i++) {
		base = to[i] >= base ? to[i] + 1 : base;
		has_zero |= to[i] == SOCK;
	}
	for (size_t i = 0; i < n; i++) {
		make_room(g, &g->status_fd, to[i], base);
		/* One that is where it belongs moves too: dup3() to itself fails, and it must lose its close-on-exec. */
		for (size_t j = i; j < n; j++)
			make_room(g, &fd[j], to[i], base);
		r = call(NR_dup3, fd[i], to[i], 0, 0, 0);
		if (r < 0)
			fail(g, GUEST_INIT_STAGE_FDS, r);
	}
	if (!has_zero)
		(void)call(NR_close, SOCK, 0, 0, 0, 0);
}

/* Memory that the other side sees: what is said under the container's own filter is said without a call. */
static void share(struct guest *g, int fd)
{
	long r = call(NR_mmap, 0, sizeof(*g->shared), 3 /* read, write */, 1 /* shared */, fd);

	if (r < 0 && r > -4096)
		fail(g, GUEST_INIT_STAGE_FDS, r);
	g->shared = (volatile struct guest_init_shared *)r;
}

/* The answer to our hello: leaves the block's first fields read and the program's descriptors where they belong. */
static void receive_all(struct guest *g)
{
	size_t n, have, used = 1, want;
	int *fd, *to;

	n = receive(g, g->text, sizeof(g->text), g->first, &have);
	if (have < 1)
		fail(g, GUEST_INIT_STAGE_FDS, ERRNO_PROTOCOL);
	g->status_fd = g->first[0];
	if (g->text[0] == GUEST_INIT_FILE && have >= 2)
		read_block(g, g->first[used++]);
	else
		use_block(g, g->text + 1, n - 1);
	expect(g, GUEST_INIT_MAGIC);
	if (number(g)) {
		if (have <= used)
			fail(g, GUEST_INIT_STAGE_FDS, ERRNO_PROTOCOL);
		share(g, g->first[used++]);
	}
	want = count(g);
	to = grab(g, (want + 1) * sizeof(*to));
	fd = grab(g, (want + GUEST_INIT_FDS_PER_MESSAGE) * sizeof(*fd));
	for (size_t i = 0; i < want; i++)
		to[i] = (int)number(g);
	have -= used;
	if (have > want)
		fail(g, GUEST_INIT_STAGE_FDS, ERRNO_PROTOCOL);
	memcpy(fd, g->first + used, have * sizeof(int));
	while (have < want) {
		(void)receive(g, &n, 1, fd + have, &used);
		have += used;
	}
	if (have > want)
		fail(g, GUEST_INIT_STAGE_FDS, ERRNO_PROTOCOL);
	place(g, fd, to, want);
}

/* ---- the process, and the program ---- */
static void check(const struct guest *g, int stage, long r)
{
	if (r < 0)
		fail(g, stage, r);
}

/*
 * Become an orphan, so that the kernel gives us to the supervisor, a subreaper: then it has the program's true wait status. It sees
 * for itself when that has happened, and answers only then.
 */
static void detach(void)
{
	long r = call(NR_clone, SIGCHLD, 0, 0, 0, 0);

	if (r == 0)
		return;
	for (;;)
		(void)call(NR_exit_group, r < 0 ? GUEST_INIT_FAILED : 0, 0, 0, 0, 0);
}

static void set_session(unsigned flags)
{
	if (flags & GUEST_INIT_DETACH)
		detach();
	/* Fails for a leader of a group or session only, which then is what it was to become. */
	if (flags & GUEST_INIT_SESSION)
		(void)call(NR_setsid, 0, 0, 0, 0, 0);
	else if ((flags & GUEST_INIT_GROUP) && !(flags & GUEST_INIT_DETACH))
		(void)call(NR_setpgid, 0, 0, 0, 0, 0);
}

/* Until the kernel has given us to the supervisor: then the other half of detach() has gone. */
static void wait_for_parent(const struct guest *g, long parent)
{
	struct {
		long sec, nsec;
	} pause = { 0, WAIT_STEP_NS };

	for (int i = 0; call(NR_getppid, 0, 0, 0, 0, 0) != parent; i++) {
		if (i >= WAIT_SPINS + WAIT_STEPS)
			fail(g, GUEST_INIT_STAGE_SESSION, ESRCH);
		if (i >= WAIT_SPINS)
			(void)call(NR_nanosleep, (long)&pause, 0, 0, 0, 0);
	}
}

/*
 * From here on we end with the supervisor. It may have ended already, and its tracer with it: what we exec'd then would be a program
 * of the host.
 */
static void tie_to_parent(const struct guest *g, long parent)
{
	(void)call(NR_prctl, PDEATHSIG, SIGKILL, 0, 0, 0);
	if (parent && call(NR_getppid, 0, 0, 0, 0, 0) != parent)
		fail(g, GUEST_INIT_STAGE_SESSION, ESRCH);
}

static uint64_t *words(struct guest *g, size_t *ret_n)
{
	size_t n = count(g);
	uint64_t *v = grab(g, (n + 1) * sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = number(g);
	*ret_n = n;
	return v;
}

/* Inside, where the container's own mounts and links are what the path goes through. */
static void make_folders(const char *path)
{
	long mask = call(NR_umask, 022, 0, 0, 0, 0);
	char part[4096];

	for (size_t n = 0; n < sizeof(part) - 1; n++) {
		part[n] = path[n];
		if (n > 0 && (path[n] == '/' || !path[n])) {
			part[n] = 0;
			(void)call(NR_mkdirat, AT_FDCWD, (long)part, 0755, 0, 0);
			part[n] = '/';
		}
		if (!path[n])
			break;
	}
	(void)call(NR_umask, mask, 0, 0, 0, 0);
}

static long enter_cwd(const char *cwd, unsigned make)
{
	long r = call(NR_chdir, (long)cwd, 0, 0, 0, 0);

	if (r != -ENOENT || !make)
		return r;
	make_folders(cwd);
	return call(NR_chdir, (long)cwd, 0, 0, 0, 0);
}

static void set_process(struct guest *g, unsigned flags)
{
	long mask = (long)number(g), uid = (long)number(g), gid = (long)number(g);
	const char *cwd = field(g);
	long parent = (long)number(g);
	uint64_t *cpus;
	unsigned *groups;
	size_t n, n_cpus;

	g->file = field(g);
	if (flags & GUEST_INIT_EARLY)
		wait_for_parent(g, parent);
	if ((flags & GUEST_INIT_GROUP) && (flags & GUEST_INIT_DETACH))
		(void)call(NR_setpgid, 0, 0, 0, 0, 0);
	cpus = words(g, &n_cpus);
	n = count(g);
	groups = grab(g, (n + 1) * sizeof(*groups));
	for (size_t i = 0; i < n; i++)
		groups[i] = (unsigned)number(g);
	for (size_t left = count(g); left > 0; left--) {
		long resource = (long)number(g);
		uint64_t limits[2];

		limits[0] = number(g);
		limits[1] = number(g);
		check(g, GUEST_INIT_STAGE_RLIMIT, call(NR_prlimit64, 0, resource, (long)limits, 0, 0));
	}
	g->filter_flags = (unsigned)number(g);
	g->filter = words(g, &g->n_filter);
	if (flags & GUEST_INIT_NO_NEW_PRIVS)
		check(g, GUEST_INIT_STAGE_IDS, call(NR_prctl, SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (flags & GUEST_INIT_SET_UMASK)
		(void)call(NR_umask, mask, 0, 0, 0, 0);
	if (flags & GUEST_INIT_SET_GROUPS)
		check(g, GUEST_INIT_STAGE_GROUPS, call(NR_setgroups, (long)n, (long)groups, 0, 0, 0));
	if (flags & GUEST_INIT_SET_IDS) {
		check(g, GUEST_INIT_STAGE_IDS, call(NR_setresgid, gid, gid, gid, 0, 0));
		check(g, GUEST_INIT_STAGE_IDS, call(NR_setresuid, uid, uid, uid, 0, 0));
	}
	/* After the ids: changing them clears it. */
	if (flags & GUEST_INIT_PDEATHSIG)
		tie_to_parent(g, parent);
	check(g, GUEST_INIT_STAGE_CWD, enter_cwd(cwd, flags & GUEST_INIT_MAKE_CWD));
	/* Last: as long as we are where the tracer is, a stop costs little. */
	if (n_cpus)
		check(g, GUEST_INIT_STAGE_CPUS,
			call(NR_sched_setaffinity, 0, (long)(n_cpus * sizeof(*cpus)), (long)cpus, 0, 0));
}

/* The container's own filter, right before its program, so that it need not allow what we do; only the program's exec comes after it. */
static void set_filter(const struct guest *g)
{
	unsigned flags = g->filter_flags | (g->shared ? NEW_LISTENER : 0);
	long r;

	if (!g->n_filter)
		return;
	r = filter_install(g->filter, g->n_filter, flags);
	check(g, GUEST_INIT_STAGE_SECCOMP, r);
	if (!g->shared)
		return;
	/* It ends with our exec: until the other side has it we stand still. */
	g->shared->listener = (int32_t)r + 1;
	while (!g->shared->go)
		__asm__ volatile("" ::: "memory");
}

static const char *search_path(char **env)
{
	static const char key[] = "PATH=";

	for (; *env; env++) {
		size_t i = 0;

		while (key[i] && (*env)[i] == key[i])
			i++;
		if (!key[i])
			return *env + i;
	}
	return GUEST_INIT_DEFAULT_PATH;
}

/* True for the errors that send execvp() to the next directory. */
static int is_elsewhere(long r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ENODEV || r == -ESTALE || r == -ETIMEDOUT ||
	       r == -ENAMETOOLONG;
}

/* As execvp(): every directory of PATH (an empty one is the working directory); "permission denied" beats "not found". */
static __attribute__((noreturn)) void run(struct guest *g, unsigned flags, char **argv, char **env)
{
	const char *where = g->file;
	char *file = g->path;
	const char *name = argv[0], *path;
	size_t name_len = length(name);
	long r, remembered = -ENOENT;
	int has_slash = 0;

	/* It has been looked for from outside; if that erred, we look again. */
	if (*where) {
		r = call(NR_execve, (long)where, (long)argv, (long)env, 0, 0);
		if ((flags & GUEST_INIT_EXACT) || !is_elsewhere(r))
			fail(g, GUEST_INIT_STAGE_EXEC, r);
	}

	for (size_t i = 0; i < name_len; i++)
		has_slash |= name[i] == '/';
	if (has_slash || name_len == 0)
		fail(g, GUEST_INIT_STAGE_EXEC,
			name_len ? call(NR_execve, (long)name, (long)argv, (long)env, 0, 0) : ENOENT);
	for (path = search_path(env);; path++) {
		size_t n = 0;

		while (path[n] && path[n] != ':')
			n++;
		if (n + name_len + 2 <= sizeof(g->path)) {
			memcpy(file, path, n);
			file[n] = '/';
			memcpy(file + n + 1, name, name_len + 1);
			r = call(NR_execve, (long)(n ? file : file + 1), (long)argv, (long)env, 0, 0);
			if (r == -EACCES)
				remembered = r;
			else if (!is_elsewhere(r))
				fail(g, GUEST_INIT_STAGE_EXEC, r);
		}
		path += n;
		if (!*path)
			fail(g, GUEST_INIT_STAGE_EXEC, remembered);
	}
}

/* The number in an argument, -1 if it is none. */
static int flags_of(const char *s)
{
	int n = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > 100000000)
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

/* LISTEN_PID must name the process that gets the sockets, which nobody but us knows in time. */
static void set_listen_pid(struct guest *g, char **env)
{
	static const char key[] = "LISTEN_PID=";
	char *p = g->listen_pid + sizeof(g->listen_pid) - 1;
	long pid = call(NR_getpid, 0, 0, 0, 0, 0);

	*p = '\0';
	for (; pid > 0; pid /= 10)
		*--p = (char)('0' + pid % 10);
	p -= sizeof(key) - 1;
	memcpy(p, key, sizeof(key) - 1);
	for (; *env; env++) {
		size_t i = 0;

		while (key[i] && (*env)[i] == key[i])
			i++;
		if (!key[i])
			*env = p;
	}
}

/*
 * "true": an engine that is probed runs us to see whether it can run anything. Newer C libraries make fstat() of a call that PRoot
 * 5.1.0 breaks with some of its options, hence 3 when that fails.
 */
static __attribute__((noreturn)) void probe(void)
{
	char where_to[256]; /* the largest struct stat has 144 bytes */
	long r = call(NR_newfstatat, 0, (long)"", (long)where_to, AT_EMPTY_PATH, 0);

	for (;;)
		(void)call(NR_exit_group, r < 0 ? 3 : 0, 0, 0, 0, 0);
}

void guest_main(long *stack)
{
	static const char usage[] =
		"udocker-guest-init: started by udocker-runtime inside a container, not by hand\n";
	char **args = (char **)(stack + 1);
	int given = stack[0] == 2 ? flags_of(args[1]) : -1;
	unsigned flags = (unsigned)given;
	char **argv, **env;
	size_t argc, envc;
	struct guest g;

	guest_loader_main(stack);
	guest_within_main(stack);
	g.status_fd = -1;
	g.used = 0;
	g.shared = NULL;
	if (stack[0] == 2 && args[1][0] == 't')
		probe();
	if (given < 0) {
		(void)call(NR_write, 2, (long)usage, sizeof(usage) - 1, 0, 0);
		die();
	}
	set_session(flags);
	if (!(flags & GUEST_INIT_ALONE))
		say_hello();
	receive_all(&g);
	if (flags & GUEST_INIT_ALONE)
		say_here(&g);
	if (flags & GUEST_INIT_TTY)
		check(&g, GUEST_INIT_STAGE_SESSION, call(NR_ioctl, 0, TIOCSCTTY, 0, 0, 0));
	set_process(&g, flags);
	argv = list(&g, &argc);
	env = list(&g, &envc);
	expect(&g, "end");
	if (argc == 0)
		fail(&g, GUEST_INIT_STAGE_BLOCK, EINVAL);
	if (flags & GUEST_INIT_LISTEN_PID)
		set_listen_pid(&g, env);
	set_filter(&g);
	run(&g, flags, argv, env);
}
