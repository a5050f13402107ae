/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock's rules and read-only mounts. The kernel's numbers are here, since the headers of older systems lack them. */
#include "pkg/runtime/guard.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "engines/ability.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/runtime/fds.h"

/* ---- Landlock ---- */

/* One number each on every architecture. */
enum { NR_CREATE_RULESET = 444, NR_ADD_RULE = 445, NR_RESTRICT_SELF = 446, NR_MOUNT_SETATTR = 442 };
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_CHANGE_ENTRIES (UINT64_C(0x1ff) << 4) /* remove and make what there may be in a directory */
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* Every right to write that the kernel knows, on files and in directories. */
static uint64_t rights_of(int version)
{
	uint64_t rights = FS_WRITE_FILE | FS_CHANGE_ENTRIES;

	if (version >= LANDLOCK_REFER)
		rights |= FS_REFER;
	if (version >= LANDLOCK_TRUNCATE)
		rights |= FS_TRUNCATE;
	return rights;
}

static int allow(int ruleset, int fd, uint64_t rights)
{
	struct path_beneath rule = { .allowed = rights, .fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_WRITE_FILE | FS_TRUNCATE;
	return (int)syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
}

/* What is not there cannot be written in. */
static int allow_path(int ruleset, const char *path, uint64_t rights, struct err **err)
{
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0 || allow(ruleset, fd, rights) == 0)
		return 0;
	return err_sys(err, errno, "Landlock: %s", path);
}

/* Who has the file open for writing may open it again. */
static void allow_open_files(int ruleset, const struct runtime_fds *fds, uint64_t rights)
{
	for (size_t i = 0; i < fds->n; i++) {
		int flags = fcntl(fds->from[i], F_GETFL);
		struct stat st;

		if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(fds->from[i], &st) == 0 &&
			S_ISREG(st.st_mode))
			(void)allow(ruleset, fds->from[i], rights); /* an unnamed one needs no rule */
	}
}

static int make_ruleset(
	struct guard *g, const struct engine_plan *plan, const struct runtime_fds *fds, struct err **err)
{
	uint64_t rights = rights_of(ability_landlock());

	g->ruleset = (int)syscall(NR_CREATE_RULESET, &rights, sizeof(rights), 0); /* close-on-exec */
	if (g->ruleset < 0)
		return err_sys(err, errno, "Landlock");
	for (size_t i = 0; i < plan->writable.n; i++)
		if (allow_path(g->ruleset, plan->writable.v[i], rights, err) < 0)
			return -1;
	allow_open_files(g->ruleset, fds, rights);
	return 0;
}

int guard_open(
	struct guard *ret, const struct engine_plan *plan, const struct runtime_fds *fds, struct err **err)
{
	if (plan->readonly_targets.n > 0)
		ret->mounts = plan;
	return plan->writable.n > 0 ? make_ruleset(ret, plan, fds, err) : 0;
}

void guard_close(struct guard *g)
{
	if (g->ruleset >= 0)
		close(g->ruleset);
	*g = GUARD_INIT;
}

/* ---- mounts ---- */

struct mount_attr_of_kernel {
	uint64_t set, clear, propagation, userns_fd;
};

/* One mount; what it has besides stays. */
static int make_readonly(const char *path)
{
	static const struct {
		unsigned long in, out;
	} flags[] = {
		{ ST_NOSUID, MS_NOSUID },
		{ ST_NODEV, MS_NODEV },
		{ ST_NOEXEC, MS_NOEXEC },
		{ ST_NOATIME, MS_NOATIME },
		{ ST_NODIRATIME, MS_NODIRATIME },
		{ ST_RELATIME, MS_RELATIME },
	};
	unsigned long all = MS_REMOUNT | MS_BIND | MS_RDONLY;
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (fs.f_flag & flags[i].in)
			all |= flags[i].out;
	return mount(NULL, path, NULL, all, NULL);
}

/* The mount point in a line of mountinfo, its escapes (\040) undone, in place; NULL at the end. */
static char *next_mount_point(char **lines)
{
	char *line = *lines, *end = strchrnul(line, '\n'), *from = line, *to;

	if (!*line)
		return NULL;
	*lines = *end ? end + 1 : end;
	*end = '\0';
	for (int i = 0; i < 4 && from; i++) {
		from = strchr(from, ' ');
		from = from ? from + 1 : NULL;
	}
	if (!from)
		return line + strlen(line);
	line = to = from;
	for (; *from && *from != ' '; from++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return line;
}

/* Before Linux 5.12: one after the other. */
static int make_all_readonly(const char *top)
{
	auto_str text = STR_INIT;
	autoclose int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char *lines, *path;

	if (fd < 0 || fd_read_text(fd, (size_t)16 << 20, &text, "mountinfo", NULL) < 0)
		return -1;
	lines = text.data;
	while (lines && (path = next_mount_point(&lines)))
		if (path_is_below(path, top) && make_readonly(path) < 0)
			return -1;
	return 0;
}

static int make_tree_readonly(const char *top)
{
	struct mount_attr_of_kernel attr = { .set = 1 /* MOUNT_ATTR_RDONLY */ };

	if (syscall(NR_MOUNT_SETATTR, AT_FDCWD, top, 0x8000 /* AT_RECURSIVE */, &attr, sizeof(attr)) == 0)
		return 0;
	return errno == ENOSYS ? make_all_readonly(top) : -1;
}

/* Sources are free of links; one that has got one since may lead anywhere. */
static int bind_readonly(const char *source, const char *target)
{
	autoclose int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = top < 0 ? -1 : fs_open(top, source[1] ? source + 1 : ".", O_PATH, 0, FS_BENEATH);
	char from[32];

	if (fd < 0)
		return -1;
	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	if (mount(from, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -1;
	return make_tree_readonly(target);
}

static const char *make_mounts(const struct engine_plan *plan)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return "mount namespace";
	for (size_t i = 0; i < plan->readonly_targets.n; i++)
		if (bind_readonly(plan->readonly_sources.v[i], plan->readonly_targets.v[i]) < 0)
			return plan->readonly_sources.v[i];
	return NULL;
}

const char *guard_enter(const struct guard *g)
{
	const char *what = g->mounts ? make_mounts(g->mounts) : NULL;

	if (what || g->ruleset < 0)
		return what;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(NR_RESTRICT_SELF, g->ruleset, 0) < 0)
		return "Landlock";
	return NULL;
}
