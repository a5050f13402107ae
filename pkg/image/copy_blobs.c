/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs into files: opened ones are read one after the other, those of a registry arrive several at a time. */
#include "pkg/image/copy_blobs.h"

#include <errno.h>

#include "pkg/archive/hasher.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sha256.h"
#include "pkg/base/sig.h"
#include "pkg/image/copy_set.h"
#include "pkg/image/send_blobs.h"
#include "pkg/registry/client.h"

#define TITLE_HEX 12
#define CHUNK ((size_t)256 << 10)

struct job {
	struct copying *all;
	const struct copy_blob *blob;
	void *item; /* NULL when it is not wanted */
	struct sha *sha;
	uint64_t got;
	struct progress *progress;
};

struct copying {
	const struct copy_set *set;
	const struct copy_target *to;
	struct job *jobs;
	size_t next, running, limit;
};

static struct progress *show(const struct copy_blob *b)
{
	autofree char *title = xasprintf(
		"%s %.*s", b->config ? "configuration" : "layer", TITLE_HEX, digest_hex(&b->d.digest));

	return progress_begin(title, b->d.size > 0 ? (uint64_t)b->d.size : 0);
}

static int check(const struct copy_blob *b, const char *hex, uint64_t got, struct err **err)
{
	if (strcmp(hex, digest_hex(&b->d.digest)) != 0)
		return err_make(err, ERR_CORRUPT, "%s, blob %s: digest mismatch (got %s)", b->from->what,
			b->d.digest.text, hex);
	if (b->d.size >= 0 && got != (uint64_t)b->d.size)
		return err_make(err, ERR_CORRUPT, "%s, blob %s: size is %llu, wanted %lld", b->from->what,
			b->d.digest.text, (unsigned long long)got, (long long)b->d.size);
	return 0;
}

/* ---- from files ---- */

/* One block is hashed while it is written and the next is read. */
static int pump_file(const struct copy_target *to, void *item, const struct copy_blob *b, int fd,
	struct progress *progress, struct err **err)
{
	autofree char *buf = xmalloc(2 * CHUNK);
	auto_hasher *h = hasher_begin(b->d.digest.kind, err);
	char hex[SHA_HEX_MAX + 1];
	uint64_t got = 0;
	ssize_t n;

	if (!h)
		return -1;
	for (unsigned turn = 0; (n = fd_read_full(fd, buf + turn * CHUNK, CHUNK)) > 0; turn ^= 1) {
		hasher_update(h, buf + turn * CHUNK, (size_t)n);
		if (to->write(to->arg, item, buf + turn * CHUNK, (size_t)n, err) < 0)
			return -1;
		got += (uint64_t)n;
		progress_update(progress, got);
		if (sig_interrupted())
			return err_sys(err, EINTR, "copy");
	}
	if (n < 0)
		return err_sys(err, errno, "%s, blob %s", b->from->what, b->d.digest.text);
	hasher_finish(h, hex);
	return check(b, hex, got, err);
}

static int copy_file(const struct copy_target *to, const struct copy_blob *b, struct err **err)
{
	struct progress *progress = show(b);
	void *item = NULL;
	int r = to->begin(to->arg, b, &item, err);

	if (r > 0) {
		autoclose int fd = b->from->open(b->from->arg, &b->d, err);

		r = fd < 0 ? -1 : pump_file(to, item, b, fd, progress, err);
		if (r < 0)
			to->drop(to->arg, item);
		else
			r = to->end(to->arg, item, err);
		progress_end(progress, r < 0 ? NULL : "done");
		return r;
	}
	progress_end(progress, r < 0 ? NULL : "exists");
	return r;
}

/* ---- from a registry ---- */

static void stop(struct job *j, const char *outcome)
{
	if (j->item)
		j->all->to->drop(j->all->to->arg, steal_ptr(&j->item));
	sha_free(steal_ptr(&j->sha));
	progress_end(steal_ptr(&j->progress), outcome);
}

static int pump(struct copying *c, struct err **err);

static int on_bytes(void *arg, const void *p, size_t n, struct err **err)
{
	struct job *j = arg;

	sha_update(j->sha, p, n);
	if (j->all->to->write(j->all->to->arg, j->item, p, n, err) < 0)
		return -1;
	j->got += n;
	progress_update(j->progress, j->got);
	return 0;
}

static int on_done(void *arg, struct err **failure, struct err **err)
{
	struct job *j = arg;
	char hex[SHA_HEX_MAX + 1];

	if (*failure)
		return err_move(err, failure);
	sha_finish(j->sha, hex);
	if (check(j->blob, hex, j->got, err) < 0 ||
		j->all->to->end(j->all->to->arg, steal_ptr(&j->item), err) < 0)
		return -1;
	stop(j, "done");
	j->all->running--;
	return pump(j->all, err);
}

static int start(struct job *j, struct err **err)
{
	const struct copy_target *to = j->all->to;
	int r;

	j->progress = show(j->blob);
	r = to->begin(to->arg, j->blob, &j->item, err);
	if (r <= 0) {
		stop(j, r < 0 ? NULL : "exists");
		return r;
	}
	j->sha = sha_begin(j->blob->d.digest.kind, err);
	if (!j->sha)
		return -1;
	j->all->running++;
	return registry_blob(j->all->set->from->registry, &j->blob->d, 0, on_bytes, on_done, j, err);
}

static int pump(struct copying *c, struct err **err)
{
	while (c->next < c->set->n_blobs && c->running < c->limit) {
		struct job *j = &c->jobs[c->next];

		*j = (struct job){ .all = c, .blob = c->set->blobs[c->next] };
		c->next++;
		if (start(j, err) < 0)
			return -1;
	}
	return 0;
}

static int fetch(const struct copy_set *set, const struct copy_target *to, int jobs, struct err **err)
{
	struct copying c = { .set = set, .to = to, .limit = to->one_at_a_time ? 1 : (size_t)jobs };
	struct http *h = registry_http(set->from->registry);
	int r;

	c.jobs = xcalloc(set->n_blobs + 1, sizeof(*c.jobs));
	r = pump(&c, err);
	if (r == 0)
		r = http_run(h, err);
	http_cancel(h);
	if (r == 0 && c.running) /* its request went down with another one */
		r = err_make(err, ERR_NETWORK, "a download ended before its time");
	for (size_t i = 0; i < c.next; i++)
		stop(&c.jobs[i], NULL);
	free(c.jobs);
	return r;
}

int copy_blobs(const struct copy_set *set, const struct copy_target *to, int jobs, struct err **err)
{
	if (set->from->registry)
		return fetch(set, to, jobs > 0 ? jobs : SEND_JOBS, err);
	for (size_t i = 0; i < set->n_blobs; i++)
		if (copy_file(to, set->blobs[i], err) < 0)
			return -1;
	return 0;
}
