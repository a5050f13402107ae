/* SPDX-License-Identifier: Apache-2.0 */
/* The announcement is written beside its place, locked, and renamed: who sees it sees all of it, and the lock goes with the process that holds it. */
#include "pkg/store/coming.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "oci-spec/digest.h"
#include "oci-spec/reference.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/store/images.h"
#include "pkg/store/images_open.h"
#include "pkg/store/layers.h"
#include "pkg/store/partial.h"
#include "pkg/store/store.h"

/* partial_clean() knows the beginning of the name and removes what a killed pull left. */
#define PREFIX PARTIAL_PREFIX "image-"
/*
 * Pulls of one reference at once have a place each: when one is killed, the others are still seen. More than so many are not told; whoever follows
 * has enough of them.
 */
#define PLACES 8
#define PAUSE_MIN_NS 500000L
#define PAUSE_MAX_NS 10000000L

struct announcement {
	struct store *store;
	char *file;
	int fd;
};

struct coming {
	struct store *store;
	struct image *image;
	int fd;
};

struct coming_blob {
	const struct coming *coming;
	char *name, *partial; /* in layers/, complete and growing */
	uint64_t size; /* UINT64_MAX: unknown */
	int fd;
	long pause_ns;
};

static void sleep_ns(long ns)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL); /* a signal may end it early */
}

void coming_pause(void)
{
	sleep_ns(PAUSE_MAX_NS);
}

/* References may be longer than a file's name. NULL where nothing can be hashed. */
static char *file_of(const char *name, int place)
{
	struct digest d;

	if (digest_of(SHA_256, name, strlen(name), &d, NULL) < 0)
		return NULL;
	return place ? xasprintf(PREFIX "%s-%d", digest_hex(&d), place)
		     : xasprintf(PREFIX "%s", digest_hex(&d));
}

/* `name` in layers/ is the file that is open here. */
static bool is_called(const struct store *s, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(s->layers_fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- the pull's side ----------------------------------------------------------------------------------------------------- */

static void announcement_free(struct announcement *a)
{
	if (a->fd >= 0)
		close(a->fd);
	free(a->file);
	free(a);
}

static bool is_refused(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno != EWOULDBLOCK && errno != EINTR;
}

/* The place is free, or was a dead pull's and is free now. Who holds its lock alone may remove what a dead one left. */
static bool make_free(const struct store *s, const char *file)
{
	autoclose int fd = openat(s->layers_fd, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return false;
	return !is_called(s, file, fd) || unlinkat(s->layers_fd, file, 0) == 0 || errno == ENOENT;
}

/* 1: told; 0: the place is another's; -1. */
static int announce_in(struct announcement *a, const void *manifest, size_t n, struct err **err)
{
	auto_atomic t = ATOMIC_INIT;
	auto_err *e = NULL;

	if (!make_free(a->store, a->file))
		return 0;
	/* The temporary is locked from its beginning, and so is its copy until that is closed. */
	if (atomic_begin(&t, a->store->layers_fd, a->file, 0644, err) < 0)
		return -1;
	if (is_refused(t.fd))
		return err_make(err, ERR_UNSUPPORTED, "locks are refused");
	if (fd_write_all(t.fd, manifest, n) < 0 || (a->fd = fd_dup(t.fd)) < 0)
		return err_sys(err, errno, "write %s", a->file);
	if (atomic_commit(&t, ATOMIC_EXCL, &e) == 0)
		return 1;
	(void)close(steal_fd(&a->fd));
	return err_is(e, ERR_EXISTS) ? 0 : err_move(err, &e);
}

struct announcement *coming_announce(struct store *s, const char *name, const void *manifest, size_t n)
{
	struct announcement *a = xcalloc(1, sizeof(*a));
	auto_err *e = NULL;
	int r = 0;

	a->store = s;
	a->fd = -1;
	for (int place = 0; r == 0 && place < PLACES; place++) {
		free(a->file);
		a->file = file_of(name, place);
		r = a->file ? announce_in(a, manifest, n, &e) : -1;
	}
	if (r > 0)
		return a;
	log_debug("%s is not announced: %s", name,
		e   ? err_text(e)
		: r ? "no hash"
		    : "enough pulls of it are");
	announcement_free(a);
	return NULL;
}

void coming_end(struct announcement *a)
{
	if (!a)
		return;
	if (is_called(a->store, a->file, a->fd))
		(void)unlinkat(
			a->store->layers_fd, a->file, 0); /* one that stays is known by its free lock */
	announcement_free(a);
}

/* ---- the followers' side ------------------------------------------------------------------------------------------------- */

static bool is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	(void)flock(fd, LOCK_UN); /* or when it is closed */
	return false;
}

bool coming_is_alive(const struct coming *c)
{
	return is_locked(c->fd);
}

/* -1 when there is none, or its pull has ended. */
static int open_place(const struct store *s, const char *name, int place)
{
	autofree char *file = file_of(name, place);
	autoclose int fd = -1;
	struct stat st;

	if (!file)
		return -1;
	fd = openat(s->layers_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_locked(fd))
		return -1;
	return steal_fd(&fd);
}

/* Any pull of it that has not ended, or -1. */
static int open_announcement(struct store *s, const char *ref, char **ret_name)
{
	auto_reference r = REFERENCE_INIT;
	int fd = -1;

	if (s->layers_fd < 0 || reference_parse(ref, &r, NULL) < 0)
		return -1;
	*ret_name = reference_show(&r);
	for (int place = 0; fd < 0 && place < PLACES; place++)
		fd = open_place(s, *ret_name, place);
	return fd;
}

bool coming_exists(struct store *s, const char *ref)
{
	autofree char *name = NULL;
	autoclose int fd = open_announcement(s, ref, &name);

	return fd >= 0;
}

int coming_open(struct store *s, const char *ref, struct coming **ret, struct err **err)
{
	autofree char *name = NULL;
	autoclose int fd = open_announcement(s, ref, &name);
	auto_str text = STR_INIT;
	auto_coming *c = NULL;

	if (fd < 0)
		return 0;
	c = xcalloc(1, sizeof(*c));
	c->store = s;
	c->fd = steal_fd(&fd);
	if (fd_read_text(c->fd, IMAGE_MANIFEST_MAX, &text, "manifest", err) < 0 ||
		image_of_manifest(name, &text, &c->image, err) < 0)
		return err_add(err, "%s", name);
	*ret = steal_ptr(&c);
	return 1;
}

void coming_close(struct coming *c)
{
	if (!c)
		return;
	image_free(c->image);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

const struct image *coming_image(const struct coming *c)
{
	return c->image;
}

static int interrupted(const struct coming *c, struct err **err)
{
	return err_sys(err, EINTR, "%s", c->image->name);
}

int coming_wait(const struct coming *c, struct err **err)
{
	long ns = PAUSE_MIN_NS;

	for (; coming_is_alive(c); ns = ns < PAUSE_MAX_NS ? ns * 2 : ns) {
		if (sig_interrupted())
			return interrupted(c, err);
		sleep_ns(ns);
	}
	return 0;
}

/* ---- blobs --------------------------------------------------------------------------------------------------------------- */

static int has_ended(const struct coming_blob *b, struct err **err)
{
	return err_make(err, ERR_NETWORK, "the pull ended before layer %s was complete", b->name);
}

/* The complete one, if it is of the right size: 1.3.x writes into the final name, and the pull replaces it then. */
static bool open_complete(struct coming_blob *b)
{
	uint64_t size;

	b->fd = layer_open(b->coming->store, b->name, &size, NULL);
	if (b->fd >= 0 && (b->size == UINT64_MAX || size == b->size))
		return true;
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	return false;
}

static bool open_growing(struct coming_blob *b)
{
	struct stat st;

	b->fd = openat(
		b->coming->store->layers_fd, b->partial, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return b->fd >= 0 && fstat(b->fd, &st) == 0 && S_ISREG(st.st_mode);
}

int coming_blob_open(
	const struct coming *c, const char *name, int64_t size, struct coming_blob **ret, struct err **err)
{
	auto_coming_blob *b = xcalloc(1, sizeof(*b));
	bool alive = coming_is_alive(c);

	b->coming = c;
	b->name = xstrdup(name);
	b->partial = xasprintf(PARTIAL_PREFIX "%s", name);
	b->size = size < 0 ? UINT64_MAX : (uint64_t)size;
	b->fd = -1;
	b->pause_ns = PAUSE_MIN_NS;
	/* It may get its name between the two looks; then the next call finds it. */
	if (!open_complete(b) && (!alive || !open_growing(b)))
		return alive ? 0 : has_ended(b, err);
	*ret = steal_ptr(&b);
	return 1;
}

void coming_blob_close(struct coming_blob *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		close(b->fd);
	free(b->name);
	free(b->partial);
	free(b);
}

int coming_blob_fd(const struct coming_blob *b)
{
	return b->fd;
}

/* Bytes behind what was read. -1: the file cannot be looked at. */
static int has_more(const struct coming_blob *b, uint64_t *ret_at)
{
	off_t at = lseek(b->fd, 0, SEEK_CUR);
	struct stat st;

	if (at < 0 || fstat(b->fd, &st) < 0)
		return -1;
	*ret_at = (uint64_t)at;
	return st.st_size > at;
}

/* Whether it is complete was asked before its size, whether it is alive before both: what comes in between is seen by the next look. */
int coming_blob_more(void *arg, struct err **err)
{
	struct coming_blob *b = arg;
	const struct store *s = b->coming->store;
	bool alive = coming_is_alive(b->coming);
	bool growing = is_called(s, b->partial, b->fd);
	bool complete = is_called(s, b->name, b->fd);
	uint64_t at;
	int more = has_more(b, &at);

	if (more < 0)
		return err_sys(err, errno, "read layer %s", b->name);
	if (more) {
		b->pause_ns = PAUSE_MIN_NS;
		return 1;
	}
	if (complete || at >= b->size)
		return 0;
	if (!alive)
		return has_ended(b, err);
	if (!growing)
		return err_make(err, ERR_CORRUPT, "layer %s: the pull has begun it anew", b->name);
	/* What is less than before was begun anew as well: the digests tell whether what was read is part of the same. */
	sleep_ns(b->pause_ns);
	if (b->pause_ns < PAUSE_MAX_NS)
		b->pause_ns *= 2;
	return 1;
}
