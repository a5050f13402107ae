/* SPDX-License-Identifier: Apache-2.0 */
/* Which descriptors a container gets. How they travel is launch.c's. */
#include "pkg/runtime/fds.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"

#define SCAN_MAX 65536 /* without /proc: numbers looked at */

void runtime_fds_free(struct runtime_fds *f)
{
	free(f->from);
	free(f->to);
	free(f->inherited);
	*f = RUNTIME_FDS_INIT;
}

struct list {
	int *v;
	size_t n, cap;
};

/* What the program before us left open is not close-on-exec; everything that we open is. */
static void add_if_inherited(struct list *l, int fd)
{
	int flags = fd >= 3 ? fcntl(fd, F_GETFD) : -1;

	if (flags < 0 || (flags & FD_CLOEXEC))
		return;
	l->v = mem_grow(l->v, &l->cap, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = fd;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void scan(struct list *l)
{
	DIR *d = opendir("/proc/self/fd");
	struct rlimit limit = { .rlim_cur = SCAN_MAX };
	struct dirent *e;
	int fd;

	if (d) {
		while ((e = readdir(d)))
			if (num_parse_int(e->d_name, 0, INT32_MAX, &fd) == 0 && fd != dirfd(d))
				add_if_inherited(l, fd);
		closedir(d);
		if (l->n)
			qsort(l->v, l->n, sizeof(*l->v), by_number);
		return;
	}
	(void)getrlimit(RLIMIT_NOFILE, &limit); /* fails for a wrong address only */
	for (fd = 3; (rlim_t)fd < limit.rlim_cur && fd < SCAN_MAX; fd++)
		add_if_inherited(l, fd);
}

static void add(struct runtime_fds *f, int from, int to)
{
	f->from[f->n] = from;
	f->to[f->n++] = to;
}

static bool was_inherited(const struct runtime_fds *f, int fd)
{
	for (size_t i = 0; i < f->n_inherited; i++)
		if (f->inherited[i] == fd)
			return true;
	return false;
}

/* LISTEN_FDS counts only when LISTEN_PID, where there is one, means us. */
static unsigned listen_fds(void)
{
	const char *count = host_env("LISTEN_FDS"), *pid = host_env("LISTEN_PID");
	int n, listener;

	if (!count || num_parse_int(count, 1, 1024, &n) < 0)
		return 0;
	if (pid && (num_parse_int(pid, 1, INT32_MAX, &listener) < 0 || listener != getpid()))
		return 0;
	return (unsigned)n;
}

static void choose(const struct runtime_fds_options *o, struct runtime_fds *f)
{
	size_t room = 3 + f->n_inherited;
	int last;

	f->from = xcalloc(room, sizeof(*f->from));
	f->to = xcalloc(room, sizeof(*f->to));
	for (int fd = 0; fd < 3; fd++)
		add(f, fd, fd);
	f->listen = listen_fds();
	if (o->preserve_all) {
		for (size_t i = 0; i < f->n_inherited; i++)
			add(f, f->inherited[i], f->inherited[i]);
		return;
	}
	last = 2 + (int)f->listen + o->preserve;
	for (int fd = 3; fd <= last; fd++) {
		if (was_inherited(f, fd))
			add(f, fd, fd);
		else if (f->missing == 0)
			f->missing = fd;
	}
}

int runtime_fds_check(const struct runtime_fds *f, struct err **err)
{
	if (f->missing == 0 || f->gaps)
		return 0;
	return err_make(err, ERR_USAGE, "descriptor %d is to be preserved but is not open", f->missing);
}

/* It is closed when it has been read, and its number may be another file's then. */
static void forget(struct runtime_fds *f, int fd)
{
	for (size_t i = 0; i < f->n_inherited; i++) {
		if (f->inherited[i] != fd)
			continue;
		f->n_inherited--;
		memmove(f->inherited + i, f->inherited + i + 1, (f->n_inherited - i) * sizeof(*f->inherited));
		return;
	}
}

int runtime_fds_collect(const struct runtime_fds_options *o, struct runtime_fds *ret, struct err **err)
{
	struct list l = { 0 };
	auto_runtime_fds f = RUNTIME_FDS_INIT;

	if (o->preserve < 0 || o->preserve > SCAN_MAX)
		return err_make(err, ERR_USAGE, "--preserve-fds %d: out of range", o->preserve);
	scan(&l);
	f.inherited = l.v;
	f.n_inherited = l.n;
	for (size_t i = 0; i < l.n; i++)
		(void)fd_set_cloexec(l.v[i], true); /* it is open, so this cannot fail */
	forget(&f, o->except);
	choose(o, &f);
	*ret = f;
	f = RUNTIME_FDS_INIT;
	return 0;
}

void runtime_fds_use_terminal(struct runtime_fds *f, int slave)
{
	for (size_t i = 0; i < 3; i++)
		f->from[i] = slave;
}

static void to_null(int n)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < n; fd++) {
		if (null >= 0)
			(void)dup2(null, fd); /* both are open */
		else
			(void)close(fd);
	}
	if (null > 2)
		close(null);
}

void runtime_fds_drop_replaced(const struct runtime_fds *f)
{
	if (f->from[0] != STDIN_FILENO)
		to_null(3);
}

/* MPICH's launcher takes the end of this one for a rank that fails, and kills what it waits for before that can say how the rank ended. */
static bool is_launchers(int fd)
{
	const char *number = host_env("PMI_FD");
	int n;

	return number && num_parse_int(number, 3, INT32_MAX, &n) == 0 && n == fd;
}

void runtime_fds_drop(const struct runtime_fds *f, bool keep_stderr)
{
	to_null(keep_stderr ? 2 : 3);
	for (size_t i = 0; i < f->n_inherited; i++)
		if (!keep_stderr || !is_launchers(f->inherited[i]))
			(void)close(f->inherited[i]); /* nothing of ours depends on it */
}

static void close_between(int first, int last)
{
#ifdef SYS_close_range
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
#endif
	/* Before Linux 5.9. What lies above the highest one that is kept is fd_close_from()'s. */
	for (int fd = first; fd <= last; fd++)
		(void)close(fd); /* most are not open */
}

static bool is_passed_on(const struct runtime_fds *f, int fd)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->from[i] == fd)
			return true;
	return false;
}

void runtime_fds_close_others(struct runtime_fds *f, const int *keep)
{
	size_t n = 0, room = 1 + f->n, left = 0;
	autofree int *kept = NULL;
	int next = 3;

	for (size_t i = 0; keep[i] >= 0; i++)
		room++;
	kept = xcalloc(room, sizeof(*kept));
	for (size_t i = 0; keep[i] >= 0; i++)
		kept[n++] = keep[i];
	for (size_t i = 0; i < f->n; i++)
		kept[n++] = f->from[i];
	qsort(kept, n, sizeof(*kept), by_number);
	for (size_t i = 0; i < n; i++) {
		if (kept[i] < next)
			continue;
		close_between(next, kept[i] - 1);
		next = kept[i] + 1;
	}
	fd_close_from(next);
	for (size_t i = 0; i < f->n_inherited; i++)
		if (is_passed_on(f, f->inherited[i]))
			f->inherited[left++] = f->inherited[i];
	f->n_inherited = left;
}
