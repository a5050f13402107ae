/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as a place: opening and creating the tree, and its lock. What the folders hold is known to images.c, layers.c and
 * containers.c; the staging directories are in stage.c.
 */
#include "pkg/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/base/time.h"
#include "pkg/conf/conf.h"
#include "pkg/store/gc.h"

#define LOCK_FILE ".lock"

/* bin and lib must be there for 1.3.x to take a directory for a repository; doc is made with them. */
static const enum conf_key tree_keys[] = { CONF_TOPDIR, CONF_REPOSDIR, CONF_LAYERSDIR, CONF_CONTAINERSDIR,
	CONF_BINDIR, CONF_LIBDIR, CONF_DOCDIR };
static const char *const tree_names[] = { "repos", "layers", "containers", "bin", "lib", "doc" };

/* mkdir -p by path: the user's own path, whose links are his. New directories are the caller's alone. */
static int make_dirs(const char *path, struct err **err)
{
	autofree char *copy = path_clean(path);
	struct stat st;
	char *slash = copy;

	for (;;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(copy, slash ? 0777 : 0700) < 0) {
			int e = errno;

			/* EACCES and EROFS come before EEXIST on some file systems: what counts is that it is there. */
			if (stat(copy, &st) < 0)
				return err_sys(err, e, "create %s", copy);
			if (!S_ISDIR(st.st_mode))
				return err_make(err, ERR_EXISTS, "%s is in the way: not a directory", copy);
		}
		if (!slash)
			return 0;
		*slash = '/';
	}
}

/* 1 and a descriptor, 0 when it does not exist. */
static int open_dir(const char *path, int *ret_fd, struct err **err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		bool denied = errno == EACCES;

		if (errno == ENOENT)
			return 0;
		err_sys(err, errno, "open %s", path);
		return denied ? err_hint(err, "choose a store of your own with --repo DIR or UDOCKER_DIR, or "
					      "have its "
					      "owner let others read it")
			      : -1;
	}
	*ret_fd = fd;
	return 1;
}

static int check_writable(struct store *s, const char *path, int fd, struct err **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at %s", path);
	if (st.st_uid != geteuid()) {
		err_make(err, ERR_DENIED, "store %s belongs to another user (uid %u)", s->top,
			(unsigned)st.st_uid);
		return err_hint(err, "choose a store of your own with --repo DIR or UDOCKER_DIR");
	}
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		err_make(err, ERR_DENIED, "store %s cannot be written: %s", s->top, strerror(errno));
		return err_hint(err, "choose another store with --repo DIR or UDOCKER_DIR");
	}
	return 0;
}

static int open_parts(struct store *s, struct err **err)
{
	if (open_dir(s->repos, &s->repos_fd, err) < 0 || open_dir(s->layers, &s->layers_fd, err) < 0 ||
		open_dir(s->containers, &s->containers_fd, err) < 0)
		return -1;
	return 0;
}

static int prepare_write(struct store *s, enum store_mode mode, struct err **err)
{
	struct lock lock = LOCK_INIT;
	int r;

	if (mode == STORE_UPDATE) {
		r = open_dir(s->top, &s->top_fd, err);
		if (r <= 0)
			return r;
		if (check_writable(s, s->top, s->top_fd, err) < 0)
			return -1;
	}
	/* The top first: what belongs to somebody else is not to be filled. */
	for (size_t i = 0; !s->made && i < ARRAY_LEN(tree_keys); i++) {
		if (s->top_fd >= 0 && i == 0)
			continue;
		if (make_dirs(conf_str(tree_keys[i]), err) < 0) {
			err_add(err, "store %s", s->top);
			return err_hint(err, "choose another store with --repo DIR or UDOCKER_DIR");
		}
		if (i == 0 && (open_dir(s->top, &s->top_fd, err) < 0 ||
				      check_writable(s, s->top, s->top_fd, err) < 0))
			return -1;
	}
	if (lock_take(&lock, s->top_fd, LOCK_FILE, LOCK_SHARED, err) < 0)
		return err_add(err, "store %s", s->top);
	s->lock_fd = lock.fd;
	return 1;
}

/* What the paths of s name. */
static int open_paths(struct store *s, enum store_mode mode, struct err **err)
{
	int r = mode == STORE_READ ? open_dir(s->top, &s->top_fd, err) : prepare_write(s, mode, err);

	if (r <= 0)
		return r;
	if (open_parts(s, err) < 0)
		return err_add(err, "store %s", s->top);
	s->exists = true;
	s->writable = mode != STORE_READ || check_writable(s, s->top, s->top_fd, NULL) == 0;
	if (mode != STORE_READ) {
		store_clean_stage(s);
		gc_recover(s);
	}
	return 0;
}

static struct store *new_store(void)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->top_fd = s->repos_fd = s->layers_fd = s->containers_fd = s->lock_fd = -1;
	return s;
}

int store_open(enum store_mode mode, struct store **ret, struct err **err)
{
	auto_store *s = new_store();
	const char *top = conf_str(CONF_TOPDIR);

	if (!*top) {
		err_make(err, ERR_NOT_FOUND, "no home directory to keep the store in: HOME is not set");
		return err_hint(err, "set UDOCKER_DIR or use --repo DIR");
	}
	s->top = path_clean(top);
	s->repos = path_clean(conf_str(CONF_REPOSDIR));
	s->layers = path_clean(conf_str(CONF_LAYERSDIR));
	s->containers = path_clean(conf_str(CONF_CONTAINERSDIR));
	if (open_paths(s, mode, err) < 0)
		return -1;
	*ret = steal_ptr(&s);
	return 0;
}

int store_open_at(const char *top, struct store **ret, struct err **err)
{
	auto_store *s = new_store();

	s->top = path_clean(top);
	s->repos = path_join(s->top, "repos");
	s->layers = path_join(s->top, "layers");
	s->containers = path_join(s->top, "containers");
	s->made = true;
	if (store_make(s->top, err) < 0 || open_paths(s, STORE_UPDATE, err) < 0)
		return -1;
	*ret = steal_ptr(&s);
	return 0;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->at_close)
		s->at_close(s);
	if (s->scratch)
		store_stage_drop(s->scratch);
	free(s->scratch);
	for (size_t i = 0; i < s->n_held; i++) {
		close_one(s->held[i].fd);
		free(s->held[i].name);
	}
	free(s->held);
	close_one(s->top_fd);
	close_one(s->repos_fd);
	close_one(s->layers_fd);
	close_one(s->containers_fd);
	close_one(s->lock_fd);
	free(s->top);
	free(s->repos);
	free(s->layers);
	free(s->containers);
	free(s);
}

/* ---- repositories by path ---- */

/* A directory that is empty or holds some of our own, all empty, and not all of them: a mkrepo that was killed. */
static bool is_begun(const char *dir)
{
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0 || names.n >= ARRAY_LEN(tree_names))
		return false;
	for (size_t i = 0; i < names.n; i++) {
		auto_strv below = STRV_INIT;
		bool ours = false;

		for (size_t k = 0; k < ARRAY_LEN(tree_names); k++)
			ours = ours || strcmp(names.v[i], tree_names[k]) == 0;
		if (!ours || fs_list(fd, names.v[i], &below) < 0 || below.n)
			return false;
	}
	return true;
}

int store_make(const char *dir, struct err **err)
{
	struct stat st;

	if (lstat(dir, &st) == 0 && !is_begun(dir))
		return err_make(err, ERR_EXISTS, "%s exists already", dir);
	if (make_dirs(dir, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(tree_names); i++) {
		autofree char *path = path_join(dir, tree_names[i]);

		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			err_sys(err, errno, "create %s", path);
			for (size_t k = 0; k < i; k++) {
				autofree char *made = path_join(dir, tree_names[k]);

				(void)rmdir(made); /* already failing: the first error is the one to tell */
			}
			(void)rmdir(dir);
			return -1;
		}
	}
	return 0;
}

bool store_is_repository(const char *dir)
{
	for (size_t i = 0; i < ARRAY_LEN(tree_names); i++) {
		autofree char *path = path_join(dir, tree_names[i]);
		struct stat st;

		if (strcmp(tree_names[i], "doc") == 0)
			continue;
		if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
			return false;
	}
	return true;
}

/* ---- the lock ---- */

int store_lock_shared(struct store *s, struct err **err)
{
	struct lock lock = LOCK_INIT;

	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
	if (lock_take(&lock, s->top_fd, LOCK_FILE, LOCK_SHARED, err) < 0)
		return err_add(err, "store %s", s->top);
	s->lock_fd = lock.fd;
	return 0;
}

void store_hold(struct store *s)
{
	auto_err *e = NULL;

	/* A store that only 1.3.x writes has none, and gets none from a reader. */
	if (s->exists && s->writable && fs_has_name(s->top_fd, LOCK_FILE) && store_lock_shared(s, &e) < 0)
		log_debug("%s", err_text(e));
}

int store_lock_exclusive(struct store *s, struct err **err)
{
	struct lock lock = LOCK_INIT;
	int r;

	/* Our own shared lock is on another description and would be in the way of the exclusive one. */
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
	r = lock_try(&lock, s->top_fd, LOCK_FILE, LOCK_EXCLUSIVE, err);
	if (r < 0)
		return err_add(err, "store %s", s->top);
	if (r == 0)
		return store_lock_shared(s, err);
	s->lock_fd = lock.fd;
	return lock.fd >= 0;
}
