/* SPDX-License-Identifier: Apache-2.0 */
/* Documents and blobs out of registries, layouts, archives and the store. */
#include "pkg/image/copy_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "oci-spec/image_layout.h"
#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/image/source.h"
#include "pkg/registry/client.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

#define NAMES_SHOWN 10

void copy_from_free(struct copy_from *f)
{
	descriptor_free(&f->top);
	str_free(&f->manifest);
	free(f->type);
	base_autoclose(&f->dirfd);
	source_free(f->archive);
	push_free(&f->push);
}

/* ---- a registry ---- */

static int registry_document(
	void *arg, const struct descriptor *d, char **text, size_t *n, char **type, struct err **err)
{
	auto_registry_manifest m = REGISTRY_MANIFEST_INIT;
	struct copy_from *f = arg;

	if (digest_eq(&d->digest, &f->top.digest)) {
		*n = f->manifest.len;
		*text = xmemdup(str_text(&f->manifest), f->manifest.len);
		*type = xstrdup(f->type);
		return 0;
	}
	if (registry_manifest(f->source.registry, d->digest.text, &m, err) < 0)
		return -1;
	*n = m.bytes.len;
	*text = str_steal(&m.bytes);
	*type = steal_ptr(&m.media_type);
	return 0;
}

int copy_from_registry(struct copy_from *f, struct registry *r, const struct reference *ref, struct err **err)
{
	auto_registry_manifest m = REGISTRY_MANIFEST_INIT;
	struct reference_remote remote = REFERENCE_REMOTE_INIT;
	int status;

	f->source = (struct copy_source){
		.what = registry_name(r), .registry = r, .document = registry_document, .arg = f
	};
	reference_remote(ref, &remote);
	status = registry_manifest(r, remote.what, &m, err);
	reference_remote_free(&remote);
	if (status < 0)
		return -1;
	f->top = (struct descriptor){ .media_type = xstrdup(m.media_type), .digest = m.digest, .size = -1 };
	f->manifest = m.bytes;
	m.bytes = STR_INIT;
	f->type = steal_ptr(&m.media_type);
	return 0;
}

/* ---- entries of index.json ---- */

static bool is_called(const struct descriptor *d, const char *name)
{
	const char *ref = descriptor_annotation(d, ANNOTATION_REF_NAME);
	autofree char *full = NULL, *tag = NULL;

	if (str_eq(ref, name))
		return true;
	image_layout_names(d, &full, &tag);
	return str_eq(full, name) || str_eq(tag, name) ||
	       (full && strrchr(full, ':') && str_eq(strrchr(full, ':') + 1, name));
}

static int not_one(
	const struct copy_from *f, const struct index *x, const char *name, size_t found, struct err **err)
{
	auto_strv names = STRV_INIT;
	autofree char *list = NULL;

	for (size_t i = 0; i < x->n_items && names.n < NAMES_SHOWN; i++) {
		const char *ref = descriptor_annotation(&x->items[i], ANNOTATION_REF_NAME);

		if (ref)
			strv_add(&names, ref);
	}
	list = strv_join(&names, ", ");
	if (name)
		err_make(err, found ? ERR_CORRUPT : ERR_NOT_FOUND, "%s: %s images are called '%s'",
			f->source.what, found ? "several" : "no", name);
	else
		err_make(err, found ? ERR_USAGE : ERR_CORRUPT, "%s: there %s in it", f->source.what,
			found ? "are several images" : "is no image");
	return names.n ? err_hint(err, "there are: %s", list) : -1;
}

static int choose(struct copy_from *f, const struct json *j, const char *name, struct err **err)
{
	const struct descriptor *chosen = NULL;
	auto_index *x = NULL;
	size_t found = 0;

	if (index_from_json(j, IMAGE_LAYOUT_INDEX, &x, err) < 0)
		return err_add(err, "%s", f->source.what);
	for (size_t i = 0; i < x->n_items; i++) {
		const struct descriptor *d = &x->items[i];

		if (name ? !is_called(d, name) : index_item_is_companion(d))
			continue;
		if (chosen && digest_eq(&chosen->digest, &d->digest))
			continue;
		chosen = d;
		found++;
	}
	if (found != 1)
		return not_one(f, x, name, found, err);
	descriptor_copy(&f->top, chosen);
	return 0;
}

/* ---- a layout ---- */

static int open_file(void *arg, const struct descriptor *d, struct err **err)
{
	autofree char *path = image_layout_blob_path(&d->digest);
	const struct copy_from *f = arg;
	autoclose int fd = fs_open(f->dirfd, path, O_RDONLY | O_NONBLOCK, 0, FS_BENEATH);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? err_make(err, ERR_CORRUPT, "%s: no '%s' in it", f->source.what, path)
				       : err_sys(err, errno, "%s: %s", f->source.what, path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_make(err, ERR_CORRUPT, "%s: '%s' is no file", f->source.what, path);
	if (d->size >= 0 && st.st_size != d->size)
		return err_make(err, ERR_CORRUPT, "%s: %s: size is %lld, wanted %lld", f->source.what, path,
			(long long)st.st_size, (long long)d->size);
	return steal_fd(&fd);
}

static int read_text(int fd, const char *what, char **text, size_t *n, struct err **err)
{
	auto_str s = STR_INIT_MAX(MANIFEST_MAX_BYTES + 1);

	if (fd_read_text(fd, MANIFEST_MAX_BYTES, &s, what, err) < 0)
		return -1;
	*n = s.len;
	*text = str_steal(&s);
	return 0;
}

static int file_document(
	void *arg, const struct descriptor *d, char **text, size_t *n, char **type UNUSED, struct err **err)
{
	const struct copy_from *f = arg;
	autoclose int fd = f->source.open(arg, d, err);

	return fd < 0 ? -1 : read_text(fd, d->digest.text, text, n, err);
}

int copy_from_layout(struct copy_from *f, const char *path, const char *name, struct err **err)
{
	const struct json_limits limits = { .bytes = (size_t)16 << 20 };
	auto_json *layout = NULL, *j = NULL;

	f->source =
		(struct copy_source){ .what = path, .document = file_document, .open = open_file, .arg = f };
	f->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dirfd < 0)
		return err_sys(err, errno, "%s", path);
	if (json_read(f->dirfd, IMAGE_LAYOUT_FILE, NULL, &layout, err) < 0 ||
		image_layout_check(layout, err) < 0 ||
		json_read(f->dirfd, IMAGE_LAYOUT_INDEX, &limits, &j, err) < 0)
		return err_add(err, "%s", path);
	return choose(f, j, name, err);
}

/* ---- an archive ---- */

static int open_staged(void *arg, const struct descriptor *d, struct err **err)
{
	const struct copy_from *f = arg;
	struct source_file *file;

	if (source_blob(f->archive, &d->digest, d->size, &file, err) < 0)
		return -1;
	return source_open(f->archive, file, err);
}

int copy_open_archive(const char *path, const char **ret_what, struct err **err)
{
	bool input = strcmp(path, "-") == 0;
	autoclose int fd = -1;

	*ret_what = input ? "standard input" : path;
	if (input && isatty(STDIN_FILENO))
		return err_make(err, ERR_USAGE, "the standard input is a terminal");
	fd = input ? fd_dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "%s", *ret_what) : steal_fd(&fd);
}

int copy_from_archive(
	struct copy_from *f, struct store *scratch, const char *path, const char *name, struct err **err)
{
	const char *what;
	autoclose int fd = copy_open_archive(path, &what, err);
	auto_json *layout = NULL, *j = NULL;
	struct source_file *file;

	f->source = (struct copy_source){
		.what = what, .document = file_document, .open = open_staged, .arg = f
	};
	if (fd < 0 || source_open_archive(scratch, fd, what, &f->archive, err) < 0)
		return -1;
	if (source_find(f->archive, IMAGE_LAYOUT_FILE, &file, err) < 0 ||
		source_json(f->archive, file, &layout, err) < 0)
		return -1;
	if (image_layout_check(layout, err) < 0)
		return err_add(err, "%s", what);
	if (source_find(f->archive, IMAGE_LAYOUT_INDEX, &file, err) < 0 ||
		source_json(f->archive, file, &j, err) < 0)
		return -1;
	return choose(f, j, name, err);
}

/* ---- the store ---- */

static int store_document(
	void *arg, const struct descriptor *d, char **text, size_t *n, char **type, struct err **err)
{
	const struct copy_from *f = arg;
	const struct push *p = &f->push;
	const struct save_document *doc = NULL;

	if (p->index.text && digest_eq(&p->index_digest, &d->digest))
		doc = &p->index;
	for (size_t i = 0; !doc && i < p->n_images; i++)
		if (digest_eq(&p->images[i].digest, &d->digest))
			doc = &p->images[i].doc;
	if (!doc)
		return err_make(err, ERR_NOT_FOUND, "there is no manifest %s", d->digest.text);
	*text = xmemdup(doc->text, doc->n);
	*n = doc->n;
	*type = xstrdup(doc->media_type);
	return 0;
}

static int open_text(const char *text, size_t n, struct err **err)
{
	autoclose int fd = fd_anon("configuration");

	if (fd < 0 || fd_write_all(fd, text, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "configuration");
	return steal_fd(&fd);
}

static int open_stored(void *arg, const struct descriptor *d, struct err **err)
{
	const struct copy_from *f = arg;
	const struct save_set *set = &f->push.set;

	for (size_t i = 0; i < set->n_layers; i++) {
		struct save_layer *l = set->layers[i];
		int fd;

		if (!digest_eq(save_layer_digest(l), &d->digest))
			continue;
		if (!l->converted)
			return layer_open(set->store, l->file, NULL, err);
		fd = fd_dup(l->new_fd);
		if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return err_sys(err, errno, "layer %s", l->file);
		return fd;
	}
	for (size_t i = 0; i < set->n_images; i++)
		if (digest_eq(&set->images[i]->config_digest, &d->digest))
			return open_text(set->images[i]->config, set->images[i]->config_len, err);
	return err_make(err, ERR_NOT_FOUND, "there is no blob %s", d->digest.text);
}

int copy_from_store(struct copy_from *f, struct store *s, const char *name, bool all, struct err **err)
{
	f->source = (struct copy_source){
		.what = name, .document = store_document, .open = open_stored, .arg = f
	};
	f->push_options = (struct push_options){ .all = all };
	f->push.set.store = s;
	f->push.o = &f->push_options;
	if (push_prepare(&f->push, name, err) < 0)
		return -1;
	f->top = (struct descriptor){
		.media_type = xstrdup(""), .digest = *push_digest(&f->push), .size = -1
	};
	return 0;
}
