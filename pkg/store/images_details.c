/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of many images: a queue of them, the threads that take from it, and what is done with each. */
#include "pkg/store/images_details.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/image_config.h"
#include "oci-spec/manifest.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/thread.h"
#include "pkg/store/images.h"
#include "pkg/store/images_open.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"
#include "pkg/store/tagdir.h"

#define THREADS_MAX 8
#define WORTH_THREADS 64 /* images: before that the caller alone is done sooner */
#define BATCH 16

struct details {
	struct store *store;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	struct details_job **jobs;
	size_t n, cap, taken;
	bool complete; /* no more will come */
	pthread_t threads[THREADS_MAX];
	int n_threads;
};

/* A file's text, where the next one is read as well. */
struct text {
	char *p;
	size_t n, cap;
};

/* ---- one image ---- */

/* Takes fd. False when it is no regular file, too large, or changes while it is read. */
static bool read_whole(int fd, size_t max, struct text *ret, struct listing_stamp *ret_stamp)
{
	autoclose int owned = fd;
	struct stat st;

	if (fd < 0 || fstat(owned, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return false;
	*ret_stamp = listing_stamp_of(&st);
	ret->n = (size_t)st.st_size;
	ret->p = mem_grow(ret->p, &ret->cap, ret->n + 2, 1);
	/* One byte more: that it is not there says that this was all. */
	if (read(owned, ret->p, ret->n + 1) != (ssize_t)ret->n)
		return false;
	ret->p[ret->n] = '\0';
	return true;
}

static bool read_config(struct store *s, struct text *t, struct details_job *j)
{
	int fd = layer_open(s, j->config_file, NULL, NULL);

	return read_whole(fd, IMAGE_CONFIG_MAX, t, &j->config_stamp) &&
	       image_config_skim(t->p, t->n, "image configuration", &j->config, NULL) == 0;
}

static bool use_manifest(struct store *s, const struct manifest *m, struct text *t, struct details_job *j)
{
	for (size_t i = 0; i < m->n_layers; i++)
		strv_add(&j->layers, m->layers[i].digest.text);
	j->read = true;
	if (m->v1_config) {
		j->manifest_stamp = (struct listing_stamp){ 0 };
		return image_config_skim(m->v1_config, strlen(m->v1_config), "image configuration",
			       &j->config, NULL) == 0;
	}
	j->config_file = xstrdup(m->config.digest.text);
	return read_config(s, t, j);
}

/* The quick way, of nearly all images. False when the other way is to be tried. */
static bool read_v2(struct store *s, struct text *t, struct details_job *j)
{
	autofree char *path = xjoin3(j->path, "/", "manifest");
	auto_manifest *m = NULL;
	int fd = fs_open(s->repos_fd, path, O_RDONLY | O_NONBLOCK, 0, FS_BENEATH);

	if (!read_whole(fd, IMAGE_MANIFEST_MAX, t, &j->manifest_stamp) ||
		manifest_parse(t->p, t->n, "manifest", &m, NULL) < 0)
		return false;
	(void)digest_of(SHA_256, t->p, t->n, &j->digest, NULL); /* without libcrypto there is none */
	return use_manifest(s, m, t, j);
}

static void forget(struct details_job *j)
{
	strv_free(&j->layers);
	free(j->config_file);
	image_config_free(j->config);
	j->config_file = NULL;
	j->config = NULL;
	j->read = false;
	j->digest = (struct digest){ 0 };
	j->manifest_stamp = j->config_stamp = (struct listing_stamp){ 0 };
}

/* Whatever else there is: the other kind, a file that is being written, damage. Nothing of it is kept for the next listing. */
static void read_any(struct store *s, struct details_job *j)
{
	auto_tagdir t = TAGDIR_INIT;
	auto_image *img = NULL;
	auto_str text = STR_INIT;

	forget(j);
	t.fd = fs_open(s->repos_fd, j->path, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	t.path = xstrdup(j->path);
	t.repo = xstrdup(j->repo);
	t.tag = xstrdup(j->tag);
	if (t.fd < 0 || image_open_tagdir(s, &t, &img, NULL) < 0)
		return;
	j->read = true;
	if (image_digest(img))
		(void)digest_parse(image_digest(img), &j->digest, NULL); /* it is one */
	for (size_t i = 0; i < img->n_layers; i++)
		strv_add(&j->layers, img->layers[i].file);
	if (image_read_config(s, img, &text, NULL) == 0)
		(void)image_config_skim(str_text(&text), text.len, "image configuration", &j->config, NULL);
}

/* ---- the threads ---- */

/* Up to BATCH jobs; 0: there are no more. With `wait`, no more now is waited out. */
static size_t take(struct details *d, struct details_job **ret, bool wait)
{
	size_t n = 0;

	pthread_mutex_lock(&d->mutex);
	while (wait && d->taken == d->n && !d->complete)
		pthread_cond_wait(&d->more, &d->mutex);
	while (n < BATCH && d->taken < d->n)
		ret[n++] = d->jobs[d->taken++];
	pthread_mutex_unlock(&d->mutex);
	return n;
}

static void work(struct details *d, bool wait)
{
	struct details_job *mine[BATCH];
	struct text text = { 0 };
	size_t n;

	while ((n = take(d, mine, wait)) > 0)
		for (size_t i = 0; i < n; i++)
			if (!mine[i]->v2 || !read_v2(d->store, &text, mine[i]))
				read_any(d->store, mine[i]);
	free(text.p);
}

static void *thread(void *arg)
{
	work(arg, true);
	return NULL;
}

/* Fewer than wanted, or none, is no harm: who finishes does what is left. */
static void start_threads(struct details *d)
{
	int wanted = host_cpus() - 1;

	while (d->n_threads < wanted && d->n_threads < THREADS_MAX &&
		thread_start(&d->threads[d->n_threads], thread, d, NULL) == 0)
		d->n_threads++;
}

struct details *details_begin(struct store *s)
{
	struct details *d = xcalloc(1, sizeof(*d));

	d->store = s;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_cond_init(&d->more, NULL);
	return d;
}

void details_add(struct details *d, const struct details_job *job)
{
	struct details_job *j = xmemdup(job, sizeof(*job));
	size_t n;

	pthread_mutex_lock(&d->mutex);
	d->jobs = mem_grow(d->jobs, &d->cap, d->n + 1, sizeof(struct details_job *));
	d->jobs[d->n++] = j;
	n = d->n;
	if (n % BATCH == 0)
		pthread_cond_signal(&d->more);
	pthread_mutex_unlock(&d->mutex);
	if (n == WORTH_THREADS)
		start_threads(d);
}

static void join(struct details *d)
{
	pthread_mutex_lock(&d->mutex);
	d->complete = true;
	pthread_cond_broadcast(&d->more);
	pthread_mutex_unlock(&d->mutex);
	while (d->n_threads > 0)
		pthread_join(d->threads[--d->n_threads], NULL);
}

struct details_job *const *details_finish(struct details *d, size_t *ret_n)
{
	work(d, false);
	join(d);
	*ret_n = d->n;
	return d->jobs;
}

void details_free(struct details *d)
{
	if (!d)
		return;
	d->taken = d->n;
	join(d);
	for (size_t i = 0; i < d->n; i++) {
		forget(d->jobs[i]);
		free(d->jobs[i]);
	}
	free(d->jobs);
	pthread_cond_destroy(&d->more);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}
