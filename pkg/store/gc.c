/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may go: found by the targets of the links below repos/, never by their names (FIX-14), and removed under the exclusive lock.
 * udocker 1.3.x takes no locks: what is young is left alone.
 */
#include "pkg/store/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/store/store.h"

static int collect_link(
	int dirfd, const char *name, const char *path UNUSED, const struct stat *st, void *arg)
{
	autofree char *target = NULL;

	if (!S_ISLNK(st->st_mode))
		return 0;
	target = fs_readlink(dirfd, name);
	if (!target)
		return errno == ENOENT ? 0 : -1; /* 1.3.x may have removed it just now */
	strv_add(arg, path_base(target));
	return 0;
}

int gc_linked(struct store *s, struct strv *ret, struct err **err)
{
	size_t n = 0;

	if (s->repos_fd < 0)
		return 0;
	if (fs_walk(s->repos_fd, collect_link, ret) < 0)
		return err_sys(err, errno, "read %s", s->repos);
	strv_sort(ret);
	for (size_t i = 0; i < ret->n; i++) {
		if (n && strcmp(ret->v[i], ret->v[n - 1]) == 0)
			free(ret->v[i]);
		else
			ret->v[n++] = ret->v[i];
	}
	if (ret->n)
		ret->v[n] = NULL;
	ret->n = n;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_sorted(const struct strv *list, const char *name)
{
	return list->n && bsearch(&name, list->v, list->n, sizeof(*list->v), compare);
}

void gc_drop(struct store *s, const struct strv *names)
{
	auto_strv linked = STRV_INIT;
	auto_err *e = NULL;
	int r = store_lock_exclusive(s, &e);

	if (r <= 0) {
		if (e)
			log_debug("%s", err_text(e));
		log_info("another udocker writes to the store: layers nobody uses stay until 'udocker-image "
			 "prune'");
		return;
	}
	if (gc_linked(s, &linked, &e) < 0)
		log_warning("%s, keeping all layers", err_text(e));
	else
		for (size_t i = 0; i < names->n; i++)
			if (!has_sorted(&linked, names->v[i]))
				(void)unlinkat(s->layers_fd, names->v[i], 0); /* gone already is as good */
	err_clear(&e);
	if (store_lock_shared(s, &e) < 0)
		log_debug("%s", err_text(e));
}

/* ---- prune ---- */

static bool is_old(const struct stat *st, int min_age_s)
{
	return time(NULL) - st->st_mtime >= min_age_s && time(NULL) - st->st_ctime >= min_age_s;
}

static int collect_blobs(
	struct store *s, unsigned flags, int min_age_s, struct gc_result *ret, struct err **err)
{
	auto_strv linked = STRV_INIT, names = STRV_INIT;

	if (s->layers_fd < 0)
		return 0;
	if (gc_linked(s, &linked, err) < 0)
		return -1;
	if (fs_list(s->layers_fd, ".", &names) < 0)
		return err_sys(err, errno, "read %s", s->layers);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.v[i];
		struct stat st;

		if (*name == '.' || has_sorted(&linked, name) ||
			fstatat(s->layers_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (!(S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) || !is_old(&st, min_age_s))
			continue;
		if (!(flags & GC_DRY_RUN) && unlinkat(s->layers_fd, name, 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove layer %s", name);
		strv_add(&ret->blobs, name);
		ret->bytes += (uint64_t)st.st_size;
	}
	return 0;
}

struct tag_search {
	struct strv all; /* folders in which writers may have died */
	struct strv dirs; /* those that are no tags, parents before children */
	int min_age_s;
};

static int collect_dir(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct tag_search *t = arg;
	autofree char *marker = NULL;

	if (!S_ISDIR(st->st_mode))
		return 0;
	strv_add(&t->all, path);
	if (!is_old(st, t->min_age_s))
		return 0;
	marker = path_join(name, "TAG");
	if (faccessat(dirfd, marker, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		strv_add(&t->dirs, path);
	return 0;
}

/* Files and links of a folder that has no TAG, when it has no further folders in it: a tag that was begun. */
static void empty_unfinished(int repos_fd, const char *dir)
{
	static const char *const ours[] = { "manifest", "v1", "v2", "ancestry", "PROTECT" };
	autoclose int fd = fs_open(repos_fd, dir, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;
		bool known = false;

		if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			known = known || strcmp(names.v[i], ours[k]) == 0;
		if (S_ISLNK(st.st_mode) || (S_ISREG(st.st_mode) && known))
			(void)unlinkat(fd, names.v[i], 0); /* what stays is looked at by the next prune */
	}
}

static int clean_tags(struct store *s, int min_age_s, struct err **err)
{
	struct tag_search t = { .min_age_s = min_age_s };
	int r = 0;

	if (s->repos_fd < 0)
		return 0;
	if (fs_walk(s->repos_fd, collect_dir, &t) < 0)
		r = err_sys(err, errno, "read %s", s->repos);
	for (size_t i = 0; r == 0 && i < t.all.n; i++) {
		autoclose int fd = fs_open(s->repos_fd, t.all.v[i], O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);

		if (fd >= 0)
			atomic_clean(fd);
	}
	for (size_t i = t.dirs.n; r == 0 && i > 0; i--) {
		empty_unfinished(s->repos_fd, t.dirs.v[i - 1]);
		/* Only an empty folder goes: one that holds tags of other names stays. */
		(void)unlinkat(s->repos_fd, t.dirs.v[i - 1], AT_REMOVEDIR);
	}
	strv_free(&t.all);
	strv_free(&t.dirs);
	return r;
}

int gc_collect(struct store *s, unsigned flags, int min_age_s, struct gc_result *ret, struct err **err)
{
	auto_err *e = NULL;
	int r;

	if (!s->exists)
		return 0;
	if (!(flags & GC_DRY_RUN)) {
		r = store_lock_exclusive(s, err);
		if (r < 0)
			return -1;
		if (r == 0) {
			err_make(err, ERR_BUSY, "another udocker writes to the store %s", s->top);
			return err_hint(err, "try again when it has finished");
		}
		store_clean_stage(s);
		if (s->layers_fd >= 0)
			atomic_clean(s->layers_fd);
	}
	r = flags & GC_DRY_RUN ? 0 : clean_tags(s, min_age_s, err);
	if (r == 0)
		r = collect_blobs(s, flags, min_age_s, ret, err);
	if (!(flags & GC_DRY_RUN) && store_lock_shared(s, &e) < 0)
		log_debug("%s", err_text(e));
	return r;
}

void gc_result_free(struct gc_result *r)
{
	strv_free(&r->blobs);
	*r = GC_RESULT_INIT;
}
