/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs into a registry: from files, or from another registry while they arrive. */
#include <errno.h>
#include <unistd.h>

#include "oci-spec/media_types.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/image/copy_blobs.h"
#include "pkg/image/copy_set.h"
#include "pkg/image/save_temporary.h"
#include "pkg/image/send_blobs.h"
#include "pkg/registry/client.h"

struct relay {
	const struct copy_blob *blob;
	int fd; /* the blob, or as much of it as came */
	uint64_t have;
	bool done;
	struct err *failure; /* of the download */
};

/* ---- from a registry ---- */

static int on_bytes(void *arg, const void *p, size_t n, struct err **err)
{
	struct relay *y = arg;

	if (fd_write_all(y->fd, p, n) < 0)
		return err_sys(err, errno, "write to a temporary file");
	y->have += n;
	http_wake(registry_http(y->blob->from->registry));
	return 0;
}

/* The upload hears of it when it asks for more. */
static int on_done(void *arg, struct err **failure, struct err **err UNUSED)
{
	struct relay *y = arg;

	y->failure = steal_ptr(failure);
	y->done = true;
	http_wake(registry_http(y->blob->from->registry));
	return 0;
}

/* The last byte stays here until the download has ended well: one that is longer than it should be is no success. */
static ssize_t take(struct relay *y, uint64_t at, void *p, size_t n, struct err **err)
{
	bool whole = y->done && !y->failure;
	uint64_t end = y->have - (!whole && y->have && y->have == (uint64_t)y->blob->d.size);
	uint64_t there = at < end ? end - at : 0;
	ssize_t got;

	if (!there && y->failure)
		return err_move(err, &y->failure);
	if (!there)
		return y->done ? 0 : HTTP_LATER;
	got = fd_pread_full(y->fd, p, n < there ? n : (size_t)there, (off_t)at);
	return got < 0 ? err_sys(err, errno, "read a temporary file") : got;
}

/* ---- both ---- */

static int begin(void *arg, struct err **err)
{
	struct relay *y = arg;
	const struct copy_source *from = y->blob->from;

	if (!from->registry) {
		y->fd = from->open(from->arg, &y->blob->d, err);
		return y->fd < 0 ? -1 : 0;
	}
	y->fd = save_temporary(-1, NULL, err);
	return y->fd < 0 ? -1 : registry_blob(from->registry, &y->blob->d, 0, on_bytes, on_done, y, err);
}

static ssize_t source(void *arg, uint64_t at, void *p, size_t n, struct err **err)
{
	struct relay *y = arg;
	ssize_t got;

	if (y->blob->from->registry)
		return take(y, at, p, n, err);
	got = fd_pread_full(y->fd, p, n, (off_t)at);
	return got < 0 ? err_sys(err, errno, "blob %s", y->blob->d.digest.text) : got;
}

static void end(void *arg)
{
	struct relay *y = arg;

	base_autoclose(&y->fd);
	y->fd = -1;
	err_clear(&y->failure);
}

/* Layers that must not be distributed stay where their manifest says. */
static bool stays_away(const struct copy_blob *b)
{
	return b->d.urls.n && media_type_find(b->d.media_type)->foreign;
}

int copy_send(
	const struct copy_set *set, struct registry *to, const struct strv *from, int jobs, struct err **err)
{
	const struct send_options o = { .jobs = jobs, .from = from };
	struct relay *relays = xcalloc(set->n_blobs + 1, sizeof(*relays));
	struct send_blob *v = xcalloc(set->n_blobs + 1, sizeof(*v));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < set->n_blobs; i++) {
		const struct copy_blob *b = set->blobs[i];

		if (stays_away(b))
			continue;
		relays[n] = (struct relay){ .blob = b, .fd = -1 };
		v[n] = (struct send_blob){ .digest = b->d.digest,
			.size = b->d.size > 0 ? (uint64_t)b->d.size : 0,
			.config = b->config,
			.begin = begin,
			.source = source,
			.end = end,
			.arg = &relays[n] };
		n++;
	}
	r = send_blobs(to, v, n, &o, err);
	for (size_t i = 0; i < n; i++)
		err_clear(&relays[i].failure); /* of a download whose upload had ended */
	free(relays);
	free(v);
	return r;
}
