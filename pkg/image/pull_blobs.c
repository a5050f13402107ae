/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads of one pull: which blobs are wanted, how many run at once, and what happens when one ends. */
#include "pkg/image/pull_blobs.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "oci-spec/descriptor.h"
#include "oci-spec/manifest.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/time.h"
#include "pkg/registry/client.h"
#include "pkg/store/layers.h"
#include "pkg/store/partial.h"

#define TITLE_HEX 12
#define WAIT_MS 100
#define FLUSH_NS INT64_C(10000000)

/* SETTLING: all of it is here, the rest of it is hashed and made durable. */
enum job_state { JOB_WANTED, JOB_ELSEWHERE, JOB_RUNNING, JOB_SETTLING, JOB_DONE };

struct job {
	struct pull *pull;
	const struct descriptor *d; /* of the manifest */
	enum job_state state;
	struct partial *partial;
	struct progress *progress;
	uint64_t resumed_at;
	bool restarted;
};

struct pull {
	struct store *store;
	struct registry *registry;
	struct job *jobs;
	size_t n_jobs, running, settling, limit;
	int wake_fd; /* told when a blob has settled */
	int64_t flushed_ns;
	const struct digest *config;
};

/* A blob of another size cannot be the one: 1.3.x writes into the final name. */
static bool is_in_store(const struct pull *p, const struct descriptor *d)
{
	uint64_t size;

	return layer_exists(p->store, d->digest.text, &size) && (d->size < 0 || size == (uint64_t)d->size);
}

static void begin_progress(struct job *j)
{
	autofree char *title = NULL;
	bool config = digest_eq(&j->d->digest, j->pull->config);

	if (j->progress)
		return;
	title = xasprintf(
		"%s %.*s", config ? "configuration" : "layer", TITLE_HEX, digest_hex(&j->d->digest));
	j->progress = progress_begin(title, j->d->size > 0 ? (uint64_t)j->d->size : 0);
}

static void finish(struct job *j, const char *outcome)
{
	begin_progress(j);
	progress_end(steal_ptr(&j->progress), outcome);
	j->state = JOB_DONE;
}

static int pump(struct pull *p, struct err **err);

static int on_bytes(void *arg, const void *data, size_t n, struct err **err)
{
	struct job *j = arg;

	return partial_write(j->partial, data, n, err);
}

static int on_done(void *arg, struct err **failure, struct err **err);

static int fetch(struct job *j, struct err **err)
{
	return registry_blob(j->pull->registry, j->d, partial_size(j->partial), on_bytes, on_done, j, err);
}

/* What was there before may have been wrong (a power cut leaves holes): once more, from the start. */
static int begin_again(struct job *j, struct err **err)
{
	int r = partial_begin(j->pull->store, &j->d->digest, &j->partial, err);

	j->restarted = true;
	j->resumed_at = 0;
	j->state = r == 0 ? JOB_ELSEWHERE : JOB_RUNNING;
	if (r <= 0)
		return r;
	j->pull->running++;
	if (partial_restart(j->partial, err) < 0)
		return -1;
	return fetch(j, err);
}

static void settle(struct job *j)
{
	j->state = JOB_SETTLING;
	j->pull->running--;
	j->pull->settling++;
	progress_update(j->progress, partial_size(j->partial));
	partial_settle(j->partial, j->pull->wake_fd);
}

static int on_done(void *arg, struct err **failure, struct err **err)
{
	struct job *j = arg;

	if (*failure) {
		/* More than the blob can have: what there is cannot be its beginning. */
		if (err_is(*failure, ERR_CORRUPT))
			(void)partial_restart(j->partial, NULL);
		return err_move(err, failure);
	}
	settle(j);
	return pump(j->pull, err);
}

static int commit(struct job *j, struct err **err)
{
	auto_err *e = NULL;

	j->pull->settling--;
	if (partial_commit(steal_ptr(&j->partial), j->d->size, NULL, &e) == 0) {
		finish(j, "done");
		return 0;
	}
	if (err_is(e, ERR_CORRUPT) && j->resumed_at && !j->restarted) {
		log_verbose("%s, fetching all of it again", err_text(e));
		return begin_again(j, err);
	}
	if (err_is(e, ERR_CORRUPT))
		err_hint(&e, "nothing was stored, pull again");
	return err_move(err, &e);
}

static int commit_settled(struct pull *p, struct err **err)
{
	uint64_t n;

	(void)!read(p->wake_fd, &n, sizeof(n)); /* told once is enough */
	for (size_t i = 0; i < p->n_jobs; i++)
		if (p->jobs[i].state == JOB_SETTLING && partial_is_settled(p->jobs[i].partial) &&
			commit(&p->jobs[i], err) < 0)
			return -1;
	return 0;
}

/* 1: it runs now or is done, 0: another process fetches it. */
static int start(struct job *j, struct err **err)
{
	struct pull *p = j->pull;
	int r;

	if (is_in_store(p, j->d)) {
		finish(j, j->state == JOB_ELSEWHERE ? "done" : "exists");
		return 1;
	}
	r = partial_begin(p->store, &j->d->digest, &j->partial, err);
	if (r <= 0) {
		if (r == 0 && j->state != JOB_ELSEWHERE)
			log_verbose("layer %s: another udocker fetches it, waiting", j->d->digest.text);
		j->state = JOB_ELSEWHERE;
		return r;
	}
	/* It may have been published between the two looks. */
	if (is_in_store(p, j->d)) {
		partial_keep(steal_ptr(&j->partial));
		finish(j, "done");
		return 1;
	}
	if (j->d->size >= 0 && partial_size(j->partial) > (uint64_t)j->d->size &&
		partial_restart(j->partial, err) < 0)
		return -1;
	j->resumed_at = partial_size(j->partial);
	begin_progress(j);
	progress_update(j->progress, j->resumed_at);
	j->state = JOB_RUNNING;
	p->running++;
	/* All of it is there, only the end was missing. */
	if (j->d->size > 0 && j->resumed_at == (uint64_t)j->d->size) {
		settle(j);
		return 1;
	}
	return fetch(j, err) < 0 ? -1 : 1;
}

static int pump(struct pull *p, struct err **err)
{
	/* Those that settle have their memory and their line on the terminal too. */
	for (size_t i = 0; i < p->n_jobs && p->running + p->settling < p->limit; i++)
		if ((p->jobs[i].state == JOB_WANTED || p->jobs[i].state == JOB_ELSEWHERE) &&
			start(&p->jobs[i], err) < 0)
			return -1;
	return 0;
}

/* A create may follow (store/coming.h), and what a kill leaves need not be fetched again. */
static int flush(struct pull *p, struct err **err)
{
	int64_t now = time_monotonic_ns();

	if (now - p->flushed_ns < FLUSH_NS)
		return 0;
	p->flushed_ns = now;
	for (size_t i = 0; i < p->n_jobs; i++)
		if (p->jobs[i].state == JOB_RUNNING && p->jobs[i].partial &&
			partial_flush(p->jobs[i].partial, err) < 0)
			return -1;
	return 0;
}

static int on_tick(void *arg, struct err **err)
{
	struct pull *p = arg;

	for (size_t i = 0; i < p->n_jobs; i++) /* also where nothing comes: the rate falls */
		if (p->jobs[i].state == JOB_RUNNING && p->jobs[i].partial)
			progress_update(p->jobs[i].progress, partial_size(p->jobs[i].partial));
	if (flush(p, err) < 0 || commit_settled(p, err) < 0)
		return -1;
	return pump(p, err);
}

static bool is_finished(const struct pull *p)
{
	for (size_t i = 0; i < p->n_jobs; i++)
		if (p->jobs[i].state != JOB_DONE)
			return false;
	return true;
}

static int run(struct pull *p, struct err **err)
{
	struct http *h = registry_http(p->registry);

	while (!is_finished(p)) {
		if (sig_interrupted())
			return err_sys(err, EINTR, "download");
		if (commit_settled(p, err) < 0 || pump(p, err) < 0)
			return -1;
		if (http_active(h) && http_run(h, err) < 0)
			return -1;
		if (!is_finished(p) && !http_active(h)) {
			if (p->running) /* its request went down with another one */
				return err_make(err, ERR_NETWORK, "a download ended before its time");
			/* Hashing goes on, or others are fetching. */
			(void)poll(&(struct pollfd){ .fd = p->wake_fd, .events = POLLIN }, 1, WAIT_MS);
		}
	}
	return 0;
}

static void add_job(struct pull *p, const struct descriptor *d)
{
	for (size_t i = 0; i < p->n_jobs; i++)
		if (digest_eq(&p->jobs[i].d->digest, &d->digest))
			return;
	p->jobs[p->n_jobs++] = (struct job){ .pull = p, .d = d };
}

int pull_blobs(struct store *s, struct registry *r, const struct manifest *m, int jobs, struct err **err)
{
	struct pull p = { .store = s, .registry = r, .limit = (size_t)jobs, .config = &m->config.digest };
	autoclose int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int ret;

	if (wake_fd < 0)
		return err_sys(err, errno, "eventfd");
	p.wake_fd = wake_fd;
	p.jobs = xcalloc(m->n_layers + 1, sizeof(*p.jobs));
	if (digest_is_set(&m->config.digest))
		add_job(&p, &m->config);
	for (size_t i = 0; i < m->n_layers; i++)
		add_job(&p, &m->layers[i]);
	http_on_tick(registry_http(r), on_tick, &p, wake_fd);
	ret = run(&p, err);
	http_on_tick(registry_http(r), NULL, NULL, -1);
	http_cancel(registry_http(r));
	for (size_t i = 0; i < p.n_jobs; i++) {
		partial_keep(p.jobs[i].partial);
		progress_end(p.jobs[i].progress, NULL);
	}
	free(p.jobs);
	return ret;
}
