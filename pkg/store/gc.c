/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may go: found by the targets of the links below repos/, never by their names (FIX-14). udocker 1.3.x takes no locks and looks only
 * once: what is young is left alone by prune.
 */
#include "pkg/store/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/store/images_open.h"
#include "pkg/store/partial.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

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

/* ---- hiding ---- */

#define HIDDEN ".gc" /* in layers/: names "<random>-<blob>", so that nobody takes one hiding for another */
#define RANDOM_LEN 16
#define OPEN_TRIES 10

/* The directory, locked against gc_recover(), which would do our work a second time. -1 with errno. */
static int hidden_begin(struct store *s)
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		int fd;

		if (mkdirat(s->layers_fd, HIDDEN, 0700) < 0 && errno != EEXIST)
			return -1;
		fd = openat(s->layers_fd, HIDDEN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			(void)flock(fd, LOCK_SH | LOCK_NB); /* refused: then work may be done twice */
			return fd;
		}
		if (errno != ENOENT) /* removed by another who has finished */
			return -1;
	}
	return -1;
}

static void hidden_end(struct store *s, int fd)
{
	close(fd);
	(void)unlinkat(s->layers_fd, HIDDEN, AT_REMOVEDIR); /* not empty: another is at work */
}

static const char *blob_of(const char *hidden)
{
	return strlen(hidden) > RANDOM_LEN && hidden[RANDOM_LEN] == '-' ? hidden + RANDOM_LEN + 1 : NULL;
}

/* Back to its place, unless that was filled meanwhile. */
static void unhide(struct store *s, int fd, const char *hidden)
{
	const char *name = blob_of(hidden);

	if (atomic_rename_excl(fd, hidden, s->layers_fd, name) < 0 && errno == EEXIST)
		(void)unlinkat(fd, hidden, 0); /* whoever finds it there next tries again */
}

/* The second look. Any process may take it, for any hidden blob: it was hidden before we read the links. 0 or -1 with errno. */
static int judge(struct store *s, int fd, const struct strv *hidden, struct strv *ret_removed)
{
	auto_strv linked = STRV_INIT;
	auto_err *e = NULL;
	bool known = gc_linked(s, &linked, &e) == 0;
	int failed = 0;

	if (!known)
		log_warning("%s, keeping all layers", err_text(e));
	for (size_t i = 0; i < hidden->n; i++) {
		const char *name = blob_of(hidden->v[i]);

		if (!known || has_sorted(&linked, name))
			unhide(s, fd, hidden->v[i]);
		else if (unlinkat(fd, hidden->v[i], 0) == 0)
			strv_add(ret_removed, name);
		else if (errno != ENOENT)
			failed = errno;
	}
	errno = failed;
	return failed ? -1 : 0;
}

/* Blobs of which the first look said that nobody links them. */
static int remove_blobs(struct store *s, const struct strv *names, struct strv *ret_removed, struct err **err)
{
	char random[RANDOM_LEN + 1];
	auto_strv hidden = STRV_INIT;
	int fd = hidden_begin(s), failed = 0;

	if (fd < 0)
		return err_sys(err, errno, "create %s/" HIDDEN, s->layers);
	id_random_hex(random, RANDOM_LEN);
	for (size_t i = 0; i < names->n; i++) {
		autofree char *to = xasprintf("%s-%s", random, names->v[i]);

		if (renameat(s->layers_fd, names->v[i], fd, to) == 0)
			strv_add_owned(&hidden, steal_ptr(&to));
		else if (errno != ENOENT)
			failed = errno;
	}
	if (hidden.n && judge(s, fd, &hidden, ret_removed) < 0)
		failed = errno;
	hidden_end(s, fd);
	return failed ? err_sys(err, failed, "remove from %s", s->layers) : 0;
}

void gc_drop(struct store *s, const struct strv *names)
{
	auto_strv linked = STRV_INIT, unlinked = STRV_INIT, removed = STRV_INIT;
	auto_err *e = NULL;

	if (s->layers_fd < 0)
		return;
	if (gc_linked(s, &linked, &e) < 0) {
		log_warning("%s, keeping all layers", err_text(e));
		return;
	}
	for (size_t i = 0; i < names->n; i++)
		if (!has_sorted(&linked, names->v[i]))
			strv_add(&unlinked, names->v[i]);
	if (unlinked.n && remove_blobs(s, &unlinked, &removed, &e) < 0)
		log_debug("%s", err_text(e));
}

/* Names in the directory of hidden blobs, those of one blob or of all. */
static int list_hidden(struct store *s, const char *name, struct strv *ret)
{
	int fd = openat(s->layers_fd, HIDDEN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_strv all = STRV_INIT;

	if (fd >= 0 && fs_list(fd, ".", &all) == 0)
		for (size_t i = 0; i < all.n; i++) {
			const char *blob = blob_of(all.v[i]);

			if (blob && (!name || strcmp(blob, name) == 0))
				strv_add(ret, all.v[i]);
		}
	return fd;
}

bool gc_regain(struct store *s, const char *name)
{
	auto_strv hidden = STRV_INIT;
	autoclose int fd = list_hidden(s, name, &hidden);

	for (size_t i = 0; i < hidden.n; i++)
		unhide(s, fd, hidden.v[i]);
	return hidden.n && fs_has_name(s->layers_fd, name);
}

int gc_open_hidden(struct store *s, const char *name)
{
	auto_strv hidden = STRV_INIT;
	autoclose int fd = list_hidden(s, name, &hidden);

	return hidden.n ? openat(fd, hidden.v[0], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
}

void gc_recover(struct store *s)
{
	auto_strv hidden = STRV_INIT, removed = STRV_INIT;
	int fd = s->layers_fd < 0 ? -1 : list_hidden(s, NULL, &hidden);

	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		close(fd); /* its owner lives */
		return;
	}
	if (hidden.n)
		(void)judge(s, fd, &hidden, &removed); /* the next writer tries again */
	hidden_end(s, fd);
}

/* ---- prune ---- */

static bool is_old(const struct stat *st, int min_age_s)
{
	return time(NULL) - st->st_mtime >= min_age_s && time(NULL) - st->st_ctime >= min_age_s;
}

struct search {
	struct store *store;
	int min_age_s;
	bool others; /* somebody else may be writing: what he has brought has a second name in .stage */
	struct strv found;
};

/* Regular files and the dangling links of 1.3.x that no image links. */
static int find_unused(const struct search *f, struct strv *ret, uint64_t *ret_bytes, struct err **err)
{
	auto_strv linked = STRV_INIT, names = STRV_INIT;
	struct store *s = f->store;

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
		if (!(S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) || !is_old(&st, f->min_age_s) ||
			(f->others && st.st_nlink > 1))
			continue;
		strv_add(ret, name);
		*ret_bytes += (uint64_t)st.st_size;
	}
	return 0;
}

static int collect_blobs(const struct search *f, unsigned flags, struct gc_result *ret, struct err **err)
{
	auto_strv unused = STRV_INIT;
	uint64_t bytes = 0;

	if (f->store->layers_fd < 0)
		return 0;
	if (find_unused(f, &unused, &bytes, err) < 0)
		return -1;
	ret->bytes = bytes;
	if (flags & GC_DRY_RUN) {
		ret->blobs = unused;
		unused = STRV_INIT;
		return 0;
	}
	return unused.n ? remove_blobs(f->store, &unused, &ret->blobs, err) : 0;
}

/* ---- tags that were begun and never finished ---- */

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
	if (!fs_has_name(dirfd, marker) && errno == ENOENT)
		strv_add(&t->dirs, path);
	return 0;
}

/* Files and links of a folder that has no TAG but deeper folders: it stays, and so does what others put there. */
static void empty_unfinished(int fd)
{
	static const char *const ours[] = { "manifest", "v1", "v2", "ancestry", "container.json", "PROTECT" };
	auto_strv names = STRV_INIT;

	if (fs_list(fd, ".", &names) < 0)
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

static void remove_unfinished(struct store *s, const char *path)
{
	auto_strv targets = STRV_INIT;
	struct tagdir_taken taken;

	/* An empty folder, which most are. */
	if (unlinkat(s->repos_fd, path, AT_REMOVEDIR) == 0)
		return;
	if (tagdir_take(s, path, &taken)) {
		if (fs_has_name(taken.fd, "TAG"))
			tagdir_put_back(s, path, &taken); /* finished just now */
		else
			tagdir_discard(s, &taken, &targets);
	} else {
		autoclose int fd = fs_open(s->repos_fd, path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);

		if (fd >= 0 && !fs_has_name(fd, "TAG"))
			empty_unfinished(fd);
		(void)unlinkat(s->repos_fd, path, AT_REMOVEDIR); /* not empty: deeper repositories stay */
	}
}

static int clean_tags(struct store *s, int min_age_s, struct err **err)
{
	struct tag_search t = { .min_age_s = min_age_s };
	auto_lock lock = LOCK_INIT;
	int r = 0;

	if (s->repos_fd < 0)
		return 0;
	if (images_lock(s, &lock, err) < 0)
		return -1;
	if (fs_walk(s->repos_fd, collect_dir, &t) < 0)
		r = err_sys(err, errno, "read %s", s->repos);
	for (size_t i = 0; r == 0 && i < t.all.n; i++) {
		autoclose int fd = fs_open(s->repos_fd, t.all.v[i], O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);

		if (fd >= 0)
			atomic_clean(fd);
	}
	for (size_t i = t.dirs.n; r == 0 && i > 0; i--)
		remove_unfinished(s, t.dirs.v[i - 1]);
	strv_free(&t.all);
	strv_free(&t.dirs);
	return r;
}

int gc_collect(struct store *s, unsigned flags, int min_age_s, struct gc_result *ret, struct err **err)
{
	struct search f = { .store = s, .min_age_s = min_age_s };
	int alone, r;

	if (!s->exists)
		return 0;
	if (flags & GC_DRY_RUN)
		return collect_blobs(&f, flags, ret, err);
	store_clean_stage(s);
	gc_recover(s);
	if (s->layers_fd >= 0)
		atomic_clean(s->layers_fd);
	partial_clean(s, min_age_s);
	alone = store_lock_exclusive(s, err);
	if (alone < 0)
		return -1;
	f.others = !alone;
	r = clean_tags(s, min_age_s, err);
	if (r == 0)
		r = collect_blobs(&f, flags, ret, err);
	if (alone && store_lock_shared(s, r == 0 ? err : NULL) < 0)
		r = -1;
	return r;
}

void gc_result_free(struct gc_result *r)
{
	strv_free(&r->blobs);
	*r = GC_RESULT_INIT;
}
