/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each thread works its way down one branch; when another has nothing to do, it is given the next directory instead of that being
 * entered. A thread keeps the descriptors of its first levels; from further down it comes back by "..", believed only if device and inode
 * are those it came from.
 */
#include "pkg/bundle/copy_tree.h"

#include <dirent.h>
#include <errno.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/thread.h"
#include "pkg/bundle/copy_file.h"

#define MAX_THREADS 4
#define KEEP_LEVELS 24 /* of a thread, two descriptors each */
#define ENTRIES_BYTES ((size_t)32 << 10)

/* A directory and its copy; both descriptors are open unless we are far below. */
struct level {
	char *name; /* in the level above; the path from the top in a thread's first level */
	int from, to;
	struct stat st; /* of the source, before it was unlocked */
	struct stat to_st;
	struct strv dirs; /* still to be entered */
	size_t next;
	bool unlocked;
};

/* A directory that waits for a thread. */
struct job {
	struct level level;
	struct job *next;
};

struct pool {
	const struct copy_tree_options *o;
	struct copy_common common;
	dev_t dev; /* of the source's top */
	pthread_mutex_t mutex; /* what follows */
	pthread_cond_t changed;
	struct job *jobs;
	int busy; /* threads that hold a job */
	atomic_int hungry; /* threads that wait, less the jobs that wait for them */
	atomic_bool stop;
	struct err *err;
};

struct worker {
	struct pool *pool;
	struct copier copier;
	struct level *lv;
	size_t n, cap;
	char *entries; /* ENTRIES_BYTES for getdents64 */
};

static struct level *top_of(struct worker *w)
{
	return &w->lv[w->n - 1];
}

static void level_close(struct level *l)
{
	if (l->from >= 0)
		close(l->from);
	if (l->to >= 0)
		close(l->to);
	l->from = l->to = -1;
}

static void level_drop(struct level *l)
{
	if (l->unlocked && l->from >= 0)
		(void)!fchmod(l->from, l->st.st_mode & 07777); /* it was ours a moment ago */
	level_close(l);
	strv_free(&l->dirs);
	free(l->name);
}

/* The path of `name` in the deepest level, for messages. */
static void add_path(const struct worker *w, const char *name, struct str *ret)
{
	for (size_t i = 0; i < w->n; i++)
		if (*w->lv[i].name)
			str_addf(ret, "%s/", w->lv[i].name);
	str_add(ret, name);
}

static int fail(struct worker *w, const char *name)
{
	auto_str path = STR_INIT_MAX(4096);
	struct pool *p = w->pool;
	int saved = errno;

	add_path(w, name, &path);
	pthread_mutex_lock(&p->mutex);
	if (!p->err)
		err_sys(&p->err, saved, "%s: copy '%s'", p->o->what, str_text(&path));
	atomic_store(&p->stop, true);
	pthread_mutex_unlock(&p->mutex);
	return -1;
}

/* ---- directories that wait ----------------------------------------------------------------------------------------------- */

/* Takes the level over when somebody waits for work. */
static bool hand_over(struct worker *w, const struct level *l)
{
	struct pool *p = w->pool;
	auto_str path = STR_INIT;
	struct job *j;

	if (atomic_load_explicit(&p->hungry, memory_order_relaxed) <= 0)
		return false;
	add_path(w, l->name, &path);
	j = xcalloc(1, sizeof(*j));
	j->level = *l;
	free(l->name);
	j->level.name = str_steal(&path);
	pthread_mutex_lock(&p->mutex);
	j->next = p->jobs;
	p->jobs = j;
	atomic_fetch_sub(&p->hungry, 1);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->mutex);
	return true;
}

/* The next job, or NULL when all is done or one has failed. */
static struct job *take(struct pool *p)
{
	struct job *j = NULL;

	pthread_mutex_lock(&p->mutex);
	atomic_fetch_add(&p->hungry, 1);
	while (!p->jobs && p->busy > 0 && !atomic_load(&p->stop))
		pthread_cond_wait(&p->changed, &p->mutex);
	if (p->jobs && !atomic_load(&p->stop)) {
		j = p->jobs;
		p->jobs = j->next;
		p->busy++;
	}
	pthread_mutex_unlock(&p->mutex);
	return j;
}

static void done(struct pool *p)
{
	pthread_mutex_lock(&p->mutex);
	p->busy--;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}

/* ---- one directory ------------------------------------------------------------------------------------------------------- */

static bool is_left_out(const struct worker *w, const char *name)
{
	if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		return true;
	return w->pool->o->skip && w->n == 1 && !*w->lv[0].name && w->pool->o->skip(name);
}

static int copy_entries(struct worker *w, struct level *l, ssize_t n)
{
	const struct dirent64 *e;

	for (ssize_t at = 0; at < n; at += e->d_reclen) {
		int r = 1;

		e = (const struct dirent64 *)(const void *)(w->entries + at);
		if (is_left_out(w, e->d_name))
			continue;
		if (sig_interrupted()) {
			errno = EINTR;
			return fail(w, e->d_name);
		}
		if (atomic_load_explicit(&w->pool->stop, memory_order_relaxed))
			return -1;
		if (e->d_type != DT_DIR)
			r = copy_file(&w->copier, l->from, l->to, e->d_name, e->d_type);
		if (r < 0)
			return fail(w, e->d_name);
		if (r > 0)
			strv_add(&l->dirs, e->d_name);
	}
	return 0;
}

/* All that is no directory, at once; the directories are noted. */
static int fill_level(struct worker *w)
{
	struct level *l = top_of(w);
	ssize_t n;

	while ((n = getdents64(l->from, (void *)w->entries, ENTRIES_BYTES)) > 0)
		if (copy_entries(w, l, n) < 0)
			return -1;
	if (n < 0 && errno != ENOENT) /* ENOENT: it was removed meanwhile */
		return fail(w, "");
	return 0;
}

/* Make the copy of a directory that is open; the level owns its name. 0, or -1 with errno. */
static int make_level(struct worker *w, const struct level *above, struct level *l)
{
	if (mkdirat(above->to, l->name, 0700) < 0)
		return -1;
	l->to = openat(above->to, l->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->to < 0 || fstat(l->to, &l->to_st) < 0)
		return -1;
	w->copier.stats.dirs++;
	return 0;
}

static int finish_level(struct worker *w, struct level *l)
{
	return copy_dir_attributes(&w->copier, l->from, l->to, &l->st);
}

static int push(struct worker *w, const struct level *l)
{
	w->lv = mem_grow(w->lv, &w->cap, w->n + 1, sizeof(*w->lv));
	w->lv[w->n++] = *l;
	/* Unlocked ones stay open: their way back leads through them. */
	if (w->n > KEEP_LEVELS && !w->lv[w->n - 2].unlocked)
		level_close(&w->lv[w->n - 2]);
	return fill_level(w);
}

static int enter(struct worker *w, const char *name)
{
	struct level l = { .from = -1, .to = -1 };
	const struct level *above = top_of(w);

	l.from = fs_open_own(above->from, name, O_DIRECTORY, &l.st, &l.unlocked);
	if (l.from < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : fail(w, name);
	l.name = xstrdup(name);
	if (make_level(w, above, &l) < 0) {
		fail(w, name);
		level_drop(&l);
		return -1;
	}
	if (l.st.st_dev != w->pool->dev) {
		int r = finish_level(w, &l) < 0 ? fail(w, name) : 0;

		w->copier.stats.mounts++;
		level_drop(&l);
		return r;
	}
	return hand_over(w, &l) ? 0 : push(w, &l);
}

static int reopen(int below, const struct stat *st)
{
	int fd = openat(below, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat now;

	if (fd >= 0 && (fstat(fd, &now) < 0 || now.st_dev != st->st_dev || now.st_ino != st->st_ino)) {
		close(fd);
		fd = -1;
		errno = ESTALE;
	}
	return fd;
}

/* The deepest level is complete: its attributes, and back to the one above. */
static int leave(struct worker *w)
{
	struct level *l = top_of(w);

	if (w->n > 1 && l[-1].from < 0) {
		l[-1].from = reopen(l->from, &l[-1].st);
		l[-1].to = reopen(l->to, &l[-1].to_st);
		if (l[-1].from < 0 || l[-1].to < 0)
			return fail(w, "");
	}
	if (finish_level(w, l) < 0)
		return fail(w, "");
	level_drop(l);
	w->n--;
	return 0;
}

/* ---- threads ------------------------------------------------------------------------------------------------------------- */

static int work_through(struct worker *w, const struct level *first)
{
	int r = push(w, first);

	while (r == 0 && w->n) {
		struct level *l = top_of(w);

		if (l->next < l->dirs.n)
			r = enter(w, l->dirs.v[l->next++]);
		else
			r = leave(w);
	}
	while (w->n)
		level_drop(&w->lv[--w->n]);
	return r;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *j;

	w->entries = xmalloc(ENTRIES_BYTES);
	w->copier.buffer = xmalloc(COPY_BUFFER);
	while ((j = take(w->pool))) {
		(void)work_through(w, &j->level); /* what fails is in the pool */
		free(j);
		done(w->pool);
	}
	free(w->entries);
	free(w->copier.buffer);
	free(w->lv);
	return NULL;
}

static void add_stats(struct copy_tree_stats *to, const struct copy_tree_stats *from)
{
	to->files += from->files;
	to->dirs += from->dirs;
	to->others += from->others;
	to->bytes += from->bytes;
	to->shared += from->shared;
	to->left_out += from->left_out;
	to->mounts += from->mounts;
}

static void run_pool(struct pool *p, struct copy_tree_stats *ret)
{
	struct worker workers[MAX_THREADS] = { 0 };
	pthread_t threads[MAX_THREADS];
	int cpus = host_cpus(), n = 0;

	for (int i = 0; i < MAX_THREADS; i++)
		workers[i] = (struct worker){ .pool = p, .copier.common = &p->common };
	/* Without further threads it takes longer, no more. */
	while (n + 1 < MAX_THREADS && n + 1 < cpus &&
		thread_start(&threads[n], work, &workers[n + 1], NULL) == 0)
		n++;
	work(&workers[0]);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i <= n; i++)
		add_stats(ret, &workers[i].copier.stats);
}

static int first_job(struct pool *p, int from, int to, struct err **err)
{
	struct job *j = xcalloc(1, sizeof(*j));
	struct level *l = &j->level;

	l->name = xstrdup("");
	l->from = fcntl(from, F_DUPFD_CLOEXEC, 3);
	l->to = fcntl(to, F_DUPFD_CLOEXEC, 3);
	p->jobs = j;
	atomic_init(&p->hungry, -1);
	if (l->from < 0 || l->to < 0 || lseek(l->from, 0, SEEK_SET) < 0 || fstat(l->from, &l->st) < 0 ||
		fstat(l->to, &l->to_st) < 0)
		return err_sys(err, errno, "%s", p->o->what);
	p->dev = l->st.st_dev;
	p->common.gid = l->to_st.st_mode & S_ISGID ? l->to_st.st_gid : getegid();
	return 0;
}

int copy_tree(
	int from, int to, const struct copy_tree_options *o, struct copy_tree_stats *ret, struct err **err)
{
	struct pool p = { .o = o };
	int r;

	*ret = (struct copy_tree_stats){ 0 };
	p.common.links_fd = o->links_fd;
	p.common.lost = fs_lost_bits(to);
	p.common.uid = geteuid();
	pthread_mutex_init(&p.mutex, NULL);
	pthread_cond_init(&p.changed, NULL);
	r = first_job(&p, from, to, err);
	if (r == 0)
		run_pool(&p, ret);
	while (p.jobs) {
		struct job *j = p.jobs;

		p.jobs = j->next;
		level_drop(&j->level);
		free(j);
	}
	pthread_cond_destroy(&p.changed);
	pthread_mutex_destroy(&p.mutex);
	return r == 0 && p.err ? err_move(err, &p.err) : r;
}
