/* SPDX-License-Identifier: Apache-2.0 */
/* The file of pkg/store/listing.h: read with every number and text checked, written in one go. Native byte order, which the mark tells. */
#include "pkg/store/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

#define MARK 0x3167696c6b636475ULL /* "udckli", version 1, in native order */
#define FILE_MAX ((size_t)64 << 20)
#define TEXT_MAX 0xfffe
#define TEXT_NULL 0xffff
#define SETTLED_NS (3 * INT64_C(1000000000)) /* the coarsest file system counts in 2 s */

struct head {
	uint64_t mark, size, sum; /* of what follows */
};

void listing_init(struct listing *l)
{
	*l = (struct listing){ .began_ns = time_now_ns() };
}

static void tree_free(struct listing_tree *t)
{
	free(t->dirs);
	free(t->images);
	free(t->layers);
	*t = (struct listing_tree){ 0 };
}

void listing_free(struct listing *l)
{
	tree_free(&l->old);
	tree_free(&l->now);
	free(l->blobs);
	free(l->table);
	free(l->text);
	strv_free(&l->own);
	*l = (struct listing){ 0 };
}

/* ---- stamps ---- */

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000U + (uint64_t)t->tv_nsec;
}

struct listing_stamp listing_stamp_of(const struct stat *st)
{
	return (struct listing_stamp){ .ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = nanoseconds(&st->st_mtim),
		.ctime_ns = nanoseconds(&st->st_ctim) };
}

bool listing_stamp(int dirfd, const char *path, mode_t type, struct listing_stamp *ret)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if ((st.st_mode & S_IFMT) != type) {
		errno = ENOTDIR;
		return false;
	}
	*ret = listing_stamp_of(&st);
	return true;
}

bool listing_same(const struct listing_stamp *a, const struct listing_stamp *b)
{
	return a->ino != 0 && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

bool listing_is_settled(const struct listing *l, const struct listing_stamp *s)
{
	int64_t last = (int64_t)(s->mtime_ns > s->ctime_ns ? s->mtime_ns : s->ctime_ns);

	return s->ino != 0 && last < l->began_ns - SETTLED_NS;
}

/* ---- building ---- */

const char *listing_keep(struct listing *l, const char *text)
{
	if (!text)
		return NULL;
	strv_add(&l->own, text);
	return l->own.v[l->own.n - 1];
}

uint32_t listing_add_dir(struct listing *l, const struct listing_dir *d)
{
	struct listing_tree *t = &l->now;

	t->dirs = mem_grow(t->dirs, &t->cap_dirs, t->n_dirs + 1, sizeof(*t->dirs));
	t->dirs[t->n_dirs] = *d;
	return (uint32_t)t->n_dirs++;
}

uint32_t listing_add_image(struct listing *l, const struct listing_image *i)
{
	struct listing_tree *t = &l->now;

	t->images = mem_grow(t->images, &t->cap_images, t->n_images + 1, sizeof(*t->images));
	t->images[t->n_images] = *i;
	return (uint32_t)t->n_images++;
}

static void add_layer_number(struct listing_tree *t, uint32_t blob)
{
	t->layers = mem_grow(t->layers, &t->cap_layers, t->n_layers + 1, sizeof(*t->layers));
	t->layers[t->n_layers++] = blob;
}

void listing_add_layer(struct listing *l, uint32_t blob)
{
	add_layer_number(&l->now, blob);
}

/* ---- blobs ---- */

static size_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
	return (size_t)(h ^ (h >> 32));
}

/* The place of a name, or the empty one where it belongs. */
static uint32_t *find_place(struct listing *l, const char *name)
{
	size_t at = hash(name) & (l->table_size - 1);

	while (l->table[at] != LISTING_NONE && strcmp(l->blobs[l->table[at]].name, name) != 0)
		at = (at + 1) & (l->table_size - 1);
	return &l->table[at];
}

static void grow_table(struct listing *l)
{
	l->table_size = l->table_size ? l->table_size * 2 : 1024;
	free(l->table);
	l->table = xmalloc(l->table_size * sizeof(*l->table));
	memset(l->table, 0xff, l->table_size * sizeof(*l->table));
	for (size_t i = 0; i < l->n_blobs; i++)
		*find_place(l, l->blobs[i].name) = (uint32_t)i;
}

/* `name` is kept as it is when it is already the listing's. */
static uint32_t add_blob(struct listing *l, const char *name, bool copy)
{
	uint32_t *place;

	if ((l->n_blobs + 1) * 2 > l->table_size)
		grow_table(l);
	place = find_place(l, name);
	if (*place != LISTING_NONE)
		return *place;
	l->blobs = mem_grow(l->blobs, &l->cap_blobs, l->n_blobs + 1, sizeof(*l->blobs));
	l->blobs[l->n_blobs] = (struct listing_blob){ .name = copy ? listing_keep(l, name) : name };
	*place = (uint32_t)l->n_blobs++;
	return *place;
}

uint32_t listing_blob(struct listing *l, const char *name)
{
	return add_blob(l, name, true);
}

int64_t listing_blob_size(struct store *s, struct listing *l, uint32_t blob)
{
	struct listing_blob *b = &l->blobs[blob];
	uint64_t size;

	if (!b->known) {
		b->size = layer_exists(s, b->name, &size) ? (int64_t)size : -1;
		b->known = true;
	}
	return b->size;
}

/* ---- the file: reading ---- */

/* Against damage, not against an enemy: who can write here can write the images as well. */
static uint64_t checksum(const char *p, size_t n)
{
	uint64_t h = n;

	while (n > 0) {
		size_t part = n < sizeof(uint64_t) ? n : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, p, part);
		h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
		p += part;
		n -= part;
	}
	return h;
}

struct cursor {
	char *p, *end;
	bool bad;
};

static void get(struct cursor *c, void *ret, size_t n)
{
	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		memset(ret, 0, n);
		return;
	}
	memcpy(ret, c->p, n);
	c->p += n;
}

static uint32_t get_u32(struct cursor *c)
{
	uint32_t v;

	get(c, &v, sizeof(v));
	return v;
}

/* A text with its length in front and a NUL behind, where it lies. */
static const char *get_text(struct cursor *c)
{
	const char *text = c->p + sizeof(uint16_t);
	uint16_t n;

	get(c, &n, sizeof(n));
	if (c->bad || n == TEXT_NULL)
		return NULL;
	if ((size_t)(c->end - c->p) <= n || c->p[n] != '\0' || memchr(c->p, '\0', n)) {
		c->bad = true;
		return NULL;
	}
	c->p += n + 1U;
	return text;
}

/* A count of things of which each takes at least `least` bytes: no allocation is larger than the file gives reason for. */
static size_t get_count(struct cursor *c, size_t least)
{
	uint32_t n = get_u32(c);

	if (n > (size_t)(c->end - c->p) / least)
		c->bad = true;
	return c->bad ? 0 : n;
}

static bool is_name(const char *name)
{
	return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void get_blobs(struct cursor *c, struct listing *l)
{
	size_t n = get_count(c, sizeof(uint16_t) + 1);

	for (size_t i = 0; i < n && !c->bad; i++) {
		const char *name = get_text(c);

		if (!name || !layer_name_is_valid(name) || add_blob(l, name, false) != i)
			c->bad = true;
	}
}

static void get_image(struct cursor *c, struct listing *l, struct listing_image *i)
{
	size_t n;

	get(c, &i->manifest, sizeof(i->manifest));
	get(c, &i->config, sizeof(i->config));
	i->digest = get_text(c);
	i->created = get_text(c);
	i->os = get_text(c);
	i->architecture = get_text(c);
	i->variant = get_text(c);
	i->config_file = get_text(c);
	if (!i->config_file || !layer_name_is_valid(i->config_file))
		c->bad = true;
	n = get_count(c, sizeof(uint32_t));
	i->first_layer = (uint32_t)l->old.n_layers;
	i->n_layers = (uint32_t)n;
	for (size_t k = 0; k < n && !c->bad; k++) {
		uint32_t blob = get_u32(c);

		if (blob >= l->n_blobs)
			c->bad = true;
		add_layer_number(&l->old, blob);
	}
}

static void get_dir(struct cursor *c, size_t at, const struct listing_tree *t, struct listing_dir *d)
{
	unsigned char flags = 0;

	d->name = get_text(c);
	get(c, &d->stamp, sizeof(d->stamp));
	d->end = get_u32(c);
	d->image = get_u32(c);
	get(c, &flags, sizeof(flags));
	d->tag = flags & 1;
	d->protect = flags & 2;
	if (at == 0 ? !d->name || *d->name : !is_name(d->name))
		c->bad = true;
	if (d->end <= at || d->end > t->n_dirs || (d->image != LISTING_NONE && d->image >= t->n_images))
		c->bad = true;
}

static bool parse(struct listing *l, char *p, size_t n)
{
	struct cursor c = { p, p + n, false };
	struct listing_tree *t = &l->old;

	get_blobs(&c, l);
	t->n_images = get_count(&c, 2 * sizeof(struct listing_stamp));
	t->images = xcalloc(t->n_images + 1, sizeof(*t->images));
	for (size_t i = 0; i < t->n_images && !c.bad; i++)
		get_image(&c, l, &t->images[i]);
	t->n_dirs = get_count(&c, sizeof(struct listing_stamp));
	t->dirs = xcalloc(t->n_dirs + 1, sizeof(*t->dirs));
	for (size_t i = 0; i < t->n_dirs && !c.bad; i++)
		get_dir(&c, i, t, &t->dirs[i]);
	return !c.bad && c.p == c.end && t->n_dirs > 0;
}

/* The descriptor of a file that only the store's owner can have written, or -1. */
static int open_trusted(struct store *s, int flags, size_t *ret_size)
{
	autoclose int fd = -1;
	struct stat top, st;

	if (s->top_fd < 0 || fstat(s->top_fd, &top) < 0)
		return -1;
	/* root must not leave a file of its own in a user's store. */
	if ((flags & O_CREAT) && top.st_uid != geteuid())
		return -1;
	fd = openat(s->top_fd, LISTING_FILE, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != top.st_uid ||
		(st.st_mode & 022) || st.st_nlink != 1 || (uint64_t)st.st_size > FILE_MAX)
		return -1;
	*ret_size = (size_t)st.st_size;
	return steal_fd(&fd);
}

void listing_load(struct store *s, struct listing *l)
{
	size_t size = 0;
	autoclose int fd = open_trusted(s, O_RDONLY, &size);
	struct head head;
	size_t n;

	if (fd < 0 || fd_read_full(fd, &head, sizeof(head)) != sizeof(head) || head.mark != MARK ||
		size < sizeof(head) || head.size > size - sizeof(head))
		return;
	n = (size_t)head.size;
	l->text = xmalloc(n + 1);
	if (fd_read_full(fd, l->text, n) == (ssize_t)n && checksum(l->text, n) == head.sum &&
		parse(l, l->text, n))
		return;
	log_debug("%s/" LISTING_FILE " does not count", s->top);
	tree_free(&l->old); /* the names of blobs do no harm */
}

/* ---- the file: writing ---- */

static void put_u32(struct str *b, size_t v)
{
	uint32_t n = (uint32_t)v;

	(void)str_add_mem(b, &n, sizeof(n)); /* the ceiling is looked at once, at the end */
}

static void put_text(struct str *b, const char *text)
{
	size_t length = text ? strlen(text) : 0;
	uint16_t n = text ? (uint16_t)length : TEXT_NULL;

	if (length > TEXT_MAX) {
		b->overflow = true;
		return;
	}
	(void)str_add_mem(b, &n, sizeof(n));
	if (text)
		(void)str_add_mem(b, text, length + 1);
}

/* Blobs that no image has any more are left behind: *ret_numbers has the new number of each. */
static void put_blobs(struct str *b, const struct listing *l, uint32_t *ret_numbers)
{
	size_t used = 0;

	for (size_t i = 0; i < l->n_blobs; i++)
		ret_numbers[i] = LISTING_NONE;
	for (size_t i = 0; i < l->now.n_layers; i++)
		ret_numbers[l->now.layers[i]] = 0;
	for (size_t i = 0; i < l->n_blobs; i++)
		if (ret_numbers[i] == 0)
			ret_numbers[i] = (uint32_t)used++;
	put_u32(b, used);
	for (size_t i = 0; i < l->n_blobs; i++)
		if (ret_numbers[i] != LISTING_NONE)
			put_text(b, l->blobs[i].name);
}

static void put_image(
	struct str *b, const struct listing *l, const uint32_t *numbers, const struct listing_image *i)
{
	(void)str_add_mem(b, &i->manifest, sizeof(i->manifest));
	(void)str_add_mem(b, &i->config, sizeof(i->config));
	put_text(b, i->digest);
	put_text(b, i->created);
	put_text(b, i->os);
	put_text(b, i->architecture);
	put_text(b, i->variant);
	put_text(b, i->config_file);
	put_u32(b, i->n_layers);
	for (size_t k = 0; k < i->n_layers; k++)
		put_u32(b, numbers[l->now.layers[i->first_layer + k]]);
}

static void put_dir(struct str *b, const struct listing_dir *d)
{
	put_text(b, d->name);
	(void)str_add_mem(b, &d->stamp, sizeof(d->stamp));
	put_u32(b, d->end);
	put_u32(b, d->image);
	(void)str_add_char(b, (char)((d->tag ? 1 : 0) | (d->protect ? 2 : 0)));
}

/* A lock only keeps two writers apart; where it is refused, what they mix up has no right checksum. */
static void write_file(struct store *s, const struct str *b)
{
	size_t size;
	autoclose int fd = open_trusted(s, O_RDWR | O_CREAT, &size);

	if (fd < 0 || (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK))
		return;
	if (ftruncate(fd, 0) == 0 && fd_write_all(fd, b->data, b->len) == 0)
		return;
	log_debug("write %s/" LISTING_FILE ": %s", s->top, strerror(errno));
	if (ftruncate(fd, 0) < 0) /* a part of it counts for nothing, but takes room */
		log_debug("empty %s/" LISTING_FILE ": %s", s->top, strerror(errno));
}

void listing_save(struct store *s, const struct listing *l)
{
	autofree uint32_t *numbers = xcalloc(l->n_blobs + 1, sizeof(*numbers));
	auto_str b = STR_INIT_MAX(FILE_MAX);
	struct head head = { .mark = MARK };

	(void)str_add_mem(&b, &head, sizeof(head));
	put_blobs(&b, l, numbers);
	put_u32(&b, l->now.n_images);
	for (size_t i = 0; i < l->now.n_images; i++)
		put_image(&b, l, numbers, &l->now.images[i]);
	put_u32(&b, l->now.n_dirs);
	for (size_t i = 0; i < l->now.n_dirs; i++)
		put_dir(&b, &l->now.dirs[i]);
	if (b.overflow)
		return;
	head.size = b.len - sizeof(head);
	head.sum = checksum(b.data + sizeof(head), b.len - sizeof(head));
	memcpy(b.data, &head, sizeof(head));
	write_file(s, &b);
}
