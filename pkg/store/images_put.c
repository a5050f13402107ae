/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images stored, tagged, protected and removed. A tag is replaced in place, in this order: links to the new blobs, a second look at
 * the blobs, the manifest by rename (with a v1 image before: the marker v1 renamed to v2), TAG, old links dropped. So it is at every
 * instant one image or the other, and 1.3.x never sees v1 beside v2.
 *
 * A lock orders changes. Where it is refused, or other hosts do not see it, settle() carries the correctness: whoever has changed the
 * manifest makes the links fit the manifest that is there, looks again, and begins anew when the folder was taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/manifest.h"
#include "oci-spec/reference.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/lock.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/store/gc.h"
#include "pkg/store/images.h"
#include "pkg/store/images_open.h"
#include "pkg/store/layers.h"
#include "pkg/store/listing.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

#define REPOS_LOCK ".lock-repos"
#define PUT_TRIES 10

/*
 * Once in LISTING_WORTH images whoever stores one lists them all when he is done, so that not even the first listing of a store that has grown large
 * has much to read. They are counted by the bytes in the lock's file, which mean nothing to anybody else.
 */
static void count_image(struct store *s, const struct lock *l)
{
	struct stat st;

	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return;
	if (st.st_size + 1 < LISTING_WORTH) {
		(void)!pwrite(l->fd, "", 1, st.st_size); /* a count that is lost is no harm */
		return;
	}
	(void)!ftruncate(l->fd, 0);
	s->at_close = image_list_remember;
}

int images_lock(struct store *s, struct lock *ret, struct err **err)
{
	return lock_take(ret, s->top_fd, REPOS_LOCK, LOCK_EXCLUSIVE, err);
}

static int refuse_protected(const char *repo, const char *tag, struct err **err)
{
	err_make(err, ERR_DENIED, "image %s:%s is protected", repo, tag);
	return err_hint(err, "unprotect it first");
}

/* The blobs of a manifest, each once, sorted. */
static int blobs_of(const void *text, size_t n, struct strv *ret, struct err **err)
{
	auto_manifest *m = NULL;

	if (manifest_parse(text, n, "manifest", &m, err) < 0)
		return -1;
	if (digest_is_set(&m->config.digest)) /* in schema 1 the configuration lies inside the manifest */
		strv_add(ret, m->config.digest.text);
	for (size_t i = 0; i < m->n_layers; i++)
		if (!strv_has(ret, m->layers[i].digest.text))
			strv_add(ret, m->layers[i].digest.text);
	strv_sort(ret);
	return 0;
}

/* ---- put ---- */

static int touch(const struct tagdir *t, const char *name, struct err **err)
{
	autoclose int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? err_sys(err, errno, "create %s/%s", t->path, name) : 0;
}

/* 1.3.x writes the absolute folder there; only the file's existence means something. */
static int write_tag(struct store *s, const struct tagdir *t, struct err **err)
{
	autofree char *dir = path_dir(t->path), *text = NULL;

	if (tagdir_has(t, "TAG"))
		return 0;
	text = xasprintf("%s/%s:%s", s->repos, dir, path_base(t->path));
	return store_write(s, t->fd, "TAG", text, strlen(text), err);
}

/* Links first, then a second look: 1.3.x deletes what it sees no link of. `made` gets the links that are new. */
static int link_blobs(struct store *s, const struct tagdir *t, const struct strv *blobs, struct strv *made,
	struct err **err)
{
	for (size_t i = 0; i < blobs->n; i++) {
		int r = tagdir_link(s, t, blobs->v[i], blobs->v[i], err);

		if (r < 0)
			return -1;
		if (r > 0)
			strv_add(made, blobs->v[i]);
	}
	for (size_t i = 0; i < blobs->n; i++)
		if (!layer_regain(s, blobs->v[i])) {
			err_make(err, ERR_NOT_FOUND, "layer %s is not in the store", blobs->v[i]);
			return err_hint(err, "it was removed meanwhile: try again");
		}
	return 0;
}

/* Markers and TAG. A v1 image becomes the new one by the rename, 1.3.x's view included. */
static int finish(struct store *s, const struct tagdir *t, struct err **err)
{
	if (renameat(t->fd, "v1", t->fd, "v2") < 0) {
		if (errno != ENOENT)
			return err_sys(err, errno, "rename %s/v1", t->path);
		if (touch(t, "v2", err) < 0)
			return -1;
	}
	if (write_tag(s, t, err) < 0)
		return -1;
	(void)fs_sync_dir(t->fd); /* the manifest is durable already */
	return 0;
}

/* What the old image left in the folder. Failures cost space, not correctness. */
static void drop_old(const struct tagdir *t, const struct strv *blobs, struct strv *dropped)
{
	(void)tagdir_drop_links(t, blobs, dropped, NULL);
	(void)unlinkat(t->fd, "ancestry", 0);
	(void)unlinkat(t->fd, "container.json", 0);
}

/* The same image in the folder where 1.3.x keeps it (FIX-12): replaced as well. */
static void drop_misplaced(struct store *s, const struct reference *r, struct strv *dropped)
{
	auto_strv dirs = STRV_INIT;

	reference_old_dirs(r, &dirs);
	for (size_t i = 0; i < dirs.n; i++) {
		auto_tagdir t = TAGDIR_INIT;

		if (tagdir_open(s, dirs.v[i], &t, NULL) > 0)
			(void)tagdir_remove(s, &t, dropped, NULL); /* costs space, not correctness */
	}
}

/* The tag that will be replaced, exactly: a digest of the reference does not make another tag's folder the target. */
static int check_target(
	struct store *s, const struct reference *r, const struct image_put *put, struct err **err)
{
	auto_strv dirs = STRV_INIT;

	strv_add_owned(&dirs, reference_dir(r));
	reference_old_dirs(r, &dirs);
	for (size_t i = 0; i < dirs.n; i++) {
		auto_tagdir t = TAGDIR_INIT;
		int found = tagdir_open(s, dirs.v[i], &t, err);

		if (found < 0)
			return -1;
		if (found && put->must_be_new)
			return err_make(err, ERR_EXISTS, "it exists already");
		if (found && tagdir_has(&t, "PROTECT")) {
			err_make(err, ERR_DENIED, "it is protected");
			return err_hint(err, "unprotect it first");
		}
	}
	return 0;
}

/* True if the folder holds this very manifest. *ret_text (empty) gets what it holds. */
static bool has_manifest(const struct tagdir *t, const struct image_put *put, struct str *ret_text)
{
	return fs_read(t->fd, "manifest", IMAGE_MANIFEST_MAX, ret_text, FS_BENEATH) == 0 &&
	       ret_text->len == put->manifest_len &&
	       memcmp(str_text(ret_text), put->manifest, put->manifest_len) == 0;
}

/* The new links go again, unless the rename happened and only the sync behind it failed. */
static void undo_links(const struct tagdir *t, const struct image_put *put, const struct strv *made)
{
	auto_str now = STR_INIT;

	if (has_manifest(t, put, &now))
		return;
	for (size_t i = 0; i < made->n; i++)
		(void)unlinkat(t->fd, made->v[i], 0); /* the first error is the one to tell */
}

/* A tag that we began and could not finish, unless another has finished it. */
static void undo_folder(struct store *s, const struct tagdir *t)
{
	auto_strv targets = STRV_INIT;
	struct tagdir_taken taken;

	if (tagdir_has(t, "TAG") || !tagdir_take(s, t->path, &taken))
		return;
	if (fs_has_name(taken.fd, "TAG"))
		tagdir_put_back(s, t->path, &taken);
	else
		tagdir_discard(s, &taken, &targets);
	tagdir_prune(s, t->path);
}

/* Links, manifest, marker, TAG. The state on failure is that before, or the new image. */
static int write_image(struct store *s, struct tagdir *t, const struct image_put *put,
	const struct strv *blobs, bool *ret_taken, struct err **err)
{
	auto_strv made = STRV_INIT;
	bool there = tagdir_has(t, "TAG");

	if (link_blobs(s, t, blobs, &made, err) < 0 ||
		store_write(s, t->fd, "manifest", put->manifest, put->manifest_len, err) < 0) {
		*ret_taken = !tagdir_is_current(s, t);
		if (there)
			undo_links(t, put, &made);
		else if (!*ret_taken)
			undo_folder(s, t);
		return -1;
	}
	if (finish(s, t, err) < 0) {
		*ret_taken = !tagdir_is_current(s, t);
		if (!there && !*ret_taken)
			(void)tagdir_remove(s, t, &made, NULL); /* the first error is the one to tell */
		return -1;
	}
	return 0;
}

/*
 * Make the links fit the manifest that is there now. 1 when the tag is whole and nobody has changed the manifest meanwhile, 0 to look
 * once more, -1 when parts of it are gone.
 */
static int settle_once(struct store *s, const struct tagdir *t, const struct image_put *put, bool *ret_ours,
	struct strv *dropped)
{
	auto_str now = STR_INIT, then = STR_INIT;
	auto_strv blobs = STRV_INIT, made = STRV_INIT;

	*ret_ours = has_manifest(t, put, &now);
	if (!tagdir_has(t, "TAG") || blobs_of(str_text(&now), now.len, &blobs, NULL) < 0 ||
		link_blobs(s, t, &blobs, &made, NULL) < 0)
		return -1;
	drop_old(t, &blobs, dropped);
	if (fs_read(t->fd, "manifest", IMAGE_MANIFEST_MAX, &then, FS_BENEATH) < 0)
		return -1;
	return now.len == then.len && memcmp(str_text(&now), str_text(&then), now.len) == 0;
}

/* 1: the tag is as it should be; ours, or what another put there after us. 0: it was taken apart, write it again. */
static int settle(struct store *s, const struct tagdir *t, const struct image_put *put, struct strv *dropped)
{
	for (int i = 0; i < PUT_TRIES; i++) {
		bool ours = true;
		int r = settle_once(s, t, put, &ours, dropped);

		if (r < 0)
			return !ours && tagdir_is_current(s, t);
		if (r > 0)
			return tagdir_is_current(s, t);
	}
	return 1; /* others replace it all the time, and look after it themselves */
}

static int put_locked(struct store *s, const struct reference *r, const struct image_put *put,
	struct strv *dropped, struct err **err)
{
	auto_strv blobs = STRV_INIT;

	if (blobs_of(put->manifest, put->manifest_len, &blobs, err) < 0 || check_target(s, r, put, err) < 0)
		return -1;
	for (int i = 0; i < PUT_TRIES; i++) {
		auto_tagdir t = TAGDIR_INIT;
		bool taken = false;

		if (tagdir_make(s, r, &t, err) < 0)
			return -1;
		atomic_clean(t.fd); /* what a writer that was killed has left here: 1.3.x complains of it */
		if (write_image(s, &t, put, &blobs, &taken, err) < 0) {
			if (!taken)
				return -1;
			err_clear(err); /* another has taken the folder away under us */
			continue;
		}
		if (!settle(s, &t, put, dropped))
			continue;
		drop_misplaced(s, r, dropped);
		return 0;
	}
	return err_make(err, ERR_BUSY, "it is removed by others all the time");
}

int image_put(struct store *s, const struct image_put *put, char **ret_name, struct err **err)
{
	auto_reference r = REFERENCE_INIT;
	auto_strv own = STRV_INIT;
	auto_lock lock = LOCK_INIT;
	struct strv *dropped = put->dropped ? put->dropped : &own;

	if (reference_parse(put->ref, &r, err) < 0)
		return -1;
	if (images_lock(s, &lock, err) < 0 || put_locked(s, &r, put, dropped, err) < 0)
		return err_add(err, "image %s", put->ref);
	count_image(s, &lock);
	lock_release(&lock);
	if (own.n)
		gc_drop(s, &own);
	if (ret_name)
		*ret_name = reference_show(&r);
	return 0;
}

/* ---- tag ---- */

/* A v1 image keeps its flavour: what it links, container.json included (FIX-14), and its ancestry. */
static int copy_v1(struct store *s, const struct image *src, const struct reference *dst, struct err **err)
{
	auto_str ancestry = STR_INIT;
	auto_tagdir t = TAGDIR_INIT;
	struct image_link *links;
	size_t n = 0;
	int r = 0;

	if (fs_read(src->fd, "ancestry", IMAGE_MANIFEST_MAX, &ancestry, FS_BENEATH) < 0)
		return err_sys(err, errno, "read ancestry");
	if (image_links(s, src->dir, &links, &n, err) < 0)
		return -1;
	if (tagdir_make(s, dst, &t, err) < 0) {
		image_links_free(links, n);
		return -1;
	}
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = tagdir_link(s, &t, links[i].name, links[i].target, err);
	image_links_free(links, n);
	if (r < 0 || store_write(s, t.fd, "ancestry", str_text(&ancestry), ancestry.len, err) < 0 ||
		touch(&t, "v1", err) < 0 || write_tag(s, &t, err) < 0) {
		auto_strv targets = STRV_INIT;

		(void)tagdir_remove(s, &t, &targets, NULL); /* the first error is the one to tell */
		return -1;
	}
	return 0;
}

static int tag_v1(struct store *s, const struct image *src, const char *dst, struct err **err)
{
	const struct image_put put = { .ref = dst, .must_be_new = true };
	auto_reference r = REFERENCE_INIT;
	auto_lock lock = LOCK_INIT;

	if (reference_parse(dst, &r, err) < 0 || images_lock(s, &lock, err) < 0)
		return -1;
	if (check_target(s, &r, &put, err) < 0)
		return -1;
	if (copy_v1(s, src, &r, err) < 0)
		return -1;
	count_image(s, &lock);
	return 0;
}

static int tag_opened(struct store *s, struct image *img, const char *dst, struct err **err)
{
	if (img->protected)
		return refuse_protected(img->repo, img->tag, err);
	if (img->version == 1)
		return tag_v1(s, img, dst, err);
	return image_put(s,
		&(struct image_put){ .ref = dst,
			.manifest = img->manifest,
			.manifest_len = img->manifest_len,
			.must_be_new = true },
		NULL, err);
}

int image_tag(struct store *s, const char *src, const char *dst, struct err **err)
{
	for (int left = 9;; left--) {
		auto_image *img = NULL;
		auto_err *e = NULL;

		if (image_open(s, src, &img, err) < 0)
			return -1;
		if (tag_opened(s, img, dst, &e) == 0)
			return 0;
		/* A blob is missing since the image was removed or replaced meanwhile: what is there now? */
		if (left > 0 && err_is(e, ERR_NOT_FOUND) && !image_is_current(img))
			continue;
		err_move(err, &e);
		return -1;
	}
}

/* ---- remove, protect ---- */

static int find_owned(struct store *s, const char *ref, struct tagdir *ret, struct err **err)
{
	auto_reference r = REFERENCE_INIT;
	struct stat st;
	int found;

	if (reference_parse(ref, &r, err) < 0)
		return -1;
	found = tagdir_find(s, &r, ret, err);
	if (found < 0)
		return -1;
	if (!found)
		return err_make(err, ERR_NOT_FOUND, "no such image: '%s'", ref);
	if (fstat(ret->fd, &st) == 0 && st.st_uid != geteuid())
		return err_make(err, ERR_DENIED, "image %s belongs to another user (uid %u)", ref,
			(unsigned)st.st_uid);
	return 0;
}

/* The image, and nobody else changes one until the lock is released. */
static int begin_change(
	struct store *s, const char *ref, struct lock *lock, struct tagdir *ret, struct err **err)
{
	if (!s->exists)
		return err_make(err, ERR_NOT_FOUND, "no such image: '%s'", ref);
	return images_lock(s, lock, err) < 0 ? -1 : find_owned(s, ref, ret, err);
}

int image_remove(struct store *s, const char *ref, struct strv *dropped, struct err **err)
{
	auto_strv own = STRV_INIT;
	auto_tagdir t = TAGDIR_INIT;
	auto_lock lock = LOCK_INIT;

	if (begin_change(s, ref, &lock, &t, err) < 0)
		return -1;
	if (tagdir_has(&t, "PROTECT"))
		return refuse_protected(t.repo, t.tag, err);
	if (tagdir_remove(s, &t, dropped ? dropped : &own, err) < 0)
		return err_add(err, "image %s", ref);
	lock_release(&lock);
	if (own.n)
		gc_drop(s, &own);
	return 0;
}

int image_protect(struct store *s, const char *ref, bool on, struct err **err)
{
	auto_tagdir t = TAGDIR_INIT;
	auto_lock lock = LOCK_INIT;

	if (begin_change(s, ref, &lock, &t, err) < 0)
		return -1;
	if (on)
		return touch(&t, "PROTECT", err);
	if (unlinkat(t.fd, "PROTECT", 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "unprotect image %s", ref);
	return 0;
}
