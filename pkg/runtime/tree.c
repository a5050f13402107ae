/* SPDX-License-Identifier: Apache-2.0 */
/* Process trees from /proc. */
#include "pkg/runtime/tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/state.h"

#define CHILDREN_MAX ((size_t)1 << 20)
#define STAT_MAX 1024 /* of /proc/PID/stat: a name of at most 64 bytes and numbers */

/* Fields 3 (state), 4 (parent), 5 (group), 6 (session) and 22 (start time) stand behind the last parenthesis of the name. */
static bool parse_stat(char *text, struct tree_proc *p)
{
	char *rest = strrchr(text, ')');
	unsigned long long start;
	int parent, group, session;
	char state;

	if (!rest || sscanf(rest + 1,
			     " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			     &state, &parent, &group, &session, &start) != 5)
		return false;
	p->parent = parent;
	p->group = group;
	p->session = session;
	p->start = start;
	p->zombie = state == 'Z' || state == 'X';
	p->stopped = state == 'T' || state == 't';
	return true;
}

bool tree_look(pid_t pid, struct tree_proc *ret)
{
	char path[32], text[STAT_MAX];
	autoclose int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*ret = (struct tree_proc){ .pid = pid };
	return parse_stat(text, ret);
}

static bool read_one(const char *name, struct tree_proc *p)
{
	int pid;

	return num_parse_int(name, 1, INT32_MAX, &pid) == 0 && tree_look(pid, p);
}

void tree_read(struct tree *t)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct tree_proc p;

	*t = (struct tree){ 0 };
	if (!d)
		return;
	while ((e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !read_one(e->d_name, &p))
			continue;
		t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof(*t->v));
		t->v[t->n++] = p;
	}
	closedir(d);
}

/* ---- one container's ---- */

static bool belongs_to(pid_t pid, uid_t owner)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return owner == (uid_t)-1 || (stat(path, &st) == 0 && st.st_uid == owner);
}

static void add(struct tree *t, const char *name)
{
	struct tree_proc p;

	if (!read_one(name, &p))
		return;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].pid == p.pid)
			return;
	p.chosen = true;
	t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof(*t->v));
	t->v[t->n++] = p;
}

/* A child is its parent's thread's that made it. */
static void add_children(struct tree *t, int procfd, pid_t pid)
{
	autofree char *dir = xasprintf("%d/task", (int)pid);
	auto_strv threads = STRV_INIT;

	if (fs_list(procfd, dir, &threads) < 0)
		return;
	for (size_t i = 0; i < threads.n; i++) {
		autofree char *path = xasprintf("%s/%s/children", dir, threads.v[i]);
		auto_strv pids = STRV_INIT;
		auto_str text = STR_INIT;
		autoclose int fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fd_read_text(fd, CHILDREN_MAX, &text, path, NULL) < 0)
			continue;
		strv_split(&pids, str_text(&text), " ");
		for (size_t k = 0; k < pids.n; k++)
			add(t, pids.v[k]);
	}
}

static void add_marked(struct tree *t, DIR *proc, uint64_t mark, uid_t owner)
{
	struct dirent *e;
	int pid;

	while ((e = readdir(proc)))
		if (num_parse_int(e->d_name, 1, INT32_MAX, &pid) == 0 && mark_of(pid) == mark &&
			belongs_to(pid, owner))
			add(t, e->d_name);
}

void tree_find(struct tree *t, pid_t top, uint64_t mark, uid_t owner)
{
	DIR *proc;

	*t = (struct tree){ 0 };
	/* Only some kernels tell of children. */
	if (!mark || access("/proc/thread-self/children", F_OK) < 0) {
		tree_read(t);
		if (top > 0)
			tree_choose_below(t, top);
		tree_choose_marked(t, mark, owner);
		return;
	}
	proc = opendir("/proc");
	if (!proc)
		return;
	add_marked(t, proc, mark, owner);
	if (top > 0)
		add_children(t, dirfd(proc), top);
	for (size_t i = 0; i < t->n; i++)
		add_children(t, dirfd(proc), t->v[i].pid);
	closedir(proc);
}

void tree_free(struct tree *t)
{
	free(t->v);
	*t = (struct tree){ 0 };
}

static bool parent_is_chosen(const struct tree *t, const struct tree_proc *p, pid_t top)
{
	if (p->parent == top)
		return true;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].chosen && t->v[i].pid == p->parent)
			return true;
	return false;
}

void tree_choose_below(struct tree *t, pid_t top)
{
	bool more = true;

	/* Pids wrap around, so that a child may stand before its parent. */
	while (more) {
		more = false;
		for (size_t i = 0; i < t->n; i++) {
			struct tree_proc *p = &t->v[i];

			if (p->chosen || !parent_is_chosen(t, p, top))
				continue;
			p->chosen = more = true;
		}
	}
}

void tree_choose_one(struct tree *t, const struct runtime_proc *p)
{
	struct tree_proc now;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].pid == p->pid && t->v[i].start == p->start) {
			t->v[i].chosen = true;
			return;
		}
	if (!tree_look(p->pid, &now) || now.start != p->start)
		return;
	now.chosen = true;
	t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof(*t->v));
	t->v[t->n++] = now;
}

void tree_choose_marked(struct tree *t, uint64_t mark, uid_t owner)
{
	for (size_t i = 0; mark && i < t->n; i++) {
		struct tree_proc *p = &t->v[i];

		if (!p->chosen && !p->zombie && belongs_to(p->pid, owner) && mark_of(p->pid) == mark)
			p->chosen = true;
	}
}

void tree_spare(struct tree *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].pid == pid)
			t->v[i].chosen = false;
}

size_t tree_signal(const struct tree *t, int sig, pid_t except)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct tree_proc *p = &t->v[i];

		if (!p->chosen || p->zombie || p->pid == except)
			continue;
		n++;
		(void)proc_kill(p->pid, p->start, sig); /* it may have ended by itself */
	}
	return n;
}
