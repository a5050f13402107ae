/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of an OCI archive, in the order in which they come. */
#include "pkg/image/oci_archive.h"

#include <string.h>

#include "oci-spec/image_layout.h"
#include "pkg/archive/writer.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/image/save_limits.h"

static int put_dir(struct writer *w, const char *name, struct err **err)
{
	const struct writer_entry e = { .type = READER_DIR, .name = name, .mode = 0755 };

	return writer_entry(w, &e, err);
}

static int put_file(struct writer *w, const char *name, const void *p, size_t n, struct err **err)
{
	const struct writer_entry e = { .type = READER_FILE, .name = name, .mode = 0644 };

	return writer_text(w, &e, p, n, err);
}

static int put_json(struct writer *w, const char *name, const struct json *j, struct err **err)
{
	autofree char *text = json_text(j, 0);

	return put_file(w, name, text, strlen(text), err);
}

static int need_dir(struct oci_archive *a, enum sha_kind kind, struct err **err)
{
	if (!a->has_dir[0] && !a->has_dir[1] && put_dir(a->w, "blobs", err) < 0)
		return -1;
	if (!a->has_dir[kind] && put_dir(a->w, kind == SHA_256 ? "blobs/sha256" : "blobs/sha512", err) < 0)
		return -1;
	a->has_dir[kind] = true;
	return 0;
}

int oci_archive_begin(struct oci_archive *a, struct err **err)
{
	auto_json *layout = image_layout_build();

	return put_json(a->w, IMAGE_LAYOUT_FILE, layout, err);
}

int oci_archive_put(struct oci_archive *a, const struct digest *d, const void *p, size_t n, struct err **err)
{
	autofree char *path = image_layout_blob_path(d);

	return need_dir(a, d->kind, err) < 0 ? -1 : put_file(a->w, path, p, n, err);
}

int oci_archive_entry(struct oci_archive *a, const struct digest *d, uint64_t size, struct err **err)
{
	autofree char *path = image_layout_blob_path(d);
	const struct writer_entry e = {
		.type = READER_FILE, .name = path, .mode = 0644, .size = (int64_t)size
	};

	return need_dir(a, d->kind, err) < 0 ? -1 : writer_entry(a->w, &e, err);
}

int oci_archive_end(struct oci_archive *a, struct json *entries, struct err **err)
{
	auto_json *index = json_new_object();
	size_t n = json_len(entries);
	autofree char *text = NULL;

	json_set_i64(index, "schemaVersion", 2);
	json_set(index, "manifests", entries);
	text = json_text(index, 0);
	if (save_limit_index(n, strlen(text), err) < 0)
		return -1;
	return put_file(a->w, IMAGE_LAYOUT_INDEX, text, strlen(text), err);
}
