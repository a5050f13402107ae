/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container folders and their names. A folder appears and disappears by one rename; a name is a relative link that is made by
 * symlinkat(), which never replaces anything. udocker 1.3.x may remove either at any moment.
 */
#include "pkg/store/containers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/store/store.h"

#define CANDIDATES_SHOWN 5

/* ---- what lies in containers/ ---- */

struct scan {
	struct strv ids; /* directories */
	struct strv names, targets; /* links and the last component of where they lead, in step */
};

static void scan_free(struct scan *s)
{
	strv_free(&s->ids);
	strv_free(&s->names);
	strv_free(&s->targets);
}
#define auto_scan CLEANUP(scan_free) struct scan

static unsigned char entry_type(int dirfd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type;
	if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISLNK(st.st_mode) ? DT_LNK : DT_REG;
}

static void scan_link(struct scan *ret, int dirfd, const char *name)
{
	autofree char *target = fs_readlink(dirfd, name);

	if (!target)
		return;
	strv_add(&ret->names, name);
	strv_add(&ret->targets, path_base(target));
}

/* Hidden names are staging directories (where containers/ is a file system of its own). */
static int scan_all(struct store *s, bool links, struct scan *ret, struct err **err)
{
	struct dirent *e;
	int fd, r = 0;
	DIR *dir;

	if (s->containers_fd < 0)
		return 0;
	fd = openat(s->containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err_sys(err, errno, "read %s", s->containers);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((errno = 0, e = readdir(dir))) {
		unsigned char type;

		if (e->d_name[0] == '.')
			continue;
		type = entry_type(fd, e);
		if (type == DT_DIR)
			strv_add(&ret->ids, e->d_name);
		else if (type == DT_LNK && links)
			scan_link(ret, fd, e->d_name);
	}
	if (errno)
		r = err_sys(err, errno, "read %s", s->containers);
	closedir(dir);
	return r;
}

/* ---- finding ---- */

static bool may_be_entry(const char *text)
{
	return *text && *text != '.' && !strchr(text, '/') && strlen(text) <= 255;
}

static int no_such_container(const char *text, struct err **err)
{
	return err_make(err, ERR_NOT_FOUND, "no such container: '%s'", text);
}

static bool is_folder(struct store *s, const char *id)
{
	struct stat st;

	return may_be_entry(id) && fstatat(s->containers_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static int resolve_prefix(struct store *s, const char *text, char **ret_id, struct err **err)
{
	auto_scan scan = { 0 };
	auto_str shown = STR_INIT;
	const char *found = NULL;
	size_t n = 0;

	if (strlen(text) < CONTAINER_PREFIX_MIN)
		return err_make(err, ERR_NOT_FOUND, "no such container: '%s'", text);
	if (scan_all(s, false, &scan, err) < 0)
		return -1;
	strv_sort(&scan.ids);
	for (size_t i = 0; i < scan.ids.n; i++) {
		if (!str_starts(scan.ids.v[i], text))
			continue;
		found = scan.ids.v[i];
		if (n++ < CANDIDATES_SHOWN)
			str_addf(&shown, "%s%s", n > 1 ? ", " : "", found);
	}
	if (n == 0)
		return err_make(err, ERR_NOT_FOUND, "no such container: '%s'", text);
	if (n > 1)
		return err_make(err, ERR_USAGE, "'%s' is ambiguous, %zu containers begin so: %s%s", text, n,
			str_text(&shown), n > CANDIDATES_SHOWN ? ", …" : "");
	*ret_id = xstrdup(found);
	return 0;
}

int container_resolve(struct store *s, const char *text, char **ret_id, struct err **err)
{
	struct stat st;

	if (!may_be_entry(text) || s->containers_fd < 0)
		return err_make(err, ERR_NOT_FOUND, "no such container: '%s'", text);
	if (fstatat(s->containers_fd, text, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_sys(err, errno, "container '%s'", text);
		return resolve_prefix(s, text, ret_id, err);
	}
	if (S_ISDIR(st.st_mode)) {
		*ret_id = xstrdup(text);
		return 0;
	}
	if (S_ISLNK(st.st_mode)) {
		autofree char *target = fs_readlink(s->containers_fd, text);

		if (target && is_folder(s, path_base(target))) {
			*ret_id = xstrdup(path_base(target));
			return 0;
		}
		err_make(err, ERR_NOT_FOUND, "no such container: the name '%s' leads to one that is gone",
			text);
		return err_hint(err, "remove the name with 'udocker rmname %s'", text);
	}
	return no_such_container(text, err);
}

bool container_is_exact(struct store *s, const char *text)
{
	struct stat st;

	return s->containers_fd >= 0 && may_be_entry(text) &&
	       fstatat(s->containers_fd, text, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode));
}

bool container_exists(struct store *s, const char *text)
{
	autofree char *id = NULL;

	return container_resolve(s, text, &id, NULL) == 0;
}

int container_open(struct store *s, const char *text, struct container **ret, struct err **err)
{
	auto_container *c = xcalloc(1, sizeof(*c));

	c->fd = -1;
	if (container_resolve(s, text, &c->id, err) < 0)
		return -1;
	c->fd = openat(s->containers_fd, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->fd < 0) {
		(void)(errno == ENOENT ? no_such_container(c->id, err)
				       : err_sys(err, errno, "open container %s", c->id));
		return -1;
	}
	c->dir = path_join(s->containers, c->id);
	c->root = path_join(c->dir, CONTAINER_ROOT);
	*ret = steal_ptr(&c);
	return 0;
}

/* Who removes a container takes its folder away first of all. */
int container_check_current(struct store *s, const struct container *c, struct err **err)
{
	struct stat opened, now;

	if (fstat(c->fd, &opened) < 0)
		return err_sys(err, errno, "look at container %s", c->id);
	if (fstatat(s->containers_fd, c->id, &now, AT_SYMLINK_NOFOLLOW) < 0 || now.st_ino != opened.st_ino ||
		now.st_dev != opened.st_dev)
		return no_such_container(c->id, err);
	return 0;
}

void container_free(struct container *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->id);
	free(c->dir);
	free(c->root);
	free(c);
}

/* ---- small files ---- */

int container_file_read(int dirfd, const char *name, struct str *ret, struct err **err)
{
	if (fs_read(dirfd, name, CONTAINER_FILE_MAX, ret, FS_BENEATH) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	return err_sys(err, errno, "read %s", name);
}

int container_file_write(int dirfd, const char *name, const void *p, size_t n, struct err **err)
{
	atomic_clean(dirfd); /* what a writer that was killed has left here */
	return atomic_write(dirfd, name, p, n, 0644, ATOMIC_DURABLE, err);
}

int container_file_remove(int dirfd, const char *name, struct err **err)
{
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", name);
	(void)fs_sync_dir(dirfd); /* it is gone; when the disk knows is its own affair */
	return 0;
}

static char *read_line(int dirfd, const char *name)
{
	auto_str text = STR_INIT;

	if (container_file_read(dirfd, name, &text, NULL) <= 0)
		return xstrdup("");
	str_trim(&text);
	return str_steal(&text);
}

char *container_image_name(int dirfd)
{
	return read_line(dirfd, CONTAINER_FILE_IMAGE);
}

char *container_mode(int dirfd)
{
	return read_line(dirfd, CONTAINER_FILE_MODE);
}

bool container_is_protected(int dirfd)
{
	return fs_has_name(dirfd, CONTAINER_FILE_PROTECT);
}

int container_protect(const struct container *c, bool on, struct err **err)
{
	autoclose int fd = -1;

	if (!on)
		return container_file_remove(c->fd, CONTAINER_FILE_PROTECT, err);
	if (container_is_protected(c->fd))
		return 0;
	fd = openat(
		c->fd, CONTAINER_FILE_PROTECT, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno != EEXIST)
		return err_sys(err, errno, "protect container %s", c->id);
	return 0;
}

int container_metadata(int dirfd, struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = CONTAINER_FILE_MAX };
	auto_json *j = NULL;

	if (json_read(dirfd, CONTAINER_FILE_METADATA, &limits, &j, err) < 0)
		return -1;
	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", CONTAINER_FILE_METADATA);
	*ret = steal_ptr(&j);
	return 0;
}

/* ---- names ---- */

int container_names(struct store *s, const char *id, struct strv *ret, struct err **err)
{
	auto_scan scan = { 0 };

	if (scan_all(s, true, &scan, err) < 0)
		return -1;
	for (size_t i = 0; i < scan.names.n; i++)
		if (strcmp(scan.targets.v[i], id) == 0)
			strv_add(ret, scan.names.v[i]);
	strv_sort(ret);
	return 0;
}

static int name_taken(const char *name, struct err **err)
{
	return err_make(err, ERR_EXISTS, "container name '%s' is taken", name);
}

int container_name_check(struct store *s, const char *name, struct err **err)
{
	struct stat st;

	if (!id_is_container_name(name)) {
		err_make(err, ERR_USAGE, "'%s' cannot be a container's name", name);
		return err_hint(err, "names have no '/', '.', '[', ']' or blanks and do not look like ids");
	}
	if (s->containers_fd < 0)
		return 0;
	if (fstatat(s->containers_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return name_taken(name, err);
	return 0;
}

static bool is_name_of(struct store *s, const char *name, const char *target)
{
	autofree char *other = fs_readlink(s->containers_fd, name);

	return other && strcmp(path_base(other), path_base(target)) == 0;
}

/*
 * The name first, then a look whether the container is still there; who removes it takes it out of sight first and then looks for names.
 * So no name is left that leads nowhere.
 */
static int check_named(struct store *s, const char *id, const char *name, struct err **err)
{
	if (is_folder(s, id))
		return 0;
	if (is_name_of(s, name, id))
		(void)unlinkat(s->containers_fd, name, 0); /* or he has done it */
	return no_such_container(id, err);
}

static int make_link(struct store *s, const char *id, const char *name, struct err **err)
{
	if (symlinkat(id, s->containers_fd, name) < 0)
		return errno == EEXIST ? name_taken(name, err) : err_sys(err, errno, "name '%s'", name);
	return 0;
}

int container_name_add(struct store *s, const char *id, const char *name, struct err **err)
{
	if (container_name_check(s, name, err) < 0)
		return -1;
	if (s->containers_fd < 0 || !is_folder(s, id))
		return no_such_container(id, err);
	if (make_link(s, id, name, err) < 0 || check_named(s, id, name, err) < 0)
		return -1;
	(void)fs_sync_dir(s->containers_fd); /* the name is given; when the disk knows is its own affair */
	return 0;
}

static int no_such_name(const char *name, struct err **err)
{
	return err_make(err, ERR_NOT_FOUND, "no such container name: '%s'", name);
}

/* The link's target, or an error that says why this is no name. */
static char *name_target(struct store *s, const char *name, struct err **err)
{
	char *target;

	if (!may_be_entry(name) || s->containers_fd < 0) {
		(void)no_such_name(name, err);
		return NULL;
	}
	target = fs_readlink(s->containers_fd, name);
	if (target)
		return target;
	if (errno == EINVAL)
		err_make(err, ERR_USAGE, "'%s' is a container's id and not a name", name);
	else if (errno == ENOENT)
		(void)no_such_name(name, err);
	else
		err_sys(err, errno, "name '%s'", name);
	return NULL;
}

static int drop_link(struct store *s, const char *name, struct err **err)
{
	if (unlinkat(s->containers_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove the name '%s'", name);
	(void)fs_sync_dir(s->containers_fd); /* as container_name_add() */
	return 0;
}

int container_name_remove(struct store *s, const char *name, struct err **err)
{
	autofree char *target = name_target(s, name, err);

	return target ? drop_link(s, name, err) : -1;
}

int container_name_rename(struct store *s, const char *from, const char *to, struct err **err)
{
	autofree char *target = name_target(s, from, err);

	if (!target)
		return -1;
	/* What a rename in two steps leaves that was stopped between them. */
	if (strcmp(from, to) != 0 && is_name_of(s, to, target))
		return drop_link(s, from, err);
	if (container_name_check(s, to, err) < 0)
		return -1;
	if (atomic_rename_excl(s->containers_fd, from, s->containers_fd, to) < 0)
		return errno == EEXIST   ? name_taken(to, err)
		       : errno == ENOENT ? no_such_name(from, err)
					 : err_sys(err, errno, "rename '%s' to '%s'", from, to);
	if (check_named(s, path_base(target), to, err) < 0)
		return -1;
	(void)fs_sync_dir(s->containers_fd); /* as container_name_add() */
	return 0;
}

/* ---- listing ---- */

static char root_access(int dirfd)
{
	struct stat st;

	if (fstatat(dirfd, CONTAINER_ROOT, &st, 0) < 0)
		return 'N';
	if (!S_ISDIR(st.st_mode))
		return 'D';
	return faccessat(dirfd, CONTAINER_ROOT, W_OK, AT_EACCESS) == 0 ? 'W' : 'R';
}

static void fill_details(struct store *s, struct container_info *info)
{
	autoclose int fd =
		openat(s->containers_fd, info->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	info->access = 'N';
	if (fd < 0) {
		info->image = xstrdup("");
		info->mode = xstrdup("");
		return;
	}
	info->image = container_image_name(fd);
	info->mode = container_mode(fd);
	info->protected = container_is_protected(fd);
	info->access = root_access(fd);
}

static int compare_info(const void *a, const void *b)
{
	return strcmp(((const struct container_info *)a)->id, ((const struct container_info *)b)->id);
}

static struct container_info *find_info(struct container_list *l, char *id)
{
	struct container_info key = { .id = id };

	return l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), compare_info) : NULL;
}

int container_list(struct store *s, unsigned flags, struct container_list *ret, struct err **err)
{
	auto_scan scan = { 0 };

	if (scan_all(s, true, &scan, err) < 0)
		return -1;
	for (size_t i = 0; i < scan.ids.n; i++) {
		struct container_info *info;

		ret->v = mem_grow(ret->v, &ret->cap, ret->n + 1, sizeof(*ret->v));
		info = &ret->v[ret->n++];
		*info = (struct container_info){ .id = xstrdup(scan.ids.v[i]) };
		if (flags & CONTAINER_LIST_DETAILS)
			fill_details(s, info);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_info);
	for (size_t i = 0; i < scan.names.n; i++) {
		struct container_info *info = find_info(ret, scan.targets.v[i]);

		if (info)
			strv_add(&info->names, scan.names.v[i]);
	}
	for (size_t i = 0; i < ret->n; i++)
		strv_sort(&ret->v[i].names);
	return 0;
}

void container_list_free(struct container_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].id);
		free(l->v[i].image);
		free(l->v[i].mode);
		strv_free(&l->v[i].names);
	}
	free(l->v);
	*l = (struct container_list){ 0 };
}

/* ---- birth and death ---- */

int container_publish(
	struct store *s, struct store_stage *stage, const char *id, const char *name, struct err **err)
{
	struct stat st;

	if (!id_is_container(id))
		return err_make(err, ERR_USAGE, "'%s' cannot be a container's id", id);
	if (name && container_name_check(s, name, err) < 0)
		return -1;
	if (fstatat(s->containers_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_make(err, ERR_EXISTS, "container %s exists already", id);
	if (renameat(stage->parent_fd, stage->name, s->containers_fd, id) < 0)
		return err_sys(err, errno, "publish container %s", id);
	if (name && make_link(s, id, name, err) < 0) {
		/* Somebody took the name since we asked. */
		if (renameat(s->containers_fd, id, stage->parent_fd, stage->name) < 0)
			log_warning("container %s stays without a name: %s", id, strerror(errno));
		return -1;
	}
	if (!stage->no_sync) {
		(void)fs_sync_dir(s->containers_fd);
		(void)fs_sync_dir(stage->parent_fd);
	}
	return 0;
}

/* ret_names gets those that it had. */
static int remove_names(struct store *s, const char *id, struct strv *ret_names, struct err **err)
{
	if (container_names(s, id, ret_names, err) < 0)
		return -1;
	for (size_t i = 0; i < ret_names->n; i++)
		/* It may be another container's by now. */
		if (is_name_of(s, ret_names->v[i], id) &&
			unlinkat(s->containers_fd, ret_names->v[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove the name '%s'", ret_names->v[i]);
	return 0;
}

/* Out of sight by one rename. 1 done, 0 when the file system will not. */
static int hide(struct store *s, const struct container *c, const struct stat *st, struct store_stage *stage)
{
	if (renameat(s->containers_fd, c->id, stage->fd, c->id) == 0)
		return 1;
	/* A folder that changes its parent must itself be writable. */
	if (errno == EACCES && fchmod(c->fd, (st->st_mode & 07777) | 0700) == 0 &&
		renameat(s->containers_fd, c->id, stage->fd, c->id) == 0)
		return 1;
	return errno == ENOENT ? 1 : 0;
}

static int refuse_protected(const struct container *c, struct err **err)
{
	err_make(err, ERR_DENIED, "container %s is protected", c->id);
	return err_hint(err, "unprotect it first");
}

static void give_back(
	struct store *s, const struct container *c, const struct stat *st, const struct strv *names)
{
	(void)fchmod(c->fd, st->st_mode & 07777); /* hide() may have let us in */
	for (size_t i = 0; i < names->n; i++)
		(void)make_link(s, c->id, names->v[i], NULL); /* taken meanwhile: then it is another's */
}

/*
 * One that was protected after we looked comes back. Who protects it later still finds that it is out of sight (container_check_current()) and says so.
 */
static int put_back(struct store *s, const struct container *c, const struct stat *st,
	const struct strv *names, struct store_stage *stage, struct err **err)
{
	if (atomic_rename_excl(stage->fd, c->id, s->containers_fd, c->id) < 0) {
		int saved = errno;

		return saved == ENOENT ? 0 : err_sys(err, saved, "put container %s back", c->id);
	}
	give_back(s, c, st, names);
	return refuse_protected(c, err);
}

/* Where the file system will not move it: a mount point, say. It may have been protected since we looked, here too. */
static int remove_in_place(struct store *s, const struct container *c, const struct stat *st,
	const struct strv *names, struct err **err)
{
	if (!container_is_protected(c->fd))
		return fs_rm_tree(s->containers_fd, c->id, err);
	give_back(s, c, st, names);
	return refuse_protected(c, err);
}

int container_remove(struct store *s, const char *id, struct err **err)
{
	CLEANUP(store_stage_drop) struct store_stage stage = STORE_STAGE_INIT;
	auto_strv names = STRV_INIT, later = STRV_INIT;
	auto_container *c = NULL;
	auto_err *e = NULL;
	struct stat st;

	if (container_open(s, id, &c, err) < 0)
		return -1;
	if (container_is_protected(c->fd))
		return refuse_protected(c, err);
	if (fstat(c->fd, &st) < 0)
		return err_sys(err, errno, "look at container %s", c->id);
	if (st.st_uid != geteuid())
		return err_make(err, ERR_DENIED, "container %s belongs to another user (uid %u)", c->id,
			(unsigned)st.st_uid);
	if (store_stage_begin(s, &stage, err) < 0 || remove_names(s, c->id, &names, err) < 0)
		return err_add(err, "container %s", c->id);
	if (!hide(s, c, &st, &stage))
		return remove_in_place(s, c, &st, &names, err);
	if (container_is_protected(c->fd))
		return put_back(s, c, &st, &names, &stage, err);
	(void)remove_names(s, c->id, &later, NULL); /* those that were given meanwhile: check_named() */
	/* Nothing is synced: journals keep the order of the rename and the removals, and a container may come back whole. */
	if (fs_rm_tree(stage.fd, c->id, &e) < 0)
		log_warning("container %s is gone, but not all of its files: %s; the next writer tries again",
			c->id, err_text(e));
	return 0;
}
