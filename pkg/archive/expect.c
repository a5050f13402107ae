/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names and what they resolve to; what a layer does to them is in expect_layer.c. Nodes are found through one table by directory and
 * name.
 */
#include "pkg/archive/expect.h"

#include <errno.h>

#include "pkg/archive/expect_priv.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"

#define FIRST_SLOTS 4096
#define LINKS_MAX 40 /* in one resolution, as the kernel's */

static unsigned hash_of(const struct expect *x, const struct expect_node *parent, const char *name, size_t n)
{
	uint64_t h = x->seed ^ ((uint64_t)(uintptr_t)parent >> 4) * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0x9fb21c651e98df25u;
	return (unsigned)(h >> 32);
}

struct expect *expect_new(void)
{
	struct expect *x = xcalloc(1, sizeof(*x));
	char hex[17];

	id_random_hex(hex, 16);
	for (int i = 0; i < 16; i++)
		x->seed = x->seed << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
	x->n_slots = FIRST_SLOTS;
	x->slots = xcalloc(x->n_slots, sizeof(struct expect_node *));
	x->root = xcalloc(1, sizeof(*x->root) + 1);
	x->root->file = expect_file_new(READER_DIR, 0755);
	x->root->file->made = true;
	x->root->file->names = 1;
	return x;
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

struct expect_file *expect_file_new(enum reader_type type, mode_t mode)
{
	struct expect_file *f = xcalloc(1, sizeof(*f));

	f->type = type;
	f->mode = mode;
	return f;
}

void expect_file_drop(struct expect_file *f)
{
	if (!f || (f->names && --f->names))
		return;
	free(f->link);
	free(f);
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------- */

static void grow(struct expect *x)
{
	size_t n = x->n_slots * 2;
	struct expect_node **slots = xcalloc(n, sizeof(struct expect_node *));

	for (size_t i = 0; i < x->n_slots; i++) {
		struct expect_node *e = x->slots[i], *next;

		for (; e; e = next) {
			next = e->chain;
			e->chain = slots[e->hash & (n - 1)];
			slots[e->hash & (n - 1)] = e;
		}
	}
	free(x->slots);
	x->slots = slots;
	x->n_slots = n;
}

struct expect_node *expect_child(
	const struct expect *x, const struct expect_node *dir, const char *name, size_t n)
{
	unsigned hash = hash_of(x, dir, name, n);
	struct expect_node *e = x->slots[hash & (x->n_slots - 1)];

	while (e && !(e->hash == hash && e->parent == dir && strncmp(e->name, name, n) == 0 && !e->name[n]))
		e = e->chain;
	return e;
}

struct expect_node *expect_add(
	struct expect *x, struct expect_node *dir, const char *name, size_t n, struct expect_file *f)
{
	struct expect_node *e = xcalloc(1, sizeof(*e) + n + 1), **slot;

	if (x->n >= x->n_slots)
		grow(x);
	x->n++;
	memcpy(e->name, name, n);
	e->file = f;
	f->names++;
	e->parent = dir;
	e->next = dir->child;
	if (e->next)
		e->next->prev = e;
	dir->child = e;
	e->hash = hash_of(x, dir, name, n);
	slot = &x->slots[e->hash & (x->n_slots - 1)];
	e->chain = *slot;
	*slot = e;
	return e;
}

static void remove_one(struct expect *x, struct expect_node *e)
{
	struct expect_node **slot = &x->slots[e->hash & (x->n_slots - 1)];

	while (*slot != e)
		slot = &(*slot)->chain;
	*slot = e->chain;
	if (e->prev)
		e->prev->next = e->next;
	else
		e->parent->child = e->next;
	if (e->next)
		e->next->prev = e->prev;
	expect_file_drop(e->file);
	free(e);
	x->n--;
}

void expect_remove(struct expect *x, struct expect_node *top)
{
	struct expect_node *e = top;

	for (;;) {
		struct expect_node *up;

		while (e->child)
			e = e->child;
		up = e->parent;
		if (e == top)
			break;
		remove_one(x, e);
		e = up;
	}
	remove_one(x, top);
}

void expect_free(struct expect *x)
{
	struct expect_node *e;

	if (!x)
		return;
	/* The table goes with all of them, so that none need be taken out of it. */
	for (e = x->root; e;) {
		struct expect_node *done = e;

		if (e->child) {
			e = e->child;
			done->child = NULL;
			continue;
		}
		e = e->next ? e->next : e->parent;
		expect_file_drop(done->file);
		free(done);
	}
	free(x->slots);
	free(x);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------- */

struct expect_node *expect_root(const struct expect *x)
{
	return x->root;
}

struct expect_node *expect_find(const struct expect *x, const char *path)
{
	struct expect_node *e = x->root;

	while (e && *path) {
		size_t n = strcspn(path, "/");

		e = expect_child(x, e, path, n);
		path += n + (path[n] == '/');
	}
	return e;
}

struct expect_node *expect_next(const struct expect_node *top, const struct expect_node *node, bool into)
{
	if (into && node->child)
		return node->child;
	while (node != top && !node->next)
		node = node->parent;
	return node == top ? NULL : node->next;
}

/* ---- resolving ----------------------------------------------------------------------------------------------------------- */

static struct expect_node *follow(
	const struct expect *x, struct expect_node *from, const char *path, size_t n, int *links);

/* One step from a directory. NULL with errno. */
static struct expect_node *step(
	const struct expect *x, struct expect_node *dir, const char *name, size_t n, int *links)
{
	struct expect_node *e;

	if (dir->file->type != READER_DIR) {
		errno = ENOTDIR;
		return NULL;
	}
	if (n == 0 || (n == 1 && name[0] == '.'))
		return dir;
	if (n == 2 && name[0] == '.' && name[1] == '.')
		return dir->parent ? dir->parent : dir;
	e = expect_child(x, dir, name, n);
	if (!e)
		errno = ENOENT;
	if (!e || e->file->type != READER_SYMLINK)
		return e;
	if (++*links > LINKS_MAX) {
		errno = ELOOP;
		return NULL;
	}
	return follow(x, dir, e->file->link, strlen(e->file->link), links);
}

/* The whole path, through every link. The depth of this recursion is that of the links, which are counted. */
static struct expect_node *follow(
	const struct expect *x, struct expect_node *from, const char *path, size_t n, int *links)
{
	const char *end = path + n;

	if (*path == '/')
		from = x->root;
	while (from && path < end) {
		size_t len = strcspn(path, "/");

		if (len > (size_t)(end - path))
			len = (size_t)(end - path);
		from = step(x, from, path, len, links);
		path += len + 1;
	}
	return from;
}

struct expect_node *expect_resolve(struct expect *x, const char *path, size_t n, bool make)
{
	struct expect_node *e = x->root;
	const char *end = path + n;
	int links = 0;

	while (path < end) {
		size_t len = strcspn(path, "/");
		struct expect_node *next;

		if (len > (size_t)(end - path))
			len = (size_t)(end - path);
		next = step(x, e, path, len, &links);
		/* What is missing is made, but not what a link leads to. */
		if (!next && make && errno == ENOENT && e->file->type == READER_DIR &&
			!expect_child(x, e, path, len)) {
			struct expect_file *f = expect_file_new(READER_DIR, 0755);

			f->made = true;
			next = expect_add(x, e, path, len, f);
		}
		if (!next)
			return NULL;
		e = next;
		path += len + 1;
	}
	if (e->file->type != READER_DIR) {
		errno = ENOTDIR;
		return NULL;
	}
	return e;
}
