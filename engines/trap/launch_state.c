/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a run as the launcher builds it: binds, their descriptors and names, what lies under mount points. */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "engines/trap/launch.h"
#include "engines/trap/loader.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define F_ADD_SEALS_NR 1033
#define SEALS_ALL 15 /* F_SEAL_SEAL, SHRINK, GROW, WRITE */
#define USAGE 125
#define HIDDEN_DEPTH 6

static union {
	struct trap_state state;
	char room[TRAP_STATE_MAX];
} built;
static uint32_t text_used = 1; /* 0 is no text */

struct trap_state *launch_state(void)
{
	return &built.state;
}

uint32_t launch_add_text(const char *s)
{
	size_t n = strlen(s) + 1;
	uint32_t at = text_used;

	if (n > sizeof(built) - sizeof(struct trap_state) - text_used)
		trap_die(USAGE, "the binds' names are too long", NULL);
	memcpy(built.state.text + at, s, n);
	text_used += (uint32_t)n;
	return at;
}

/* ---- names of the host ---- */

/* Of a directory: as the kernel knows the working directory, with /proc or without. */
static bool directory_name(long fd, char *to)
{
	return SYS(fchdir, fd) == 0 && SYS(getcwd, to, TRAP_PATH_MAX) > 0 && to[0] == '/';
}

static bool file_name(long fd, const char *host, char *to)
{
	char link[32];
	long n;
	size_t len = strlen(host);

	(void)text_fd_path(link, fd);
	n = SYS(readlinkat, AT_FDCWD, link, to, TRAP_PATH_MAX - 1);
	if (n > 0) {
		to[n] = '\0';
		return true;
	}
	if (host[0] != '/' || len >= TRAP_PATH_MAX)
		return false;
	memcpy(to, host, len + 1);
	return true;
}

static uint32_t add_host_name(const struct launch_bind *b, long fd, bool is_dir)
{
	char *name = buffer_take();
	long back = SYS(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool known = is_dir ? directory_name(fd, name) : file_name(fd, b->host, name);
	uint32_t at;

	if (back >= 0) {
		(void)SYS(fchdir, back); /* relative sources of other binds */
		(void)SYS(close, back);
	}
	if (!known)
		trap_die(126, "the source of a bind has no name", b->host);
	at = launch_add_text(name);
	buffer_give(name);
	return at;
}

/* ---- binds ---- */
static uint32_t add_guest_name(const char *guest)
{
	uint32_t at = launch_add_text(guest);
	size_t n = strlen(guest);

	if (n && guest[0] != '/')
		trap_die(USAGE, "a bind's place is no absolute path", guest);
	for (const char *p = guest; *p; p++)
		if (p[0] == '/' &&
			(p[1] == '/' || (p[1] == '.' && (p[2] == '/' || !p[2] ||
								(p[2] == '.' && (p[3] == '/' || !p[3]))))))
			trap_die(USAGE, "a bind's place is no plain path", guest);
	while (n && built.state.text[at + n - 1] == '/')
		built.state.text[at + --n] = '\0';
	return at;
}

void launch_add_bind(const struct launch_bind *b)
{
	struct trap_state *s = &built.state;
	long fd = SYS(openat, AT_FDCWD, b->host, O_PATH | O_CLOEXEC);
	struct trap_bind bind = { 0 };
	struct statfs fs;
	struct stat st;

	if (fd < 0 || SYS(fstat, fd, &st) < 0)
		trap_die(126, "cannot open the source of a bind", b->host);
	bind.guest = add_guest_name(b->guest);
	bind.host = add_host_name(b, fd, S_ISDIR(st.st_mode));
	bind.guest_len = (uint16_t)strlen(s->text + bind.guest);
	bind.host_len = (uint16_t)strlen(s->text + bind.host);
	bind.fd = (int32_t)fd;
	if (!S_ISDIR(st.st_mode))
		bind.flags |= TRAP_BIND_FILE;
	else if (SYS(fstatfs, fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
		bind.flags |= TRAP_BIND_PROC;
	if (b->readonly) {
		bind.flags |= TRAP_BIND_READONLY;
		s->flags |= TRAP_ANY_READONLY;
	}
	if (s->n_binds > TRAP_MAX_BINDS)
		trap_die(USAGE, "too many binds", b->guest);
	s->bind[s->n_binds++] = bind;
}

/* ---- look-up ---- */
static uint32_t hash_of(const char *s)
{
	uint32_t h = PATH_HASH;

	while (*s)
		h = path_hash(h, *s++);
	return h;
}

static void add_last_name(const char *name)
{
	trap_add_last_name(&built.state, hash_of(name));
}

/*
 * A place is a name without links, as mount(2) would find it with the binds before it. What is not there yet may be named as it is; but a link on
 * the way to it is one.
 */
static void settle_place(struct trap_bind *b)
{
	struct trap_state *s = &built.state;
	char *name = buffer_take();
	long kind = path_canonical(AT_FDCWD, s->text + b->guest, true, name);
	size_t n = kind == PATH_PLAIN ? strlen(name) : 0;

	if (n > 1) {
		b->guest = launch_add_text(name);
		b->guest_len = (uint16_t)n;
	}
	buffer_give(name);
}

/* A later bind at the same place hides this one. */
static bool is_hidden_by_later(unsigned i)
{
	const struct trap_state *s = &built.state;

	for (unsigned k = i + 1; k < s->n_binds; k++)
		if (text_eq(s->text + s->bind[k].guest, s->text + s->bind[i].guest))
			return true;
	return false;
}

static void index_bind(unsigned i)
{
	struct trap_state *s = &built.state;
	struct trap_bind *b = &s->bind[i];
	const char *guest = s->text + b->guest, *last = guest;
	uint16_t *bucket = &s->bucket[hash_of(guest) % TRAP_BUCKETS];

	b->next = *bucket;
	*bucket = (uint16_t)(i + 1);
	for (const char *p = guest; *p; p++)
		if (*p == '/')
			last = p + 1;
	add_last_name(last);
}

/* Files of /proc that are made up are looked for by name, like mount points, so that no relative path passes them. */
static void index_proc(void)
{
	static const char *const names[] = { "mounts", "mountinfo", "mountstats", "status", "maps", "smaps",
		"numa_maps", "exe", "cwd", "root" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_last_name(names[i]);
}

/* ---- what lies under mount points ---- */
static bool add_stub(const struct stat *st)
{
	struct trap_state *s = &built.state;

	if (s->n_stubs == TRAP_MAX_STUBS)
		return false;
	s->stub[s->n_stubs++] = (struct trap_stub){ st->st_dev, st->st_ino };
	s->stub_inodes |= 1ull << (st->st_ino & 63);
	return true;
}

static bool hide(long fd, unsigned depth);

/* false: more than can be kept, or nobody may look. */
static bool hide_entries(long dir, unsigned depth)
{
	char entries[2048];
	long n, at;

	while ((n = SYS(getdents64, dir, entries, sizeof(entries))) > 0)
		for (at = 0; at < n;) {
			const char *name = entries + at + 19; /* of struct linux_dirent64 */
			uint16_t size;
			long fd;
			bool fits;

			memcpy(&size, entries + at + 16, sizeof(size));
			at += size;
			if (text_eq(name, ".") || text_eq(name, ".."))
				continue;
			fd = SYS(openat, dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
			fits = fd < 0 || hide(fd, depth + 1);
			if (fd >= 0)
				(void)SYS(close, fd);
			if (!fits)
				return false;
		}
	return n == 0;
}

static bool hide(long fd, unsigned depth)
{
	struct stat st;
	bool fits;
	long dir;

	if (depth > HIDDEN_DEPTH || SYS(fstat, fd, &st) < 0 || !add_stub(&st))
		return false;
	if (!S_ISDIR(st.st_mode))
		return true;
	dir = SYS(openat, fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	fits = hide_entries(dir, depth);
	(void)SYS(close, dir);
	return fits;
}

/* The bind around a mount point, and where that lies in it. */
static const struct trap_bind *around(const struct trap_bind *b, const char **ret_rest)
{
	char *name = buffer_take();
	const struct trap_bind *outer;
	size_t n = b->guest_len;
	const char *rest;

	memcpy(name, trap_bind_guest(b), n + 1);
	while (n && name[n - 1] != '/')
		n--;
	name[n ? n - 1 : 0] = '\0';
	outer = path_locate(name, &rest);
	*ret_rest = trap_bind_guest(b) + outer->guest_len;
	while (**ret_rest == '/')
		(*ret_rest)++;
	buffer_give(name);
	return outer;
}

/*
 * What the kernel finds where the mount point is, which the bind itself would hide from a guest's path. A directory bound to where it is hides
 * nothing; a procfs is to be seen by us alone.
 */
static void look_under(struct trap_bind *b)
{
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
	const char *rest;
	const struct trap_bind *outer = around(b, &rest);
	struct stat hidden, source;
	bool clean;
	long fd;

	if (outer->flags & TRAP_BIND_FILE)
		trap_die(USAGE, "a bind lies in a bound file", trap_bind_guest(b));
	if (trap_has(TRAP_NO_OPENAT2)) /* every link is walked */
		return;
	fd = SYS(openat2, outer->fd, rest, &how, sizeof(how));
	if (fd < 0)
		return;
	clean = SYS(fstat, fd, &hidden) == 0 && SYS(fstat, b->fd, &source) == 0;
	if (clean && hidden.st_dev == source.st_dev && hidden.st_ino == source.st_ino)
		clean = !(b->flags & TRAP_BIND_PROC);
	else if (clean)
		clean = hide(fd, 0);
	if (!clean)
		built.state.flags |= TRAP_UNCLEAN;
	(void)SYS(close, fd);
}

/* A source within another one, or the same twice: the way back has two answers. */
static bool overlap(const struct trap_bind *a, const struct trap_bind *b)
{
	const char *outer = trap_bind_host(a), *inner = trap_bind_host(b);

	return text_begins(inner, outer) &&
	       (!inner[a->host_len] || inner[a->host_len] == '/' || a->host_len == 1);
}

static void find_overlaps(void)
{
	struct trap_state *s = &built.state;

	for (unsigned i = 0; i < s->n_binds; i++)
		for (unsigned k = 0; k < s->n_binds; k++)
			if (i != k && overlap(&s->bind[i], &s->bind[k]))
				s->flags |= TRAP_OVERLAP;
}

/* ---- descriptors ---- */
static void raise_limit(struct rlimit *ret_old)
{
	struct rlimit want;

	if (SYS(prlimit64, 0, RLIMIT_NOFILE, 0, ret_old) < 0)
		trap_die(126, "cannot ask for the limit of descriptors", NULL);
	want = *ret_old;
	if (want.rlim_cur <= TRAP_FD_TOP)
		want.rlim_cur = want.rlim_max < TRAP_FD_TOP + 1 ? want.rlim_max : TRAP_FD_TOP + 1;
	(void)SYS(prlimit64, 0, RLIMIT_NOFILE, &want, 0); /* what it is now counts */
}

static bool is_free(unsigned low, unsigned high)
{
	for (unsigned fd = low; fd <= high; fd++)
		if (SYS(fcntl, fd, F_GETFD) >= 0)
			return false;
	return true;
}

/* The highest run of `n` descriptors that nobody uses. */
static unsigned find_block(unsigned n)
{
	struct rlimit now;
	unsigned top = TRAP_FD_TOP;

	(void)SYS(prlimit64, 0, RLIMIT_NOFILE, 0, &now);
	if (now.rlim_cur <= top)
		top = (unsigned)now.rlim_cur - 1;
	for (; top >= n + 16; top--)
		if (is_free(top - n + 1, top))
			return top - n + 1;
	trap_die(126, "the limit of open files is too low", NULL);
}

static void move_fd(int32_t *fd, unsigned to)
{
	if (SYS(dup3, *fd, to, 0) < 0)
		trap_die(126, "cannot keep a descriptor", NULL);
	(void)SYS(close, *fd);
	*fd = (int32_t)to;
}

/* Root and binds, then the image, then room for a program, then the memfd at the top. */
static void place_descriptors(const char *image)
{
	struct trap_state *s = &built.state;
	struct rlimit old;
	unsigned low;
	long fd = SYS(openat, AT_FDCWD, "/proc/self/exe", O_PATH | O_CLOEXEC);
	int32_t self;

	if (fd < 0 && image)
		fd = SYS(openat, AT_FDCWD, image, O_PATH | O_CLOEXEC);
	if (fd < 0)
		trap_die(126, "cannot find the engine's own program", image);
	self = (int32_t)fd;
	raise_limit(&old);
	low = find_block(s->n_binds + 3u);
	for (unsigned i = 0; i < s->n_binds; i++)
		move_fd(&s->bind[i].fd, low + i);
	move_fd(&self, low + s->n_binds);
	s->self = (uint16_t)self;
	s->program = (uint16_t)(self + 1);
	s->fd_low = (uint16_t)low;
	s->fd_high = (uint16_t)(self + 2);
	fd = SYS(memfd_create, "udocker-trap", MFD_ALLOW_SEALING);
	if (fd < 0)
		trap_die(126, "memfd_create() is refused here", NULL);
	self = (int32_t)fd;
	move_fd(&self, s->fd_high);
	(void)SYS(prlimit64, 0, RLIMIT_NOFILE, &old, 0); /* what is open stays */
}

void launch_seal(const char *image)
{
	struct trap_state *s = &built.state;

	s->magic = TRAP_STATE_MAGIC;
	trap_state = s;
	for (unsigned i = 1; i < s->n_binds; i++) {
		settle_place(&s->bind[i]);
		if (is_hidden_by_later(i))
			continue;
		index_bind(i);
		if (s->bind[i].flags & TRAP_BIND_PROC)
			index_proc();
	}
	for (unsigned i = 1; i < s->n_binds; i++)
		look_under(&s->bind[i]);
	find_overlaps();
	place_descriptors(image);
	s->size = (uint32_t)(sizeof(*s) + text_used);
	if (SYS(pwrite64, s->fd_high, s, s->size, 0) != (long)s->size)
		trap_die(126, "cannot keep the run's state", NULL);
	(void)SYS(fcntl, s->fd_high, F_ADD_SEALS_NR, SEALS_ALL); /* against accidents only */
}
