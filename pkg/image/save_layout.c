/* SPDX-License-Identifier: Apache-2.0 */
/* Images of the store into an OCI layout directory. */
#include <errno.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/progress.h"
#include "pkg/image/layout_out.h"
#include "pkg/image/save.h"
#include "pkg/image/save_format.h"
#include "pkg/image/save_oci.h"
#include "pkg/image/save_set.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

struct saving {
	struct save_set *set;
	struct layout *layout;
};

static int put_text(void *arg, const struct digest *d, const void *p, size_t n, struct err **err)
{
	const struct saving *s = arg;

	return layout_put(s->layout, d, p, n, err);
}

struct file_sink {
	const struct layout *layout;
	int fd;
};

static int to_file(void *arg, const void *p, size_t n, struct err **err)
{
	const struct file_sink *f = arg;

	return fd_write_all(f->fd, p, n) < 0 ? err_sys(err, errno, "write to %s", f->layout->path) : 0;
}

/* Where the file system can, the layer's blocks are shared, and only read to be checked: 1; 0: they are to be copied. */
static int share(const struct saving *s, const struct save_layer *layer, int fd, struct err **err)
{
	autoclose int from = layer->converted ? -1 : layer_open(s->set->store, layer->file, NULL, NULL);

	if (from < 0 || !fd_reflink(from, fd))
		return 0;
	if (layout_holds(fd, &layer->digest, layer->size)) {
		s->set->done += layer->size;
		progress_update(s->set->progress, s->set->done);
		return 1;
	}
	/* Damaged: the copy will say so. */
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "write to %s", s->layout->path);
	return 0;
}

static int put_layer(void *arg, struct save_layer *layer, struct err **err)
{
	const struct digest *d = save_layer_digest(layer);
	auto_atomic file = ATOMIC_INIT;
	const struct saving *s = arg;
	int r = layout_begin(s->layout, d, save_layer_size(layer), &file, err);
	struct file_sink sink = { s->layout, file.fd };

	if (r <= 0)
		return r;
	r = share(s, layer, file.fd, err);
	if (r < 0 || (r == 0 && save_layer_send(s->set, layer, to_file, &sink, err) < 0))
		return -1;
	return layout_commit(s->layout, &file, d, err);
}

int save_oci_layout(struct save_set *set, const struct save_options *o, struct err **err)
{
	auto_layout l = LAYOUT_INIT(o->path);
	struct saving s = { set, &l };
	const struct save_oci_target to = { .layer = put_layer, .text = put_text, .arg = &s };
	auto_json *entries = NULL;

	if (layout_open(&l, err) < 0 || save_set_settle(set, err) < 0 ||
		save_oci_convert(set, o, l.fd, l.path, err) < 0 ||
		save_oci_blobs(set, &to, &entries, err) < 0)
		return -1;
	return layout_publish(&l, entries, err);
}
