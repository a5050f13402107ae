/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of originals: "N", and "N.new" of one inode with what has replaced it in ROOT. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engines/fakechroot.h"
#include "engines/fakechroot_patch.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/sorted.h"
#include "pkg/base/strv.h"

#define SUFFIX ".new"
#define NUMBER_MAX 99999999
#define PUT "put" /* in the stage: what takes its place next */

struct name {
	char text[24];
};

static struct name name_of(unsigned number, bool patched)
{
	struct name n;

	(void)snprintf(n.text, sizeof(n.text), "%08u%s", number, patched ? SUFFIX : ""); /* always fits */
	return n;
}

static int by_original(const void *a, const void *b)
{
	const struct fakechroot_pair *x = a, *y = b;

	return (x->original > y->original) - (x->original < y->original);
}

static int by_patched(const void *a, const void *b)
{
	const struct fakechroot_pair *x = a, *y = b;

	return (x->patched > y->patched) - (x->patched < y->patched);
}

static struct fakechroot_pair *add_pair(
	struct fakechroot_set *s, unsigned number, const struct stat *original, const struct stat *patched)
{
	struct fakechroot_pair *p = xcalloc(1, sizeof(*p));

	*p = (struct fakechroot_pair){ s, number, original->st_ino, patched->st_ino, original->st_mode,
		original->st_uid, original->st_gid };
	s->pairs = mem_grow(s->pairs, &s->cap, s->n + 1, sizeof(struct fakechroot_pair *));
	s->pairs[s->n++] = p;
	*sorted_slot(&s->by_original, p, by_original) = p;
	*sorted_slot(&s->by_patched, p, by_patched) = p;
	return p;
}

/* Both files of a number, or neither. */
static void load_one(struct fakechroot_set *s, unsigned number)
{
	struct name original = name_of(number, false), patched = name_of(number, true);
	struct stat o, p;

	if (fstatat(s->fd, original.text, &o, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(o.st_mode))
		return;
	if (fstatat(s->fd, patched.text, &p, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(p.st_mode)) {
		(void)unlinkat(s->fd, original.text, 0); /* tried again by the next */
		return;
	}
	/* It got the times of the original; whoever writes to it changes them. */
	if (o.st_mtim.tv_sec == p.st_mtim.tv_sec && o.st_mtim.tv_nsec == p.st_mtim.tv_nsec)
		(void)add_pair(s, number, &o, &p);
}

int fakechroot_set_open(
	struct fakechroot_set *s, const struct fakechroot_stage *stage, bool make, struct err **err)
{
	auto_strv names = STRV_INIT;
	struct stat st;

	if (make && mkdirat(stage->bundle, FAKECHROOT_ORIGINALS, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "keep programs beside ROOT");
	s->fd = fs_open(stage->bundle, FAKECHROOT_ORIGINALS, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (s->fd < 0 && errno == ENOENT && !make)
		return 0;
	if (s->fd < 0 || fstat(s->fd, &st) < 0 || fs_list(s->fd, ".", &names) < 0)
		return err_sys(err, errno, "programs kept beside ROOT");
	s->dev = st.st_dev;
	for (size_t i = 0; i < names.n; i++) {
		int number;

		if (num_parse_int(names.v[i], 0, NUMBER_MAX, &number) < 0)
			continue; /* the other half */
		load_one(s, (unsigned)number);
		if ((unsigned)number >= s->next)
			s->next = (unsigned)number + 1;
	}
	return 0;
}

void fakechroot_set_close(struct fakechroot_set *s)
{
	sorted_free(&s->by_original);
	sorted_free(&s->by_patched);
	for (size_t i = 0; i < s->n; i++)
		free(s->pairs[i]);
	free(s->pairs);
	if (s->fd >= 0)
		close(s->fd);
	*s = FAKECHROOT_SET_INIT;
}

int fakechroot_set_remove(struct fakechroot_set *s, const struct fakechroot_stage *stage)
{
	auto_strv names = STRV_INIT;

	if (s->fd < 0)
		return 0;
	if (fs_list(s->fd, ".", &names) < 0)
		return -1;
	/* From the end: of a pair ".new" goes first, and what is left is a half. */
	for (size_t i = names.n; i-- > 0;)
		if (unlinkat(s->fd, names.v[i], 0) < 0 && errno != ENOENT)
			return -1;
	return unlinkat(stage->bundle, FAKECHROOT_ORIGINALS, AT_REMOVEDIR);
}

struct fakechroot_pair *fakechroot_set_by_original(const struct fakechroot_set *s, ino_t ino)
{
	struct fakechroot_pair key = { .original = ino };

	return sorted_find(&s->by_original, &key, by_original);
}

struct fakechroot_pair *fakechroot_set_by_patched(const struct fakechroot_set *s, ino_t ino)
{
	struct fakechroot_pair key = { .patched = ino };

	return sorted_find(&s->by_patched, &key, by_patched);
}

int fakechroot_set_add(struct fakechroot_set *s, const struct fakechroot_stage *stage, int dirfd,
	const char *name, const char *staged, bool is_patched, struct fakechroot_pair **ret)
{
	struct name original = name_of(s->next, false), patched = name_of(s->next, true);
	struct stat o, p;

	if (s->next > NUMBER_MAX) {
		errno = EMFILE;
		return -1;
	}
	/* The original first: without the other it is a half. */
	if (is_patched ? renameat(stage->fd, staged, s->fd, original.text) < 0 ||
				 linkat(dirfd, name, s->fd, patched.text, 0) < 0
		       : linkat(dirfd, name, s->fd, original.text, 0) < 0 ||
				 renameat(stage->fd, staged, s->fd, patched.text) < 0)
		return -1;
	if (fstatat(s->fd, original.text, &o, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(s->fd, patched.text, &p, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	*ret = add_pair(s, s->next, &o, &p);
	s->next++;
	return 0;
}

int fakechroot_set_take_mode(const struct fakechroot_pair *pair, const struct stat *patched)
{
	struct name n = name_of(pair->number, false);
	autoclose int fd = -1;

	if (patched->st_mode == pair->mode && patched->st_uid == pair->uid && patched->st_gid == pair->gid)
		return 0;
	fd = openat(pair->set->fd, n.text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* Before the mode: it takes set-id bits. Who may not give files away could not have done so. */
	if (fchownat(fd, "", patched->st_uid, patched->st_gid, AT_EMPTY_PATH) < 0 && errno != EPERM)
		return -1;
	return fs_chmod_opath(fd, patched->st_mode & 07777);
}

static int put(const struct fakechroot_stage *stage, int dirfd, const char *name,
	const struct fakechroot_pair *pair, bool patched)
{
	struct name n = name_of(pair->number, patched);

	(void)unlinkat(stage->fd, PUT, 0); /* a predecessor's */
	return linkat(pair->set->fd, n.text, stage->fd, PUT, 0) < 0 ||
			       renameat(stage->fd, PUT, dirfd, name) < 0
		       ? -1
		       : 0;
}

int fakechroot_set_put_patched(const struct fakechroot_stage *stage, int dirfd, const char *name, void *arg)
{
	return put(stage, dirfd, name, arg, true);
}

int fakechroot_set_put_original(const struct fakechroot_stage *stage, int dirfd, const char *name, void *arg)
{
	return put(stage, dirfd, name, arg, false);
}
