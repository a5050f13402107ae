/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staging directories, from which finished work is renamed into place, and what is done with those of writers that are gone. Names in
 * them that look like blobs, and the links of removed tags, say which blobs may have lost their last user.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/store/gc.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

#define STAGE_DIR ".stage"
#define STAGE_PREFIX ".stage-" /* below containers/ where that is another file system */
#define STAGE_ID_LEN 16
#define STAGE_MAX_AGE (24 * 3600)

/* True if nobody uses it any more. *ret_fd holds its lock until it is removed, so that its maker does not take it for his. */
static bool stage_is_dead(int parent, const char *name, int *ret_fd)
{
	struct stat st;

	*ret_fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
		return false;
	if (st.st_uid != geteuid())
		return false;
	if (flock(*ret_fd, LOCK_EX | LOCK_NB) == 0)
		return true; /* nobody holds it; whoever has just made it notices and makes another */
	if (errno == EWOULDBLOCK)
		return false;
	return time(NULL) - st.st_mtime > STAGE_MAX_AGE;
}

/* What a dead writer had to do with: blobs it brought, and those of a tag it was removing. */
static void blobs_of_dead(int fd, struct strv *ret)
{
	auto_strv names = STRV_INIT;

	if (fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		if (layer_name_is_digest(names.v[i]))
			strv_add(ret, names.v[i]);
		else if (str_starts(names.v[i], TAGDIR_REMOVED))
			tagdir_targets(fd, names.v[i], ret);
	}
}

static void clean_dead(int parent, const char *prefix, struct strv *ret_blobs)
{
	auto_strv names = STRV_INIT;

	if (parent < 0 || fs_list(parent, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autoclose int fd = -1;

		if (!str_starts(names.v[i], prefix) || !stage_is_dead(parent, names.v[i], &fd))
			continue;
		log_debug("removing the abandoned staging directory '%s'", names.v[i]);
		blobs_of_dead(fd, ret_blobs);
		(void)fs_rm_tree(parent, names.v[i], NULL); /* another writer tries again */
	}
}

void store_clean_stage(struct store *s)
{
	auto_strv blobs = STRV_INIT;
	autoclose int stage = -1;

	if (s->top_fd < 0)
		return;
	stage = openat(s->top_fd, STAGE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	clean_dead(stage, "", &blobs);
	clean_dead(s->containers_fd, STAGE_PREFIX, &blobs);
	if (blobs.n)
		gc_drop(s, &blobs);
}

/* The directory in which staging directories are made; *ret_prefix for their names. */
static int stage_parent(struct store *s, const char **ret_prefix, struct err **err)
{
	int fd;

	if (!store_same_fs(s->top_fd, s->containers_fd)) {
		*ret_prefix = STAGE_PREFIX;
		fd = fcntl(s->containers_fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? err_sys(err, errno, "open %s", s->containers) : fd;
	}
	*ret_prefix = "";
	if (mkdirat(s->top_fd, STAGE_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create %s/%s", s->top, STAGE_DIR);
	fd = openat(s->top_fd, STAGE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open %s/%s", s->top, STAGE_DIR) : fd;
}

/* 1 when it is ours, 0 when a cleaner was faster. */
static int stage_claim(struct store_stage *st)
{
	struct stat sb;

	/* By the umask, as 1.3.x makes containers: until it is published, .stage (0700) keeps others out. */
	if (mkdirat(st->parent_fd, st->name, 0777) < 0)
		return errno == EEXIST ? 0 : -1;
	st->fd = openat(st->parent_fd, st->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (st->fd < 0)
		return errno == ENOENT ? 0 : -1;
	if ((flock(st->fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(st->fd, &sb) == 0 &&
		sb.st_nlink > 0)
		return 1;
	close(st->fd);
	st->fd = -1;
	return 0;
}

int store_stage_begin(struct store *s, struct store_stage *ret, struct err **err)
{
	struct store_stage st = STORE_STAGE_INIT;
	const char *prefix;

	st.parent_fd = stage_parent(s, &prefix, err);
	if (st.parent_fd < 0)
		return -1;
	for (int tries = 0; tries < 10; tries++) {
		char id[STAGE_ID_LEN + 1];
		int r;

		id_random_hex(id, STAGE_ID_LEN);
		free(st.name);
		st.name = xasprintf("%s%s", prefix, id);
		r = stage_claim(&st);
		if (r > 0) {
			*ret = st;
			return 0;
		}
		if (r < 0)
			break;
	}
	err_sys(err, errno, "create a staging directory in %s", s->top);
	close(st.parent_fd);
	free(st.name);
	return -1;
}

void store_stage_drop(struct store_stage *st)
{
	if (st->name) {
		auto_err *e = NULL;

		/* Published: the name is gone from here, which is success. Failed: the next writer cleans up. */
		if (fs_rm_tree(st->parent_fd, st->name, &e) < 0)
			log_debug("staging directory stays behind: %s", err_text(e));
	}
	if (st->fd >= 0)
		close(st->fd);
	if (st->parent_fd >= 0)
		close(st->parent_fd);
	free(st->name);
	*st = STORE_STAGE_INIT;
}

/* ---- what the process writes on its way into the store ---- */

int store_scratch(struct store *s, struct err **err)
{
	struct store_stage st;

	if (s->scratch)
		return s->scratch->fd;
	if (store_stage_begin(s, &st, err) < 0)
		return -1;
	s->scratch = xmemdup(&st, sizeof(st));
	return s->scratch->fd;
}

bool store_same_fs(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev;
}

int store_write(struct store *s, int dirfd, const char *name, const char *text, size_t n, struct err **err)
{
	auto_atomic t = ATOMIC_INIT;
	int scratch = store_scratch(s, err);

	if (scratch < 0)
		return -1;
	if (!store_same_fs(scratch, dirfd))
		return atomic_write(dirfd, name, text, n, 0644, ATOMIC_DURABLE, err);
	if (atomic_begin_in(&t, scratch, dirfd, name, 0644, err) < 0)
		return -1;
	if (fd_write_all(t.fd, text, n) < 0)
		return err_sys(err, errno, "write '%s'", name);
	return atomic_commit(&t, ATOMIC_DURABLE, err);
}
