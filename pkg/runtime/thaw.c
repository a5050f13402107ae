/* SPDX-License-Identifier: Apache-2.0 */
/* Which group a process is in is what /proc says; in another cgroup namespace that may lead nowhere. */
#include "pkg/runtime/thaw.h"

#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/state.h"
#include "pkg/runtime/tree.h"

#define FREEZER "/sys/fs/cgroup/freezer"
#define TEXT_MAX ((size_t)65536)

static int read_file(const char *path, struct str *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -1 : fd_read_text(fd, TEXT_MAX, ret, path, NULL);
}

/* The directory of a process's group, from a line "6:freezer:/PATH"; the caller frees it. NULL: there is none. */
static char *group_of(const char *proc_file)
{
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	if (read_file(proc_file, &text) < 0)
		return NULL;
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *at = strstr(lines.v[i], ":freezer:/");

		if (at && !strstr(at, "/.."))
			return path_join(FREEZER, at + strlen(":freezer:/"));
	}
	return NULL;
}

static bool is_frozen(const char *group)
{
	autofree char *path = path_join(group, "freezer.state");
	auto_str state = STR_INIT;

	return read_file(path, &state) == 0 && !str_starts(str_text(&state), "THAWED");
}

static void move(pid_t pid, const char *group)
{
	autofree char *path = path_join(group, "cgroup.procs"), *text = xasprintf("%d\n", (int)pid);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		(void)fd_write_all(fd, text, strlen(text)); /* it may have ended meanwhile */
}

void thaw_members(const struct instance *c)
{
	autofree char *ours = group_of("/proc/self/cgroup");
	uid_t owner = instance_trusted_owner(c);
	auto_tree t;
	bool alive;

	if (!ours || is_frozen(ours))
		return;
	/* Supervisors and tracers as well, which members_find() leaves out. */
	alive = runtime_proc_alive(&c->rec.proc, owner);
	tree_find(&t, alive ? c->rec.proc.pid : 0, c->rec.mark, owner);
	if (alive)
		tree_choose_one(&t, &c->rec.proc);
	for (size_t i = 0; i < t.n; i++) {
		autofree char *file = xasprintf("/proc/%d/cgroup", (int)t.v[i].pid);
		autofree char *group = t.v[i].chosen ? group_of(file) : NULL;

		if (group && is_frozen(group))
			move(t.v[i].pid, ours);
	}
}
