/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on names: what makes, removes, renames and links them in their parents. */
#include <fcntl.h>
#include <sys/stat.h>

#include "engines/trap/call.h"
#include "engines/trap/files.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

/* A path of the guest with its parent. */
struct name {
	struct path_text text;
	struct path_parent parent;
	int dirfd;
};

static long name_read(struct name *n, int dirfd, unsigned long path, bool to_write)
{
	long r = path_text_read(&n->text, (const void *)path);

	n->parent = (struct path_parent){ .fd = dirfd };
	n->dirfd = dirfd;
	return r < 0 ? r : path_parent(dirfd, n->text.text, to_write, &n->parent);
}

/* The same of a name that lies beside another one, as the new name of a file does: its parent is open already. */
static long name_read_beside(
	struct name *n, const struct name *other, int dirfd, unsigned long path, bool to_write)
{
	long r = path_text_read(&n->text, (const void *)path);
	size_t at =
		(size_t)(other->parent.name - other->text.text); /* above the length if it lies elsewhere */

	n->parent = (struct path_parent){ .fd = dirfd };
	n->dirfd = dirfd;
	if (r < 0)
		return r;
	if (dirfd != other->dirfd || !other->parent.own || at > other->text.len || at >= n->text.len ||
		memcmp(n->text.text, other->text.text, at) != 0 || !path_is_plain(n->text.text + at))
		return path_parent(dirfd, n->text.text, to_write, &n->parent);
	n->parent.fd = other->parent.fd;
	n->parent.bind = other->parent.bind;
	n->parent.name = n->text.text + at;
	return 0;
}

static void name_free(struct name *n)
{
	path_parent_free(&n->parent);
	path_text_free(&n->text);
}

/* ---- made ---- */

/* `make` gets the name in its parent. */
struct making {
	long nr;
	unsigned long b, c;
};

static long make_name(int dirfd, unsigned long path, const struct making *m)
{
	struct name n;
	long r = name_read(&n, dirfd, path, true);

	if (r == 0)
		r = SYS_NR(m->nr, n.parent.fd, n.parent.name, m->b, m->c);
	r = path_making_error(&n.parent, r);
	name_free(&n);
	return r;
}

long call_mkdirat(struct call *c)
{
	const struct making m = { SYS_mkdirat, c->arg[2], 0 };

	return make_name((int)c->arg[0], c->arg[1], &m);
}

static long symlink_guest(unsigned long target, int dirfd, unsigned long path)
{
	struct path_text t;
	struct name n;
	long r = path_text_read(&t, (const void *)target);

	if (r < 0) {
		path_text_free(&t);
		return r;
	}
	r = t.len ? name_read(&n, dirfd, path, true) : -ENOENT;
	if (r == 0)
		r = SYS(symlinkat, t.text, n.parent.fd, n.parent.name);
	if (t.len) {
		r = path_making_error(&n.parent, r);
		name_free(&n);
	}
	path_text_free(&t);
	return r;
}

long call_symlinkat(struct call *c)
{
	return symlink_guest(c->arg[0], (int)c->arg[1], c->arg[2]);
}

/* ---- removed ---- */

/* A mount point is busy; but the wrong kind is said first. */
static long remove_mount(const struct name *n, unsigned flags)
{
	struct stat st;
	long fd = path_at(n->dirfd, n->text.text, false, false), r;

	if (fd < 0)
		return fd;
	r = SYS(fstat, fd, &st);
	(void)SYS(close, fd);
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return flags & AT_REMOVEDIR ? -EBUSY : -EISDIR;
	return flags & AT_REMOVEDIR ? -ENOTDIR : -EBUSY;
}

static long remove_name(int dirfd, unsigned long path, unsigned flags)
{
	struct name n;
	long r;

	if (flags & ~(unsigned)AT_REMOVEDIR)
		return -EINVAL;
	r = name_read(&n, dirfd, path, true);
	if (r == 0)
		r = SYS(unlinkat, n.parent.fd, n.parent.name, flags);
	else if (r == -EBUSY)
		r = remove_mount(&n, flags);
	name_free(&n);
	return r;
}

long call_unlinkat(struct call *c)
{
	return remove_name((int)c->arg[0], c->arg[1], (unsigned)c->arg[2]);
}

/* ---- renamed and linked ---- */

/* The bind of a name that the kernel was to look up itself. */
static const struct trap_bind *bind_of(const struct name *n)
{
	const char *rest;
	const struct trap_bind *b = n->parent.bind;
	char *name;

	if (b)
		return b;
	name = buffer_take();
	if (path_of_fd(n->dirfd, name) >= 0)
		b = path_locate(name, &rest);
	buffer_give(name);
	return b;
}

/* Two binds are two mounts, be they one file system on the host. */
static bool is_across(const struct name *from, const struct name *to)
{
	if (trap_state->n_binds == 1 || (!from->parent.bind && !to->parent.bind && from->dirfd == to->dirfd))
		return false;
	return bind_of(from) != bind_of(to);
}

static long rename_guest(const struct files_target *from, const struct files_target *to, unsigned flags)
{
	struct name f, t;
	long r = name_read(&f, from->dirfd, (unsigned long)from->path, true);

	if (r < 0) {
		name_free(&f);
		return r;
	}
	r = name_read_beside(&t, &f, to->dirfd, (unsigned long)to->path, true);
	if (r == 0 && is_across(&f, &t))
		r = -EXDEV;
	if (r == 0)
		r = SYS(renameat2, f.parent.fd, f.parent.name, t.parent.fd, t.parent.name, flags);
	if (r == -ENOSYS && flags == 0) /* before Linux 3.15 */
		r = SYS(renameat, f.parent.fd, f.parent.name, t.parent.fd, t.parent.name);
	name_free(&t);
	name_free(&f);
	return r;
}

static long rename_at(int from, unsigned long old, int to, unsigned long new, unsigned flags)
{
	const struct files_target f = { .dirfd = from, .path = (const void *)old };
	const struct files_target t = { .dirfd = to, .path = (const void *)new };

	return rename_guest(&f, &t, flags);
}

long call_renameat(struct call *c)
{
	return rename_at((int)c->arg[0], c->arg[1], (int)c->arg[2], c->arg[3], 0);
}

long call_renameat2(struct call *c)
{
	return rename_at((int)c->arg[0], c->arg[1], (int)c->arg[2], c->arg[3], (unsigned)c->arg[4]);
}

/* The old name stands for what a link leads to, or for a descriptor. */
static long link_open(const struct files_target *from, struct name *to)
{
	char name[32];
	long fd = files_at(from), r;
	const struct name f = { .parent = { .fd = (int)fd }, .dirfd = (int)fd };

	if (fd < 0)
		return fd;
	(void)text_fd_path(name, fd);
	if (trap_state->n_binds > 1 && bind_of(&f) != bind_of(to))
		r = -EXDEV;
	else
		r = SYS(linkat, AT_FDCWD, name, to->parent.fd, to->parent.name, AT_SYMLINK_FOLLOW);
	(void)SYS(close, fd);
	return r;
}

/* Another file system is the last thing that is wrong with a link. */
static long across_error(const struct name *from, const struct name *to)
{
	struct stat st;
	long r = SYS(newfstatat, from->parent.fd, from->parent.name, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	r = SYS(newfstatat, to->parent.fd, to->parent.name, &st, AT_SYMLINK_NOFOLLOW);
	return r == 0 ? -EEXIST : -EXDEV;
}

static long link_names(const struct files_target *from, struct name *to)
{
	struct name f;
	long r = name_read_beside(&f, to, from->dirfd, (unsigned long)from->path, false);

	if (r == 0 && is_across(&f, to))
		r = across_error(&f, to);
	else if (r == 0)
		r = SYS(linkat, f.parent.fd, f.parent.name, to->parent.fd, to->parent.name, 0);
	name_free(&f);
	return r;
}

static long link_guest(const struct files_target *from, int dirfd, unsigned long path)
{
	struct name to;
	long r = name_read(&to, dirfd, path, true);

	r = path_making_error(&to.parent, r);
	if (r == 0)
		r = from->follow || from->empty ? link_open(from, &to) : link_names(from, &to);
	name_free(&to);
	return r;
}

long call_linkat(struct call *c)
{
	const unsigned flags = (unsigned)c->arg[4];
	const struct files_target from = { (int)c->arg[0], (const void *)c->arg[1], flags & AT_SYMLINK_FOLLOW,
		false, flags & AT_EMPTY_PATH };

	if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return link_guest(&from, (int)c->arg[2], c->arg[3]);
}

/* ---- what only x86-64 has ---- */
#ifdef SYS_mkdir
long call_mkdir(struct call *c)
{
	const struct making m = { SYS_mkdirat, c->arg[1], 0 };

	return make_name(AT_FDCWD, c->arg[0], &m);
}

long call_symlink(struct call *c)
{
	return symlink_guest(c->arg[0], AT_FDCWD, c->arg[1]);
}

long call_unlink(struct call *c)
{
	return remove_name(AT_FDCWD, c->arg[0], 0);
}

long call_rmdir(struct call *c)
{
	return remove_name(AT_FDCWD, c->arg[0], AT_REMOVEDIR);
}

long call_rename(struct call *c)
{
	return rename_at(AT_FDCWD, c->arg[0], AT_FDCWD, c->arg[1], 0);
}

long call_link(struct call *c)
{
	const struct files_target from = { .dirfd = AT_FDCWD, .path = (const void *)c->arg[0] };

	return link_guest(&from, AT_FDCWD, c->arg[1]);
}
#endif
