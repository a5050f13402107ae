/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path of the guest made canonical: readlinkat() with growing prefixes, which costs a third of a descriptor for each component and leaves
 * nothing behind when a signal handler jumps away.
 */
#include "engines/trap/walk.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/proc.h"
#include "engines/trap/root.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define LINKS_MAX 40 /* as the kernel */
#define STEP_DONE 1

struct walk {
	char *out; /* what is canonical, without a slash at its end: "" is the root */
	size_t len;
	char *rest; /* what is left to walk, in `text` */
	char *text; /* the second half of the buffer */
	unsigned links;
	enum walk_end end;
	enum path_kind kind;
	size_t removed; /* the length of a removed working directory's name, as long as it leads no further up */
	const char *root; /* of the process */
	size_t root_len;
	bool is_dir; /* `out` is known to be a directory */
};

struct component {
	char *name;
	size_t len;
	char *next; /* behind it and the slashes after it */
	bool last, slash;
};

static bool is_dots(const struct component *c, size_t n)
{
	return c->len == n && c->name[0] == '.' && c->name[n - 1] == '.';
}

/* The next component, false at the end. */
static bool next_component(struct walk *w, struct component *ret)
{
	char *p = w->rest, *e;

	while (*p == '/')
		p++;
	if (!*p)
		return false;
	for (e = p; *e && *e != '/'; e++)
		;
	*ret = (struct component){ .name = p, .len = (size_t)(e - p), .slash = *e == '/', .next = e };
	while (*ret->next == '/')
		ret->next++;
	ret->last = !*ret->next;
	return true;
}

static bool is_at_root(const struct walk *w)
{
	return w->len == w->root_len && memcmp(w->out, w->root, w->len) == 0;
}

static void go_to_root(struct walk *w)
{
	w->len = w->root_len;
	w->removed = 0;
	memcpy(w->out, w->root, w->len);
	w->out[w->len] = '\0';
}

static void cut(struct walk *w)
{
	while (w->len && w->out[--w->len] != '/')
		;
	w->out[w->len] = '\0';
	if (w->len < w->removed)
		w->removed = 0;
}

static long append(struct walk *w, const char *name, size_t n)
{
	if (w->len + n + 2 > TRAP_PATH_MAX)
		return -ENAMETOOLONG;
	w->out[w->len++] = '/';
	memcpy(w->out + w->len, name, n);
	w->len += n;
	w->out[w->len] = '\0';
	return 0;
}

/* ".." of what is no directory, or may not be searched, is an error. */
static long check_directory(struct walk *w)
{
	const char *rest;
	const struct trap_bind *b = path_locate(w->out, &rest);
	struct stat st;
	long r;

	if (w->is_dir || !w->len || path_is_above_mount(w->out))
		return 0;
	if (!*rest)
		return b->flags & TRAP_BIND_FILE ? -ENOTDIR : 0;
	if (append(w, ".", 1) < 0)
		return -ENAMETOOLONG;
	r = SYS(newfstatat, b->fd, rest, &st, AT_SYMLINK_NOFOLLOW);
	cut(w);
	return r;
}

/* Put a link's target (`n` bytes at `target`) before what is left. */
static long expand(struct walk *w, const char *target, size_t n, char *left)
{
	size_t rest = strlen(left);

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (n == 0)
		return -ENOENT;
	if (n + rest + 2 > TRAP_PATH_MAX)
		return -ENAMETOOLONG;
	/* A slash that followed the link stays, so that its target has to be a directory. */
	memmove(w->text + n, left, rest + 1);
	memmove(w->text, target, n);
	w->rest = w->text;
	if (target[0] == '/') {
		go_to_root(w);
	} else {
		cut(w);
	}
	w->is_dir = true;
	return 0;
}

/* A folder that no name leads to is one that has been removed, as a rule. */
static bool leads_to_folder(const struct walk *w)
{
	const char *rest;
	const struct trap_bind *b = path_locate(w->out, &rest);
	struct stat st;

	return SYS(newfstatat, b->fd, rest, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* A link of a procfs: most are names, some lead where no name does. */
static long step_proc(struct walk *w, const struct component *c, char *target, long n, char *left)
{
	long r = proc_link(w->out, target, n);

	if (r == PROC_LINK_MAGIC || r == PROC_LINK_EXE) {
		if (!c->last)
			return leads_to_folder(w) ? -ENOENT : -ENOTDIR;
		w->kind = r == PROC_LINK_EXE ? PATH_EXE : PATH_MAGIC;
		return STEP_DONE;
	}
	if (r >= 0 && w->root_len) {
		const size_t own = w->root_len;

		/* It has the run's name of what it leads to. */
		w->root_len = 0;
		r = expand(w, target, (size_t)r, left);
		w->root_len = own;
		return r;
	}
	return r < 0 ? r : expand(w, target, (size_t)r, left);
}

/* What has just been appended: a link is expanded. */
static long step_link(struct walk *w, const struct component *c)
{
	const char *rest;
	const struct trap_bind *b = path_locate(w->out, &rest);
	char *target = w->out + w->len + 1;
	char *left = c->name + c->len;
	long room = TRAP_PATH_MAX + 256 - (long)w->len, n;

	w->is_dir = false;
	if (!*rest) {
		w->is_dir = !(b->flags & TRAP_BIND_FILE);
		return w->is_dir || c->last ? 0 : -ENOTDIR;
	}
	n = SYS(readlinkat, b->fd, rest, target, room < TRAP_PATH_MAX ? room : TRAP_PATH_MAX - 1);
	if (n == -EINVAL)
		return 0;
	if (n == -ENOENT && path_is_above_mount(w->out))
		return 0;
	if (n == -ENOENT && c->last)
		return 0;
	if (n < 0)
		return n;
	target[n] = '\0';
	return b->flags & TRAP_BIND_PROC ? step_proc(w, c, target, n, left)
					 : expand(w, target, (size_t)n, left);
}

/* "." and "..". */
static long step_dots(struct walk *w, const struct component *c)
{
	long r = check_directory(w);

	if (r < 0)
		return r;
	if (c->last && w->end == WALK_NAME) {
		r = append(w, c->name, c->len);
		return r < 0 ? r : STEP_DONE;
	}
	if (c->len == 2 && !is_at_root(w))
		cut(w);
	w->is_dir = true;
	return 0;
}

/* One component; STEP_DONE where the walk ends. */
static long step(struct walk *w, const struct component *c)
{
	long r;

	w->rest = c->next;
	if (is_dots(c, 1) || is_dots(c, 2))
		return step_dots(w, c);
	/* Of a last name the kernel says it, behind what counts before. */
	if (c->len > NAME_MAX && !(c->last && w->end == WALK_NAME)) {
		r = check_directory(w);
		return r < 0 ? r : -ENAMETOOLONG;
	}
	r = append(w, c->name, c->len);
	if (r < 0)
		return r;
	if (c->last && (w->end == WALK_NAME || (w->end == WALK_KEEP && !c->slash)))
		return STEP_DONE;
	return step_link(w, c);
}

/* The working directory has been removed: the name that it had leads up, and not out of the guest. */
static long removed_cwd(struct walk *w)
{
	long n = SYS(readlinkat, AT_FDCWD, "/proc/self/cwd", w->out, TRAP_PATH_MAX - 1);

	return n > 0 && w->out[0] == '/' ? path_to_guest(w->out, (size_t)n) : -ENOENT;
}

/* Where a relative path starts. PATH_FOREIGN: nowhere in the guest. A descriptor may be one of a file, or of a link. */
static long start(struct walk *w, int dirfd)
{
	long n = path_of_fd(dirfd, w->out);
	bool removed = false;
	struct stat st;

	if (n == -ENOENT && dirfd == AT_FDCWD && SYS(getcwd, w->out, TRAP_PATH_MAX) == -ENOENT)
		n = removed_cwd(w), removed = true;
	else if (n == -ENOENT)
		return PATH_FOREIGN;
	if (n < 0)
		return n;
	if (dirfd != AT_FDCWD && SYS(newfstatat, dirfd, "", &st, AT_EMPTY_PATH) == 0 && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	w->len = n == 1 ? 0 : (size_t)n;
	w->removed = removed ? w->len : 0;
	w->out[w->len] = '\0';
	return 0;
}

static long finish(struct walk *w, bool slash)
{
	if (w->removed)
		return -ENOENT;
	if (w->len == 0)
		return append(w, "", 0) < 0 ? -ENAMETOOLONG : (long)w->kind;
	if (slash && append(w, "", 0) < 0)
		return -ENAMETOOLONG;
	return w->kind;
}

long walk_path(int dirfd, const char *path, enum walk_end end, char *out)
{
	struct walk w = { .out = out, .text = out + TRAP_PATH_MAX + 256, .end = end, .is_dir = true };
	struct component c = { 0 };
	size_t n = strlen(path);
	long r = 0;

	if (n == 0)
		return -ENOENT;
	if (n >= TRAP_PATH_MAX)
		return -ENAMETOOLONG;
	w.root = root_name(&w.root_len);
	go_to_root(&w);
	if (path[0] != '/')
		r = start(&w, dirfd);
	if (r != 0)
		return r;
	w.rest = memcpy(w.text, path, n + 1);
	while (r == 0 && next_component(&w, &c))
		r = step(&w, &c);
	return r < 0 ? r : finish(&w, c.slash);
}
