/* SPDX-License-Identifier: Apache-2.0 */
/* Layout directories on their way: locked, filled, published or undone. */
#include "pkg/image/layout_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/image_layout.h"
#include "pkg/archive/hasher.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/image/save_limits.h"

#define INDEX_MAX_BYTES ((size_t)16 << 20)
#define CHUNK ((size_t)256 << 10)
#define OPEN_TRIES 10

/* ---- opening ---- */

/* But for the temporary file of another saver, who has just begun. */
static bool is_empty(int fd)
{
	auto_strv names = STRV_INIT;
	bool empty;

	atomic_clean(fd); /* one who was killed */
	empty = fs_list(fd, ".", &names) == 0;
	for (size_t i = 0; i < names.n; i++)
		empty = empty && str_starts(names.v[i], ".tmp-");
	return empty;
}

/* Never over that of another saver, who holds the lock on it already. */
static int put_layout_file(struct layout *l, struct err **err)
{
	auto_json *own = image_layout_build();
	autofree char *text = json_text(own, 0);
	auto_err *failure = NULL;

	if (atomic_write(l->fd, IMAGE_LAYOUT_FILE, text, strlen(text), 0666, ATOMIC_DURABLE | ATOMIC_EXCL,
		    &failure) == 0 ||
		err_kind(failure) == ERR_EXISTS)
		return 0;
	(void)err_add(&failure, "%s", l->path);
	return err_move(err, &failure);
}

/* Its oci-layout file, which is also what savers lock. */
static int check_layout(struct layout *l, struct err **err)
{
	auto_json *j = NULL;

	if (!fs_exists(l->fd, IMAGE_LAYOUT_FILE)) {
		/* Another saver may have begun it since. */
		if (!is_empty(l->fd) && !fs_exists(l->fd, IMAGE_LAYOUT_FILE)) {
			err_make(err, ERR_EXISTS, "%s exists and is no OCI layout", l->path);
			return err_hint(err, "name a layout, an empty directory, or one that is not there");
		}
		if (put_layout_file(l, err) < 0)
			return -1;
	}
	if (json_read(l->fd, IMAGE_LAYOUT_FILE, NULL, &j, err) < 0 || image_layout_check(j, err) < 0)
		return err_add(err, "%s", l->path);
	return lock_take(&l->lock, l->fd, IMAGE_LAYOUT_FILE, LOCK_EXCLUSIVE, err);
}

static int open_once(struct layout *l, struct err **err)
{
	bool made = mkdir(l->path, 0777) == 0;

	if (!made && errno != EEXIST)
		return err_sys(err, errno, "%s", l->path);
	l->made |= made;
	l->fd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->fd < 0 ? err_sys(err, errno, "%s", l->path) : check_layout(l, err);
}

/* Another saver that failed may have taken its new directory away while we waited for the lock. */
static int open_unique(struct layout *l, struct err **err)
{
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		if (open_once(l, err) < 0)
			return -1;
		if (fs_exists(l->fd, IMAGE_LAYOUT_FILE))
			return 0;
		lock_release(&l->lock);
		close(steal_fd(&l->fd));
	}
	return err_make(err, ERR_BUSY, "%s is being removed", l->path);
}

static int blob_dir(struct layout *l, enum sha_kind kind, struct err **err)
{
	const char *path = kind == SHA_256 ? "blobs/sha256" : "blobs/sha512";
	autoclose int made = -1;

	if (l->blobs[kind] >= 0)
		return l->blobs[kind];
	made = fs_mkdir_p(l->fd, path, 0777, FS_BENEATH);
	if (made >= 0)
		l->blobs[kind] = fs_open(l->fd, path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (l->blobs[kind] < 0)
		return err_sys(err, errno, "%s/%s", l->path, path);
	atomic_clean(l->blobs[kind]);
	return l->blobs[kind];
}

/* ---- blobs ---- */

/* The file has that content. */
bool layout_holds(int fd, const struct digest *want, uint64_t size)
{
	autofree char *buf = NULL;
	auto_hasher *h = NULL;
	char hex[SHA_HEX_MAX + 1];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return false;
	h = hasher_begin(want->kind, NULL);
	if (!h)
		return false;
	buf = xmalloc(2 * CHUNK);
	for (unsigned turn = 0; (n = fd_read_full(fd, buf + turn * CHUNK, CHUNK)) > 0; turn ^= 1)
		hasher_update(h, buf + turn * CHUNK, (size_t)n);
	hasher_finish(h, hex);
	return n == 0 && strcmp(hex, digest_hex(want)) == 0;
}

/* It is there already, whole. A damaged one is written again. */
static bool is_there(int dirfd, const struct digest *want, uint64_t size)
{
	autoclose int fd = openat(dirfd, digest_hex(want), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && layout_holds(fd, want, size);
}

int layout_commit(struct layout *l, struct atomic *file, const struct digest *d, struct err **err)
{
	autofree char *path = image_layout_blob_path(d);
	bool is_new = !fs_exists(l->fd, path);

	/* Synced all at once, before the index names them. */
	if (atomic_commit(file, 0, err) < 0)
		return err_add(err, "%s", l->path);
	if (is_new)
		strv_add(&l->added, path);
	return 0;
}

int layout_begin(
	struct layout *l, const struct digest *d, uint64_t size, struct atomic *ret, struct err **err)
{
	int dir = blob_dir(l, d->kind, err);

	if (dir < 0)
		return -1;
	if (is_there(dir, d, size))
		return 0;
	return atomic_begin(ret, dir, digest_hex(d), 0666, err) < 0 ? err_add(err, "%s", l->path) : 1;
}

int layout_put(struct layout *l, const struct digest *d, const void *p, size_t n, struct err **err)
{
	auto_atomic file = ATOMIC_INIT;
	int r = layout_begin(l, d, n, &file, err);

	if (r <= 0)
		return r;
	if (fd_write_all(file.fd, p, n) < 0)
		return err_sys(err, errno, "write to %s", l->path);
	return layout_commit(l, &file, d, err);
}

/* ---- the index ---- */

/* What is there, or an empty one. */
static int read_index(struct layout *l, struct err **err)
{
	struct json **ret = &l->index;
	const struct json_limits limits = { .bytes = INDEX_MAX_BYTES };

	if (!fs_exists(l->fd, IMAGE_LAYOUT_INDEX)) {
		*ret = json_new_object();
		json_set_i64(*ret, "schemaVersion", 2);
		(void)json_need_array(*ret, "manifests");
		return 0;
	}
	if (json_read(l->fd, IMAGE_LAYOUT_INDEX, &limits, ret, err) < 0)
		return err_add(err, "%s", l->path);
	if (json_is(*ret, JSON_OBJECT) && json_is(json_get(*ret, "manifests"), JSON_ARRAY))
		return 0;
	return err_make(err, ERR_CORRUPT, "%s: %s is no image index", l->path, IMAGE_LAYOUT_INDEX);
}

static const char *entry_name(const struct json *entry)
{
	return json_str(json_get(json_get(entry, "annotations"), ANNOTATION_REF_NAME));
}

/* Those that nobody named are the same if they are of the same manifest. */
static bool is_same(const struct json *a, const struct json *b)
{
	return str_eq(entry_name(a), entry_name(b)) &&
	       (entry_name(a) || str_eq(json_str(json_get(a, "digest")), json_str(json_get(b, "digest"))));
}

/* New entries replace those of the same name. */
static void merge(struct json *list, const struct json *entries)
{
	for (size_t i = 0; i < json_len(entries); i++) {
		const struct json *entry = json_at(entries, i);

		for (size_t k = json_len(list); k > 0; k--)
			if (is_same(json_at(list, k - 1), entry))
				json_remove_at(list, k - 1);
	}
	for (size_t i = 0; i < json_len(entries); i++)
		json_append(list, json_clone(json_at(entries, i)));
}

int layout_open(struct layout *l, struct err **err)
{
	if (open_unique(l, err) < 0 || read_index(l, err) < 0)
		return -1;
	atomic_clean(l->fd);
	return 0;
}

int layout_publish(struct layout *l, const struct json *entries, struct err **err)
{
	struct json *list = json_get(l->index, "manifests");

	merge(list, entries);
	l->text = json_text(l->index, 0);
	if (save_limit_index(json_len(list), strlen(l->text), err) < 0)
		return err_add(err, "%s", l->path);
	if (syncfs(l->fd) < 0)
		return err_sys(err, errno, "write to %s", l->path);
	if (atomic_write(l->fd, IMAGE_LAYOUT_INDEX, l->text, strlen(l->text), 0666, ATOMIC_DURABLE, err) < 0)
		return err_add(err, "%s", l->path);
	l->done = true;
	return 0;
}

/* The rename happened, and only the sync behind it failed. */
static bool is_published(const struct layout *l)
{
	auto_str now = STR_INIT;

	return l->text && fs_read(l->fd, IMAGE_LAYOUT_INDEX, INDEX_MAX_BYTES, &now, FS_BENEATH) == 0 &&
	       strcmp(str_text(&now), l->text) == 0;
}

/* As it was before: the first error is the one to tell. */
static void undo(struct layout *l)
{
	if (l->fd < 0 || l->done || is_published(l))
		return;
	for (size_t i = 0; i < l->added.n; i++)
		(void)unlinkat(l->fd, l->added.v[i], 0);
	if (!l->made || fs_exists(l->fd, IMAGE_LAYOUT_INDEX))
		return;
	(void)unlinkat(l->fd, "blobs/sha256", AT_REMOVEDIR);
	(void)unlinkat(l->fd, "blobs/sha512", AT_REMOVEDIR);
	(void)unlinkat(l->fd, "blobs", AT_REMOVEDIR);
	(void)unlinkat(l->fd, IMAGE_LAYOUT_FILE, 0);
	(void)rmdir(l->path);
}

void layout_close(struct layout *l)
{
	undo(l);
	lock_release(&l->lock);
	base_autoclose(&l->fd);
	base_autoclose(&l->blobs[0]);
	base_autoclose(&l->blobs[1]);
	strv_free(&l->added);
	json_free(l->index);
	free(l->text);
}
