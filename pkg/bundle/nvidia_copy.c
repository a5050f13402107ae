/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting a container up: the mark in its folder, and for modes that cannot mount the driver's files in its ROOT. The mark is written before ROOT is
 * touched and says all that will be done, so that what a crash leaves can be undone. Everything inside ROOT is resolved as in a chroot: the mark may
 * have come with an archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/nvidia_priv.h"
#include "pkg/store/containers.h"

#define ASIDE ".nvidia" /* in the folder: files of the container that gave way, by their number in `copied` */
#define COMPARE_BYTES ((size_t)64 << 10)

bool nvidia_is_set_up(int dirfd)
{
	return fs_exists(dirfd, NVIDIA_FILE);
}

static int open_root(const struct container *c, struct err **err)
{
	int fd = openat(c->fd, CONTAINER_ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "%s", c->root) : fd;
}

/* ---- the mark ---- */

/* An empty object for the mark of 1.3.x, and where there is none. Caller frees. */
static int read_mark(const struct container *c, struct json **ret, struct err **err)
{
	auto_str text = STR_INIT;

	if (container_file_read(c->fd, NVIDIA_FILE, &text, err) < 0)
		return -1;
	if (text.len == 0) {
		*ret = json_new_object();
		return 0;
	}
	return json_parse(str_text(&text), text.len, NVIDIA_FILE, NULL, ret, err);
}

static int write_mark(const struct container *c, const struct json *mark, struct err **err)
{
	autofree char *text = json_text(mark, JSON_PRETTY);

	return container_file_write(c->fd, NVIDIA_FILE, text, strlen(text), err);
}

/* ---- undoing ---- */

/* Is what lies there what was put there? */
static bool is_ours(int dirfd, const char *name, const struct json *entry)
{
	const char *target = json_str(json_get(entry, "link"));
	int64_t size = -1, mtime = -1;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (target) {
		autofree char *text = S_ISLNK(st.st_mode) ? fs_readlink(dirfd, name) : NULL;

		return text && str_eq(text, target);
	}
	return S_ISREG(st.st_mode) && json_to_i64(json_get(entry, "size"), &size) == 0 &&
	       json_to_i64(json_get(entry, "mtime"), &mtime) == 0 && st.st_size == size &&
	       st.st_mtim.tv_sec == mtime;
}

/* The container's own file of that number comes back. */
static int put_back(const struct container *c, size_t number, int dirfd, const char *name)
{
	autofree char *aside = xasprintf(ASIDE "/%zu", number);

	if (renameat(c->fd, aside, dirfd, name) == 0 || errno == ENOENT)
		return 0;
	return -1;
}

static bool is_aside(const struct container *c, size_t number)
{
	autofree char *aside = xasprintf(ASIDE "/%zu", number);

	return fs_exists(c->fd, aside);
}

static int undo_one(
	const struct container *c, int rootfd, const struct json *entry, size_t number, struct err **err)
{
	const char *path = json_str(json_get(entry, "path")), *name = NULL;
	autoclose int dirfd = path ? fs_open_parent(rootfd, path, FS_IN_ROOT, &name) : -1;
	bool waits = json_true(json_get(entry, "aside")) && is_aside(c, number);

	if (dirfd < 0)
		return 0; /* the program inside has removed the folder */
	if (json_true(json_get(entry, "aside")) && !waits)
		return 0; /* it never came to that, or it is back */
	if (is_ours(dirfd, name, entry)) {
		if (unlinkat(dirfd, name, 0) < 0)
			return err_sys(err, errno, "remove '%s'", path);
	} else if (faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		log_warning("'%s' was changed since the driver's was put there, leaving it", path);
		return 0;
	}
	if (waits && put_back(c, number, dirfd, name) < 0)
		return err_sys(err, errno, "put back '%s'", path);
	return 0;
}

/* Deepest last in the list. What is not empty holds something of the container's. */
static void undo_dirs(int rootfd, const struct json *dirs)
{
	for (size_t i = json_len(dirs); i-- > 0;) {
		const char *path = json_str(json_at(dirs, i)), *name = NULL;
		autoclose int dirfd = path ? fs_open_parent(rootfd, path, FS_IN_ROOT, &name) : -1;

		if (dirfd >= 0)
			(void)unlinkat(dirfd, name, AT_REMOVEDIR);
	}
}

static int undo_copies(const struct container *c, const struct json *mark, struct err **err)
{
	const struct json *copied = json_get(mark, "copied");
	autoclose int rootfd = open_root(c, err);

	if (rootfd < 0)
		return -1;
	for (size_t i = 0; i < json_len(copied); i++)
		if (undo_one(c, rootfd, json_at(copied, i), i, err) < 0)
			return -1;
	undo_dirs(rootfd, json_get(mark, "dirs"));
	(void)unlinkat(c->fd, ASIDE, AT_REMOVEDIR); /* what was changed inside keeps the original there */
	return 0;
}

int nvidia_undo(const struct container *c, bool forget, struct err **err)
{
	auto_json *mark = NULL;

	if (!nvidia_is_set_up(c->fd))
		return 0;
	if (read_mark(c, &mark, err) < 0)
		return -1;
	if (forget && json_len(mark) == 0)
		log_warning("container %s: what udocker 1.3.x copied of the driver stays in it, for it did "
			    "not note "
			    "what that was",
			c->id);
	if (json_len(json_get(mark, "copied")) > 0) {
		if (undo_copies(c, mark, err) < 0)
			return -1;
		json_remove(mark, "copied");
		json_remove(mark, "dirs");
		if (!forget)
			return write_mark(c, mark, err);
	}
	return forget ? container_file_remove(c->fd, NVIDIA_FILE, err) : 0;
}

/* ---- what is to be copied ---- */

struct plan {
	const struct container *c;
	const struct nvidia_set *set;
	struct json *copied, *dirs; /* owned by the mark */
	struct strv hosts; /* beside each of copied */
	int rootfd;
	bool force;
};

static bool same_bytes(int a, int b)
{
	autofree char *one = xmalloc(COMPARE_BYTES), *other = xmalloc(COMPARE_BYTES);
	ssize_t n, m;

	do {
		n = fd_read_full(a, one, COMPARE_BYTES);
		m = fd_read_full(b, other, COMPARE_BYTES);
		if (n < 0 || n != m || memcmp(one, other, (size_t)n) != 0)
			return false;
	} while (n > 0);
	return true;
}

/* The container has this very file already. */
static bool is_same(int rootfd, const struct nvidia_item *item)
{
	autoclose int inside = fs_open(rootfd, item->cont, O_RDONLY | O_NONBLOCK, 0, FS_IN_ROOT);
	autoclose int host = open(item->host, O_RDONLY | O_CLOEXEC);
	struct stat st;

	return inside >= 0 && host >= 0 && fstat(inside, &st) == 0 && S_ISREG(st.st_mode) &&
	       same_bytes(inside, host);
}

/* The library under its own name lies beside it: a link will do, as the host has one. */
static bool is_a_second_name(const struct plan *p, const struct nvidia_item *item)
{
	autofree char *dir = path_dir(item->cont), *first = path_join(dir, path_base(item->host));
	const struct nvidia_item *other = nvidia_set_at(p->set, first);

	return other && other != item && str_eq(other->host, item->host);
}

/* Each folder that is missing, the upper first. */
static void plan_dirs(struct plan *p, const char *dir)
{
	autofree char *up = NULL;
	struct stat st;

	if (str_eq(dir, "/") || fs_lstat(p->rootfd, dir, &st, FS_IN_ROOT) == 0)
		return;
	for (size_t i = 0; i < json_len(p->dirs); i++)
		if (str_eq(json_str(json_at(p->dirs, i)), dir))
			return;
	up = path_dir(dir);
	plan_dirs(p, up);
	json_append(p->dirs, json_new_str(dir));
}

static int plan_one(struct plan *p, const struct nvidia_item *item, struct err **err)
{
	autofree char *dir = path_dir(item->cont);
	struct json *entry;
	struct stat st, old;
	bool exists;

	if (item->kind != NVIDIA_PLAIN || stat(item->host, &st) < 0 || !S_ISREG(st.st_mode))
		return 0; /* devices are seen through /dev */
	exists = fs_lstat(p->rootfd, item->cont, &old, FS_IN_ROOT) == 0;
	if (exists && is_same(p->rootfd, item))
		return 0;
	if (exists && (!p->force || S_ISDIR(old.st_mode))) {
		err_make(err, ERR_EXISTS,
			"'%s' is in the container already, and another file than the host's", item->cont);
		return err_hint(err, "--force puts it aside until setup --purge");
	}
	plan_dirs(p, dir);
	entry = json_new_object();
	json_set_str(entry, "path", item->cont);
	if (is_a_second_name(p, item)) {
		json_set_str(entry, "link", path_base(item->host));
	} else {
		json_set_i64(entry, "size", st.st_size);
		json_set_i64(entry, "mtime", st.st_mtim.tv_sec);
	}
	if (exists)
		json_set_bool(entry, "aside", true);
	json_append(p->copied, entry);
	strv_add(&p->hosts, item->host);
	return 0;
}

/* ---- copying ---- */

static int copy_file(const struct plan *p, int dirfd, const char *name, const char *host, struct err **err)
{
	auto_atomic t = ATOMIC_INIT;
	autoclose int from = open(host, O_RDONLY | O_CLOEXEC);
	struct timespec times[2];
	struct stat st;
	int to;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, errno, "%s", host);
	to = atomic_begin_in(&t, p->c->fd, dirfd, name, st.st_mode & S_IXUSR ? 0755 : 0644, err);
	if (to < 0)
		return -1;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (fd_copy(from, to, UINT64_MAX, NULL) < 0 || futimens(to, times) < 0)
		return err_sys(err, errno, "copy %s", host);
	return atomic_commit(&t, ATOMIC_EXCL, err);
}

static int put_aside(const struct plan *p, size_t number, int dirfd, const char *name)
{
	autofree char *aside = xasprintf(ASIDE "/%zu", number);

	if (mkdirat(p->c->fd, ASIDE, 0700) < 0 && errno != EEXIST)
		return -1;
	return renameat(dirfd, name, p->c->fd, aside);
}

static int copy_one(const struct plan *p, size_t number, struct err **err)
{
	const struct json *entry = json_at(p->copied, number);
	const char *path = json_str(json_get(entry, "path")), *link = json_str(json_get(entry, "link")),
		   *name;
	autoclose int dirfd = fs_open_parent(p->rootfd, path, FS_IN_ROOT, &name);

	if (dirfd < 0)
		return err_sys(err, errno, "'%s' in the container", path);
	if (json_true(json_get(entry, "aside")) && put_aside(p, number, dirfd, name) < 0)
		return err_sys(err, errno, "put aside '%s'", path);
	if (!link && number < p->hosts.n)
		return copy_file(p, dirfd, name, p->hosts.v[number], err);
	return !link || symlinkat(link, dirfd, name) < 0 ? err_sys(err, errno, "'%s' in the container", path)
							 : 0;
}

static int copy_planned(const struct plan *p, struct err **err)
{
	for (size_t i = 0; i < json_len(p->dirs); i++) {
		const char *path = json_str(json_at(p->dirs, i));
		int fd = fs_mkdir_p(p->rootfd, path, 0755, FS_IN_ROOT);

		if (fd < 0)
			return err_sys(err, errno, "'%s' in the container", path);
		close(fd);
	}
	for (size_t i = 0; i < json_len(p->copied); i++)
		if (copy_one(p, i, err) < 0)
			return -1;
	return 0;
}

static int plan_and_copy(struct plan *p, struct json *mark, struct err **err)
{
	p->copied = json_need_array(mark, "copied");
	p->dirs = json_need_array(mark, "dirs");
	for (size_t i = 0; i < p->set->n; i++)
		if (plan_one(p, &p->set->items[i], err) < 0)
			return -1;
	if (write_mark(p->c, mark, err) < 0)
		return -1;
	if (copy_planned(p, err) == 0)
		return 0;
	(void)nvidia_undo(p->c, true, NULL); /* it can be done again: the mark says what is left */
	return -1;
}

static void tell(const struct container *c, const struct nvidia_set *s, const char *what)
{
	autofree char *driver = *s->version ? xasprintf("driver %s", s->version) : xstrdup("devices");

	for (size_t i = 0; i < s->notes.n; i++)
		log_info("%s", s->notes.v[i]);
	log_info("container %s: NVIDIA %s, from %s: %zu files %s", c->id, driver, s->source, s->n, what);
}

bool nvidia_is_copied(const struct container *c)
{
	auto_json *mark = NULL;

	return nvidia_is_set_up(c->fd) && read_mark(c, &mark, NULL) == 0 && json_get(mark, "copied");
}

int nvidia_set_up(const struct container *c, bool copy, bool force, struct err **err)
{
	autoclose int rootfd = open_root(c, err);
	auto_nvidia_set set = NVIDIA_SET_INIT;
	auto_json *mark = json_new_object();
	struct plan p = { .c = c, .set = &set, .rootfd = rootfd, .force = force };
	int r;

	if (rootfd < 0 || nvidia_find(rootfd, NULL, &set, err) < 0 || nvidia_undo(c, false, err) < 0)
		return -1;
	json_set_str(mark, "source", set.source);
	json_set_str(mark, "version", set.version);
	r = copy ? plan_and_copy(&p, mark, err) : write_mark(c, mark, err);
	strv_free(&p.hosts);
	if (r == 0)
		tell(c, &set, copy ? "copied" : "to show in each run");
	return r;
}
