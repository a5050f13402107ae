/* SPDX-License-Identifier: Apache-2.0 */
/* The state root and the directories in it. What they hold is state.c's. */
#include "pkg/runtime/root.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/id.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/tree.h"

/* Temporary names begin with a character that runtime ids cannot hold. */
#define NEW_PREFIX "@new-"
#define DEL_PREFIX "@del-"
#define CLEAN_MAX 64
#define STAGE_TRIES 16
#define END_MAX_MS 1000
#define STAGE_MAX_AGE (24 * 60 * 60) /* seconds */

/* The first line of /proc/self/uid_map: inside, outside, count. False without /proc. */
static bool read_uid_map(unsigned long map[3])
{
	char text[256];
	autoclose int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%lu %lu %lu", &map[0], &map[1], &map[2]) == 3;
}

uid_t runtime_host_uid(void)
{
	unsigned long map[3];
	uid_t uid = geteuid();

	if (!read_uid_map(map) || uid < map[0] || uid - map[0] >= map[2])
		return uid;
	return (uid_t)(map[1] + (uid - map[0]));
}

/* Root of the host, and not root of a user namespace (rootless podman), which owns nothing in /run. */
static bool is_host_root(void)
{
	unsigned long map[3];

	if (geteuid() != 0)
		return false;
	/* Without /proc: only root of the host can write there. */
	if (!read_uid_map(map))
		return access("/run", W_OK) == 0;
	return map[0] == 0 && map[1] == 0 && map[2] >= UINT32_MAX;
}

static char *default_path(void)
{
	const char *run = host_env("XDG_RUNTIME_DIR");

	if (is_host_root())
		return xstrdup("/run/udocker-runtime");
	if (run && run[0] == '/')
		return path_join(run, "udocker-runtime");
	return xasprintf("/tmp/udocker-runtime-%lu", (unsigned long)runtime_host_uid());
}

/* mkdir -p for a path of the user's own choosing: links in it are the user's business. */
static int make_path(const char *path, struct err **err)
{
	autofree char *copy = xstrdup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return err_sys(err, errno, "state root: create '%s'", copy);
		*p = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "state root: create '%s'", copy);
	return 0;
}

/* A default root is found by others too (/tmp), so it must be ours and closed; a given one is taken as it is. */
static int check_owner(struct runtime_root *r, bool given, struct err **err)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return err_sys(err, errno, "state root '%s'", r->path);
	r->own = st.st_uid == geteuid() && (st.st_mode & 022) == 0;
	if (given)
		return 0;
	if (st.st_uid != geteuid())
		(void)err_make(err, ERR_DENIED, "state root '%s' belongs to uid %lu", r->path,
			(unsigned long)st.st_uid);
	else if (st.st_mode & 077)
		(void)err_make(err, ERR_DENIED, "state root '%s' is open to others (mode %04o)", r->path,
			(unsigned)st.st_mode & 07777);
	else
		return 0;
	return err_hint(err, "remove it, or choose another with --root");
}

int runtime_root_open(const char *given, bool create, struct runtime_root *ret, struct err **err)
{
	auto_runtime_root r = RUNTIME_ROOT_INIT;
	bool is_given = given && *given;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_given ? 0 : O_NOFOLLOW);

	r.path = is_given ? xstrdup(given) : default_path();
	r.fd = open(r.path, flags);
	if (r.fd < 0 && errno == ENOENT && create) {
		if (make_path(r.path, err) < 0)
			return -1;
		r.fd = open(r.path, flags);
	}
	if (r.fd < 0 && errno == ENOENT && !create) {
		*ret = r;
		r = RUNTIME_ROOT_INIT;
		return 0;
	}
	if (r.fd < 0)
		return err_sys(err, errno, "state root '%s'", r.path);
	if (check_owner(&r, is_given, err) < 0)
		return -1;
	if (r.path[0] != '/') {
		char *full = fs_fd_path(r.fd);

		if (!full)
			return err_sys(err, errno, "state root '%s'", r.path);
		free(r.path);
		r.path = full;
	}
	*ret = r;
	r = RUNTIME_ROOT_INIT;
	return 0;
}

void runtime_root_close(struct runtime_root *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	*r = RUNTIME_ROOT_INIT;
}

int runtime_root_list(const struct runtime_root *r, struct strv *ret, struct err **err)
{
	auto_strv names = STRV_INIT;

	if (r->fd < 0)
		return 0;
	if (fs_list(r->fd, ".", &names) < 0)
		return err_sys(err, errno, "state root '%s'", r->path);
	for (size_t i = 0; i < names.n; i++)
		if (id_is_runtime_id(names.v[i]))
			strv_add(ret, names.v[i]);
	return 0;
}

/* Make, open and lock one. 1, or 0 when a cleaner took it for abandoned before it was locked. */
static int try_stage(const struct runtime_root *r, const char *name, int *ret_fd, struct err **err)
{
	autoclose int fd = -1;
	struct stat st;

	if (mkdirat(r->fd, name, 0700) < 0)
		return err_sys(err, errno, "state root '%s': create a directory", r->path);
	fd = fs_open(r->fd, name, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		int saved = errno;

		(void)unlinkat(r->fd, name, AT_REMOVEDIR); /* empty: nothing else can be in the way */
		return err_sys(err, saved, "state root '%s': open a new directory", r->path);
	}
	/* Says that its maker lives; where locks are refused its age decides. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return 0;
	if (fstat(fd, &st) == 0 && st.st_nlink == 0)
		return 0;
	*ret_fd = steal_fd(&fd);
	return 1;
}

int runtime_root_stage(const struct runtime_root *r, uint64_t mark, char **ret_name, struct err **err)
{
	for (int i = 0; i < STAGE_TRIES; i++) {
		char random[13];
		autofree char *name = NULL;
		int fd = -1, got;

		id_random_hex(random, 12);
		name = xasprintf(NEW_PREFIX "%s-%" PRIx64, random, mark);
		got = try_stage(r, name, &fd, err);
		if (got < 0)
			return -1;
		if (got > 0) {
			*ret_name = steal_ptr(&name);
			return fd;
		}
	}
	return err_make(err, ERR_BUSY, "state root '%s': new directories are removed by others", r->path);
}

int runtime_root_publish(const struct runtime_root *r, const char *name, const char *id, struct err **err)
{
	/* A directory that is not empty is never replaced by rename, and ours are not. */
	if (renameat(r->fd, name, r->fd, id) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
		return err_make(err, ERR_EXISTS, "container '%s' exists already", id);
	return err_sys(err, errno, "state root '%s': name container '%s'", r->path, id);
}

int runtime_root_remove(const struct runtime_root *r, const char *id, struct err **err)
{
	char random[13];
	autofree char *name = NULL;

	id_random_hex(random, 12);
	name = xasprintf(DEL_PREFIX "%s", random);
	if (renameat(r->fd, id, r->fd, name) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(err, errno, "container '%s': remove its state", id);
	}
	if (fs_rm_tree(r->fd, name, err) < 0)
		return err_add(err, "container '%s': remove its state", id);
	return 0;
}

/* A place of its own is free most of the time; who finds it taken removes what is his at once. */
int runtime_root_retire(
	const struct runtime_root *r, const char *id, int dirfd, const char *const *names, struct err **err)
{
	if (!r->own || atomic_rename_excl(r->fd, id, r->fd, RUNTIME_ENDED_DIR) < 0)
		return runtime_root_remove(r, id, err);
	for (; *names; names++)
		(void)unlinkat(dirfd, *names, 0); /* the sweep removes what stays */
	return 0;
}

void runtime_root_sweep(const struct runtime_root *r)
{
	if (r->own && unlinkat(r->fd, RUNTIME_ENDED_DIR, AT_REMOVEDIR) < 0 && errno != ENOENT)
		runtime_root_discard(r, RUNTIME_ENDED_DIR);
}

void runtime_root_discard(const struct runtime_root *r, const char *name)
{
	auto_err *e = NULL;

	if (fs_rm_tree(r->fd, name, &e) < 0)
		log_debug("state root '%s': %s", r->path, err_text(e));
}

/* They are gone when it returns, and so are those that they were just making; but for one that the kernel holds on to. */
static void end_marked(uint64_t mark)
{
	for (int waited = 0; waited < END_MAX_MS; waited++) {
		auto_tree t = { 0 };

		tree_find(&t, 0, mark, geteuid());
		if (tree_signal(&t, SIGKILL, 0) == 0)
			return;
		(void)poll(NULL, 0, 1);
	}
}

/*
 * What the maker of a directory started and did not live to write down: a tracer that was killed with it may have left a child that
 * waits for it, stopped for ever; and its hooks.
 */
static void end_unknown(const char *name)
{
	const char *text = strrchr(name, '-');
	uint64_t mark;

	if (!str_starts(name, NEW_PREFIX) || sscanf(text, "-%" SCNx64, &mark) != 1 || mark == 0)
		return;
	end_marked(mark_of_maker(mark));
	end_marked(mark);
}

/*
 * Remove a temporary directory whose maker is gone. The lock is held meanwhile: one who has just made it sees that and makes another. False
 * if it is somebody's.
 */
static bool clean_one(const struct runtime_root *r, const char *name)
{
	autoclose int fd = fs_open(r->fd, name, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	struct stat st;

	if (fd < 0) {
		if (errno == EACCES && r->own)
			runtime_root_discard(r, name);
		return true;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK || fstat(fd, &st) < 0 || time(NULL) - st.st_mtime <= STAGE_MAX_AGE)
			return false;
	}
	/* A name is believed of ours alone: another user's could have the mark of a container of ours. */
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid())
		end_unknown(name);
	runtime_root_discard(r, name);
	return true;
}

bool runtime_root_clean(const struct runtime_root *r)
{
	auto_strv names = STRV_INIT;
	size_t done = 0;
	bool all = true;

	runtime_root_sweep(r);
	if (fs_list(r->fd, ".", &names) < 0)
		return true;
	for (size_t i = 0; i < names.n && done < CLEAN_MAX; i++) {
		const char *name = names.v[i];

		if (!str_starts(name, NEW_PREFIX) && !str_starts(name, DEL_PREFIX))
			continue;
		all = clean_one(r, name) && all;
		done++;
	}
	return all;
}
