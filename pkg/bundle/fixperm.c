/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/bundle/fixperm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/subid.h"

#define FILE_BITS 0755
#define FILE_MODE 0600
#define DIRECTORY_MODE 0700
#define RANGES_MAX 16
#define SUBID_FILE_MAX (1u << 20) /* bytes */

/* ---- what is the caller's ---- */

struct survey {
	uid_t caller;
	size_t others; /* entries that are not his */
	char *first; /* the path of one */
};

/* Of a file or directory that may be replaced meanwhile: never of what a link leads to. */
static int set_mode(int dirfd, const char *name, const struct stat *st)
{
	bool directory = S_ISDIR(st->st_mode);
	mode_t mode = st->st_mode & 07777;
	mode_t want = directory ? mode | DIRECTORY_MODE : (mode & FILE_BITS) | FILE_MODE;
	autoclose int fd = -1;
	struct stat now;

	if (want == mode)
		return 0;
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0)
		return errno == ENOENT ? 0 : -1;
	if ((now.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return 0;
	return fs_chmod_opath(fd, want);
}

static int survey_one(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct survey *s = arg;

	if (s->caller != 0 && st->st_uid != s->caller) {
		s->others++;
		if (!s->first)
			s->first = xasprintf("/%s", path);
		return FS_WALK_SKIP;
	}
	if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode))
		return 0;
	return set_mode(dirfd, name, st);
}

static int survey(int rootfd, struct survey *s, struct err **err)
{
	struct stat st;

	free(steal_ptr(&s->first));
	s->others = 0;
	s->caller = geteuid();
	if (fstat(rootfd, &st) < 0)
		return err_sys(err, errno, "ROOT");
	if (s->caller != 0 && st.st_uid != s->caller) {
		s->others = 1;
		s->first = xstrdup("/");
		return 0;
	}
	if (fchmod(rootfd, (st.st_mode & 07777) | DIRECTORY_MODE) < 0 || fs_walk(rootfd, survey_one, s) < 0)
		return err_sys(err, errno, "ROOT");
	return 0;
}

/* ---- as root of a user namespace ---- */

/* What is not mapped stays whose it is, and is counted afterwards. */
static int take_one(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	(void)path;
	(void)arg;
	if (st->st_uid != 0 || st->st_gid != 0)
		(void)!fchownat(dirfd, name, 0, 0, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* In the child, until the maps are written. */
static NORETURN void take_all(int rootfd, int ready, int go)
{
	char byte = 0;

	if (unshare(CLONE_NEWUSER) < 0 || fd_write_all(ready, &byte, 1) < 0 ||
		fd_read_full(go, &byte, 1) != 1)
		_exit(1);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		_exit(1);
	(void)!fchown(rootfd, 0, 0);
	_exit(fs_walk(rootfd, take_one, NULL) < 0 ? 1 : 0);
}

/* newuidmap PID 0 OWN 1 1 FIRST COUNT …; newgidmap the same. */
static int write_map(const char *tool, const char *file, pid_t pid, unsigned own, struct err **err)
{
	autofree char *path = proc_find(tool, host_env("PATH"));
	struct subid_range ranges[RANGES_MAX];
	auto_str text = STR_INIT_MAX(SUBID_FILE_MAX);
	auto_strv argv = STRV_INIT;
	struct proc_spawn s = PROC_SPAWN_INIT;
	autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t next = 1;
	int status;
	pid_t child;
	size_t n;

	if (fd >= 0)
		(void)fd_read_text(fd, SUBID_FILE_MAX, &text, file, NULL); /* unreadable is empty */
	n = subid_ranges(str_text(&text), host_user_name(), geteuid(), ranges, ARRAY_LEN(ranges));
	if (!path || n == 0) {
		(void)err_make(err, ERR_UNSUPPORTED, "%s", path ? file : tool);
		return err_hint(err, path ? "the administrator gives out ids there: usermod --add-subuids"
					  : "it is in Debian's package uidmap");
	}
	strv_add(&argv, tool);
	strv_addf(&argv, "%ld", (long)pid);
	strv_add(&argv, "0");
	strv_addf(&argv, "%u", own);
	strv_add(&argv, "1");
	for (size_t i = 0; i < n && next + ranges[i].count <= UINT32_MAX; i++) {
		strv_addf(&argv, "%llu", (unsigned long long)next);
		strv_addf(&argv, "%u", ranges[i].first);
		strv_addf(&argv, "%u", ranges[i].count);
		next += ranges[i].count;
	}
	s.path = path;
	s.argv = strv_argv(&argv);
	if (proc_spawn(&s, &child, err) < 0 || proc_wait(child, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : err_make(err, ERR_UNSUPPORTED, "%s: exit status %d", tool, status);
}

static int take(int rootfd, struct err **err)
{
	int up[2] = { -1, -1 }, down[2] = { -1, -1 }, status = 1, r;
	char byte;
	pid_t child;

	if (fd_pipe(up) < 0)
		return err_sys(err, errno, "pipe");
	if (fd_pipe(down) < 0) {
		close(up[0]);
		close(up[1]);
		return err_sys(err, errno, "pipe");
	}
	child = fork();
	if (child == 0) {
		close(up[0]);
		close(down[1]);
		take_all(rootfd, up[1], down[0]);
	}
	close(up[1]);
	close(down[0]);
	r = child < 0 ? err_sys(err, errno, "fork") : 0;
	if (r == 0 && fd_read_full(up[0], &byte, 1) != 1)
		r = err_make(err, ERR_UNSUPPORTED, "no user namespace can be made here");
	if (r == 0)
		r = write_map("newuidmap", "/etc/subuid", child, geteuid(), err);
	if (r == 0)
		r = write_map("newgidmap", "/etc/subgid", child, getegid(), err);
	if (r == 0 && fd_write_all(down[1], "", 1) < 0)
		r = err_sys(err, errno, "pipe");
	close(up[0]);
	close(down[1]); /* without a byte it ends */
	if (child > 0 && proc_wait(child, &status, r < 0 ? NULL : err) == 0 && r == 0 && status != 0)
		r = err_make(err, ERR_DENIED, "what belongs to others could not be read");
	return r;
}

int bundle_fixperm(int rootfd, struct err **err)
{
	struct survey s = { 0 };
	int r = survey(rootfd, &s, err);

	if (r == 0 && s.others > 0) {
		r = take(rootfd, err);
		if (r < 0)
			(void)err_add(err, "%s belongs to another user, taking it over", s.first);
		else
			r = survey(rootfd, &s, err);
		if (r == 0 && s.others > 0) {
			r = err_make(err, ERR_DENIED,
				"%s belongs to a user whose id is none of yours in /etc/subuid", s.first);
			(void)err_hint(err, "its owner, or root, can give it to you: chown");
		}
	}
	free(s.first);
	return r;
}
