/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads of one image: how many run at once, which other repositories may have a blob, what is shown. */
#include "pkg/image/send_blobs.h"

#include <errno.h>

#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/registry/client.h"
#include "pkg/registry/upload.h"
#include "pkg/store/images.h"

#define TITLE_HEX 12
#define NEIGHBOURS_MAX 3 /* a mount that fails costs a request */

enum job_state { JOB_WANTED, JOB_RUNNING, JOB_DONE };

struct job {
	struct sending *all;
	const struct send_blob *blob;
	enum job_state state;
	bool begun;
	struct progress *progress;
	struct strv from;
};

struct neighbour {
	char *repository;
	struct strv digests;
};

struct sending {
	struct registry *registry;
	const struct send_options *o;
	struct job *jobs;
	size_t n_jobs, running, limit;
	bool looked; /* into the store, for neighbours */
	struct neighbour *neighbours;
	size_t n_neighbours, cap_neighbours;
};

/* ---- other repositories ---- */

static struct neighbour *need_neighbour(struct sending *s, char *repository)
{
	for (size_t i = 0; i < s->n_neighbours; i++)
		if (strcmp(s->neighbours[i].repository, repository) == 0) {
			free(repository);
			return &s->neighbours[i];
		}
	s->neighbours =
		mem_grow(s->neighbours, &s->cap_neighbours, s->n_neighbours + 1, sizeof(*s->neighbours));
	s->neighbours[s->n_neighbours] = (struct neighbour){ .repository = repository };
	return &s->neighbours[s->n_neighbours++];
}

static void add_image(struct sending *s, const struct image_info *info)
{
	auto_reference ref = REFERENCE_INIT;
	auto_image *img = NULL;
	struct neighbour *n;
	char *repository;

	if (reference_from_store(info->repo, info->tag, &ref, NULL) < 0)
		return;
	repository = registry_neighbour(s->registry, &ref);
	if (!repository)
		return;
	n = need_neighbour(s, repository);
	if (image_open(s->o->store, info->name, &img, NULL) < 0)
		return;
	if (img->config_digest)
		strv_add(&n->digests, img->config_digest);
	for (size_t i = 0; i < img->n_layers; i++)
		if (img->layers[i].digest)
			strv_add(&n->digests, img->layers[i].digest);
}

/* Images of the store whose names are in the same registry: only looked at when something is to be sent. */
static void look_around(struct sending *s)
{
	auto_image_list list = { 0 };

	if (s->looked || !s->o->store)
		return;
	s->looked = true;
	if (image_list(s->o->store, 0, &list, NULL) < 0)
		return; /* then all is sent */
	for (size_t i = 0; i < list.n; i++)
		add_image(s, &list.v[i]);
}

static int absent(void *arg, const struct strv **ret, struct err **err UNUSED)
{
	struct job *j = arg;
	struct sending *s = j->all;

	look_around(s);
	if (s->o->from)
		strv_dup(&j->from, s->o->from);
	for (size_t i = 0; i < s->n_neighbours && j->from.n < NEIGHBOURS_MAX; i++)
		if (strv_has(&s->neighbours[i].digests, j->blob->digest.text))
			strv_add(&j->from, s->neighbours[i].repository);
	*ret = &j->from;
	return 0;
}

/* ---- one blob ---- */

static int begin(void *arg, struct err **err)
{
	struct job *j = arg;

	j->begun = true;
	return j->blob->begin ? j->blob->begin(j->blob->arg, err) : 0;
}

static ssize_t source(void *arg, uint64_t at, void *p, size_t n, struct err **err)
{
	struct job *j = arg;
	ssize_t got = j->blob->source(j->blob->arg, at, p, n, err);

	if (got > 0)
		progress_update(j->progress, at + (uint64_t)got);
	return got;
}

static void finish(struct job *j, const char *outcome)
{
	progress_end(steal_ptr(&j->progress), outcome);
	if (j->begun && j->blob->end)
		j->blob->end(j->blob->arg);
	j->begun = false;
	strv_free(&j->from);
}

static int pump(struct sending *s, struct err **err);

static int done(void *arg, enum registry_uploaded how, struct err **failure, struct err **err)
{
	static const char *const outcomes[] = {
		[UPLOADED_EXISTS] = "exists", [UPLOADED_MOUNTED] = "mounted", [UPLOADED_SENT] = "done"
	};
	struct job *j = arg;

	if (*failure)
		return err_move(err, failure);
	j->state = JOB_DONE;
	j->all->running--;
	finish(j, outcomes[how]);
	return pump(j->all, err);
}

static int start(struct job *j, struct err **err)
{
	const struct send_blob *b = j->blob;
	const struct registry_upload u = { .digest = b->digest,
		.size = b->size,
		.source = source,
		.absent = absent,
		.begin = begin,
		.done = done,
		.arg = j };
	autofree char *title = xasprintf(
		"%s %.*s", b->config ? "configuration" : "layer", TITLE_HEX, digest_hex(&b->digest));

	j->progress = progress_begin(title, b->size);
	j->state = JOB_RUNNING;
	j->all->running++;
	return registry_upload(j->all->registry, &u, err);
}

static int pump(struct sending *s, struct err **err)
{
	for (size_t i = 0; i < s->n_jobs && s->running < s->limit; i++)
		if (s->jobs[i].state == JOB_WANTED && start(&s->jobs[i], err) < 0)
			return -1;
	return 0;
}

/* ---- all ---- */

static int run(struct sending *s, struct err **err)
{
	struct http *h = registry_http(s->registry);

	if (sig_interrupted())
		return err_sys(err, EINTR, "upload");
	if (pump(s, err) < 0 || http_run(h, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_jobs; i++)
		if (s->jobs[i].state != JOB_DONE) /* its request went down with another one */
			return err_make(err, ERR_NETWORK, "an upload ended before its time");
	return 0;
}

static void add_job(struct sending *s, const struct send_blob *b)
{
	for (size_t i = 0; i < s->n_jobs; i++)
		if (digest_eq(&s->jobs[i].blob->digest, &b->digest))
			return;
	s->jobs[s->n_jobs++] = (struct job){ .all = s, .blob = b };
}

int send_blobs(struct registry *r, const struct send_blob *v, size_t n, const struct send_options *o,
	struct err **err)
{
	struct sending s = { .registry = r, .o = o, .limit = (size_t)(o->jobs > 0 ? o->jobs : SEND_JOBS) };
	int ret;

	s.jobs = xcalloc(n + 1, sizeof(*s.jobs));
	for (size_t i = 0; i < n; i++)
		add_job(&s, &v[i]);
	ret = run(&s, err);
	http_cancel(registry_http(r));
	for (size_t i = 0; i < s.n_jobs; i++)
		finish(&s.jobs[i], NULL);
	for (size_t i = 0; i < s.n_neighbours; i++) {
		free(s.neighbours[i].repository);
		strv_free(&s.neighbours[i].digests);
	}
	free(s.neighbours);
	free(s.jobs);
	return ret;
}
