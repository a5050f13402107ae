/* SPDX-License-Identifier: Apache-2.0 */
/* Process trees from /proc. */
#include "pkg/runtime/tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/proc.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/state.h"

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

static bool read_one(int procfd, const char *name, struct tree_proc *p)
{
	char path[32], text[STAT_MAX];
	autoclose int fd = -1;
	ssize_t n;
	int pid;

	if (num_parse_int(name, 1, INT32_MAX, &pid) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "%d/stat", pid);
	fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*p = (struct tree_proc){ .pid = pid };
	return parse_stat(text, p);
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
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !read_one(dirfd(d), e->d_name, &p))
			continue;
		t->v = mem_grow(t->v, &t->cap, t->n + 1, sizeof(*t->v));
		t->v[t->n++] = p;
	}
	closedir(d);
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

static bool belongs_to(pid_t pid, uid_t owner)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return owner == (uid_t)-1 || (stat(path, &st) == 0 && st.st_uid == owner);
}

void tree_choose_one(struct tree *t, const struct runtime_proc *p)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].pid == p->pid && t->v[i].start == p->start)
			t->v[i].chosen = true;
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
