/* SPDX-License-Identifier: Apache-2.0 */
/* Order of work: the folder's own files, the tree that the layers give (expect.h), ROOT beside it, and what was not met in ROOT. */
#include "pkg/bundle/verify.h"

#include <errno.h>
#include <sys/stat.h>

#include "oci-spec/image_config.h"
#include "oci-spec/runtime_config.h"
#include "pkg/archive/expect.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/bundle/clone.h"
#include "pkg/bundle/origin.h"
#include "pkg/bundle/unpack.h"
#include "pkg/store/containers.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

#define RECORDS ".mountpoints"
#define ORIGINALS ".bind_orig_files"
#define HOST_FILES "/.bind_host_files"

struct verify {
	struct store *store;
	const struct container *c;
	const struct origin *origin;
	struct expect *expect;
	struct strv records; /* mount points that runs have made: "/data" */
	bool lenient; /* made by 1.3.x: permissions depend on the umask of that day */
	bool gone; /* removed meanwhile: what is missing since then is no damage */
	verify_report_fn *report;
	void *arg;
	struct verify_result *ret;
	struct err *err;
};

static void tell(struct verify *v, enum verify_kind kind, const char *path, const char *text)
{
	if (v->gone || container_check_current(v->store, v->c, NULL) < 0) {
		v->gone = true;
		return;
	}
	v->ret->n[kind]++;
	v->report(kind, path, text, v->arg);
}

/* The same for what lies in ROOT. */
static void tell_root(struct verify *v, enum verify_kind kind, const char *path, const char *text)
{
	autofree char *full = xasprintf("/%s", path);

	tell(v, kind, full, text);
}

/* ---- the folder ---------------------------------------------------------------------------------------------------------- */

static bool is_same_json(const struct json *a, const struct json *b)
{
	autofree char *x = json_text(a, JSON_SORT), *y = json_text(b, JSON_SORT);

	return str_eq(x, y);
}

/* The name may belong to another image by now, and then every difference would be one of the images. */
static int check_same_image(const struct verify *v, const struct json *metadata, struct err **err)
{
	const struct json *old = json_path(metadata, "rootfs", "diff_ids", NULL);
	const struct json *now = json_path(v->origin->json, "rootfs", "diff_ids", NULL);

	if (!old || !now || is_same_json(old, now))
		return 0;
	err_make(err, ERR_NOT_FOUND,
		"container %s was made of another image than the one that is called %s now", v->c->id,
		v->origin->image->name);
	return err_hint(err, "it can be verified when that image has the name again");
}

static int check_metadata(struct verify *v, struct err **err)
{
	auto_json *metadata = NULL;
	auto_err *e = NULL;

	if (container_metadata(v->c->fd, &metadata, &e) < 0) {
		if (err_is(e, ERR_NOT_FOUND))
			tell(v, VERIFY_MISSING, CONTAINER_FILE_METADATA, NULL);
		else
			tell(v, VERIFY_CHANGED, CONTAINER_FILE_METADATA, err_text(e));
		return 0;
	}
	if (check_same_image(v, metadata, err) < 0)
		return -1;
	if (!is_same_json(metadata, v->origin->json))
		tell(v, VERIFY_CHANGED, CONTAINER_FILE_METADATA, "it is not the configuration of the image");
	return 0;
}

static bool has_our_annotation(const struct json *config)
{
	const struct json *a = json_get(config, "annotations");

	for (size_t i = 0; i < json_len(a); i++)
		if (str_starts(json_key_at(a, i), "org.udocker."))
			return true;
	return false;
}

/* config.json is computed: it has to be one, no more. Those that udocker 1.3.x made have none, or one of its own. */
static void check_config(struct verify *v)
{
	const struct json_limits limits = { .bytes = RUNTIME_CONFIG_MAX_BYTES };
	auto_json *config = NULL;
	auto_err *e = NULL;

	if (json_read(v->c->fd, CONTAINER_FILE_CONFIG, &limits, &config, &e) == 0 &&
		runtime_config_check(config, &e) == 0)
		v->lenient = !has_our_annotation(config);
	else if (err_is(e, ERR_NOT_FOUND))
		v->lenient = true;
	else
		tell(v, VERIFY_CHANGED, CONTAINER_FILE_CONFIG, err_text(e));
}

static char *decode(const char *name)
{
	char *path = xstrdup(name);

	for (char *p = path; *p; p++)
		if (*p == '#')
			*p = '/';
	return path;
}

static void read_records(struct verify *v)
{
	auto_strv names = STRV_INIT;

	/* What cannot be read has recorded nothing. */
	if (fs_list(v->c->fd, RECORDS, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		strv_add_owned(&v->records, decode(names.v[i]));
	strv_add(&v->records, HOST_FILES);
}

/* ---- what the layers do not have ----------------------------------------------------------------------------------------- */

/* A mount point, or a directory on the way to one: made by runs. Files among them are empty. */
static bool is_mount_point(const struct verify *v, const char *path, const struct stat *st)
{
	size_t n = strlen(path);

	if (!S_ISDIR(st->st_mode) && !(S_ISREG(st->st_mode) && st->st_size == 0))
		return false;
	for (size_t i = 0; i < v->records.n; i++) {
		const char *r = v->records.v[i];

		if (*r == '/' && strncmp(r + 1, path, n) == 0 &&
			(!r[1 + n] || (r[1 + n] == '/' && S_ISDIR(st->st_mode))))
			return true;
	}
	return false;
}

static int count_entry(int dirfd UNUSED, const char *name UNUSED, const char *path UNUSED,
	const struct stat *st UNUSED, void *arg)
{
	++*(uint64_t *)arg;
	return 0;
}

static void describe_dir(int dirfd, const char *name, struct str *ret)
{
	autoclose int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t n = 0;

	if (fd < 0 || fs_walk(fd, count_entry, &n) < 0)
		str_add(ret, "a directory");
	else if (n == 0)
		str_add(ret, "an empty directory");
	else
		str_addf(ret, "a directory with %llu entries", (unsigned long long)n);
}

static const char *type_text(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device node";
	}
}

/* Returns FS_WALK_SKIP or 0. */
static int tell_extra(struct verify *v, int dirfd, const char *name, const char *path, const struct stat *st)
{
	auto_str text = STR_INIT;

	if (is_mount_point(v, path, st))
		return 0;
	if (S_ISDIR(st->st_mode))
		describe_dir(dirfd, name, &text);
	else
		str_add(&text, type_text(st->st_mode));
	tell_root(v, VERIFY_EXTRA, path, str_text(&text));
	return FS_WALK_SKIP;
}

/* ---- what both have ------------------------------------------------------------------------------------------------------ */

static mode_t type_of(const struct expect_file *f)
{
	switch (f->type) {
	case READER_DIR:
		return S_IFDIR;
	case READER_SYMLINK:
		return S_IFLNK;
	case READER_FIFO:
		return S_IFIFO;
	default:
		return S_IFREG;
	}
}

static void add_part(struct str *text, const char *part)
{
	str_addf(text, "%s%s", text->len ? "; " : "", part);
}

static void compare_mode(
	const struct verify *v, const struct expect_file *f, const struct stat *st, struct str *text)
{
	/* Set-id bits are kept or not as the user chose, and 1.3.x drops the sticky bit as well. */
	mode_t bits = v->lenient ? 0700 : 01777, want = f->mode & bits, got = st->st_mode & bits;

	if (want == got)
		return;
	str_addf(text, "%smode is %04o, was %04o", text->len ? "; " : "", (unsigned)got, (unsigned)want);
}

/* F modes put the path of ROOT in front of absolute targets. */
static bool is_same_target(const struct verify *v, const char *want, const char *got)
{
	size_t n = strlen(v->c->root);

	return str_eq(want, got) ||
	       (*want == '/' && strncmp(got, v->c->root, n) == 0 && str_eq(got + n, want));
}

static void compare_link(
	const struct verify *v, const struct expect_file *f, int dirfd, const char *name, struct str *text)
{
	autofree char *target = fs_readlink(dirfd, name);

	if (!target)
		str_addf(text, "cannot be read: %s", strerror(errno));
	else if (!is_same_target(v, f->link, target))
		str_addf(text, "leads to '%s', led to '%s'", target, f->link);
}

/* -1 with v->err for an interrupt. */
static int compare_content(struct verify *v, const struct expect_file *f, int dirfd, const char *name,
	const struct stat *st, struct str *text)
{
	autoclose int fd = -1;
	char content[CONTENT_LEN];
	auto_err *e = NULL;

	if (st->st_size != f->size) {
		str_addf(text, "%s%lld bytes, was %lld", text->len ? "; " : "", (long long)st->st_size,
			(long long)f->size);
		return 0;
	}
	if (f->size == 0)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || content_of_file(fd, content, &e) < 0) {
		if (sig_interrupted())
			return err_make(&v->err, ERR_SYSTEM, "interrupted");
		str_addf(text, "%scannot be read: %s", text->len ? "; " : "",
			e ? err_text(e) : strerror(errno));
		return 0;
	}
	if (memcmp(content, f->content, CONTENT_LEN) == 0)
		return 0;
	/* A program that writes leaves a new time, a failing disk does not. */
	if (st->st_mtim.tv_sec == f->mtime.tv_sec && st->st_mtim.tv_nsec == f->mtime.tv_nsec)
		add_part(text, "content differs, though size and time are those of the image");
	else
		add_part(text, "content differs");
	return 0;
}

static void meet_all(struct expect_node *top)
{
	for (struct expect_node *e = top; e; e = expect_next(top, e, true))
		e->met = true;
}

/* Type, permissions, content of one file. 1: it is of another type. */
static int compare_file(struct verify *v, const struct expect_file *f, int dirfd, const char *name,
	const struct stat *st, struct str *text)
{
	if ((st->st_mode & S_IFMT) != type_of(f)) {
		str_addf(text, "is %s, was %s", type_text(st->st_mode), type_text(type_of(f)));
		return 1;
	}
	if (S_ISLNK(st->st_mode)) {
		compare_link(v, f, dirfd, name, text);
		return 0;
	}
	compare_mode(v, f, st, text);
	return S_ISREG(st->st_mode) ? compare_content(v, f, dirfd, name, st, text) : 0;
}

/* The original of a file in whose place 1.3.x left a link to the host's: it lies in the folder. */
static int open_original(
	struct verify *v, int dirfd, const char *name, const char *path, char **ret_name, struct stat *st)
{
	autofree char *target = fs_readlink(dirfd, name), *encoded = NULL;
	autoclose int fd = -1;

	if (!target || !str_starts(target, HOST_FILES "/"))
		return -1;
	encoded = xasprintf("/%s", path);
	for (char *p = encoded; *p; p++)
		if (*p == '/')
			*p = '#';
	fd = fs_open(v->c->fd, ORIGINALS, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0 || fstatat(fd, encoded, st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	*ret_name = steal_ptr(&encoded);
	return steal_fd(&fd);
}

static bool is_closed(int dirfd, const char *name)
{
	return faccessat(dirfd, name, R_OK | X_OK, AT_EACCESS) < 0;
}

static int compare_node(struct verify *v, struct expect_node *node, int dirfd, const char *name,
	const char *path, const struct stat *st)
{
	auto_str text = STR_INIT;
	autofree char *original = NULL;
	autoclose int elsewhere = -1;
	struct stat moved = *st;
	bool skip = false;
	int r;

	if (S_ISLNK(st->st_mode))
		elsewhere = open_original(v, dirfd, name, path, &original, &moved);
	node->met = true;
	r = compare_file(
		v, node->file, elsewhere >= 0 ? elsewhere : dirfd, original ? original : name, &moved, &text);
	if (r < 0)
		return -1;
	if (r == 0 && S_ISDIR(st->st_mode) && is_closed(dirfd, name)) {
		add_part(&text, "cannot be looked into");
		skip = true;
	}
	if (r > 0 || skip)
		meet_all(node);
	if (text.len)
		tell_root(v, VERIFY_CHANGED, path, str_text(&text));
	return (r > 0 || skip) && S_ISDIR(st->st_mode) ? FS_WALK_SKIP : 0;
}

static int visit(int dirfd, const char *name, const char *path, const struct stat *st, void *arg)
{
	struct verify *v = arg;
	struct expect_node *node = expect_find(v->expect, path);

	if (sig_interrupted())
		return err_make(&v->err, ERR_SYSTEM, "interrupted");
	if (v->gone)
		return -1;
	return node ? compare_node(v, node, dirfd, name, path, st) : tell_extra(v, dirfd, name, path, st);
}

/* ---- what ROOT does not have --------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *path_of(const struct expect_node *node)
{
	auto_strv parts = STRV_INIT;
	auto_str path = STR_INIT;

	for (; node->parent; node = node->parent)
		strv_add(&parts, node->name);
	for (size_t i = parts.n; i-- > 0;)
		str_addf(&path, "/%s", parts.v[i]);
	return str_steal(&path);
}

static void tell_missing(struct verify *v)
{
	struct expect_node *root = expect_root(v->expect), *e;
	auto_strv missing = STRV_INIT;

	for (e = expect_next(root, root, true); e; e = expect_next(root, e, e->met)) {
		autofree char *path = e->met ? NULL : path_of(e);

		if (path)
			strv_addf(&missing, "%s\n%s", path, type_text(type_of(e->file)));
	}
	if (missing.n)
		qsort(missing.v, missing.n, sizeof(*missing.v), compare_names);
	for (size_t i = 0; i < missing.n; i++) {
		char *text = strrchr(missing.v[i], '\n');

		*text = '\0';
		tell(v, VERIFY_MISSING, missing.v[i], text + 1);
	}
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------- */

static int compare_root(struct verify *v, int root_fd, struct err **err)
{
	struct stat st;
	auto_str text = STR_INIT;

	if (fstat(root_fd, &st) < 0)
		return err_sys(err, errno, "%s", v->c->root);
	compare_mode(v, expect_root(v->expect)->file, &st, &text);
	if (text.len)
		tell(v, VERIFY_CHANGED, "/", str_text(&text));
	if (fs_walk_sorted(root_fd, visit, v) < 0)
		return v->err ? err_move(err, &v->err) : err_sys(err, errno, "%s", v->c->root);
	tell_missing(v);
	return 0;
}

static int read_layers(struct verify *v, bool progress, struct err **err)
{
	struct unpack_source src = { .image = v->origin->image, .config = v->origin->config };
	struct unpack_options o = { .progress = progress, .expect = v->expect };
	struct unpack_stats stats;

	if (bundle_unpack(v->store, &src, -1, &o, &stats, err) == 0)
		return 0;
	if (!sig_interrupted())
		err_hint(err, "load or pull the image again; the container may be whole");
	return -1;
}

static int verify_all(struct verify *v, bool progress, struct err **err)
{
	autoclose int root =
		openat(v->c->fd, CONTAINER_ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (check_metadata(v, err) < 0)
		return -1;
	check_config(v);
	read_records(v);
	if (root < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return err_sys(err, errno, "%s", v->c->root);
	if (root < 0) {
		tell(v, VERIFY_MISSING, "/", "a directory");
		return 0;
	}
	if (read_layers(v, progress, err) < 0)
		return -1;
	return compare_root(v, root, err);
}

static int open_image(struct store *s, const struct container *c, struct origin *ret, struct err **err)
{
	autofree char *name = container_image_name(c->fd);
	auto_err *e = NULL;

	if (!*name) {
		err_make(err, ERR_CORRUPT,
			"container %s does not say which image it was made of: %s is missing or empty", c->id,
			CONTAINER_FILE_IMAGE);
		err_hint(err, "without an image there is nothing to compare it with");
		return -1;
	}
	if (origin_read(s, name, ret, &e) == 0)
		return 0;
	if (!err_is(e, ERR_NOT_FOUND) && !err_is(e, ERR_USAGE)) {
		err_move(err, &e);
		return -1;
	}
	err_make(err, ERR_NOT_FOUND, "container %s cannot be compared with its image %s: %s", c->id, name,
		err_text(e));
	err_hint(err, "%s",
		str_starts(name, "IMPORTED:") ? "it was imported and not made of an image"
					      : "load or pull it");
	return -1;
}

void verify_result_free(struct verify_result *r)
{
	free(r->image);
	*r = (struct verify_result){ 0 };
}

int bundle_verify(struct store *s, const char *container, bool progress, verify_report_fn *report, void *arg,
	struct verify_result *ret, struct err **err)
{
	auto_origin from = ORIGIN_INIT;
	auto_expect *expect = expect_new();
	auto_container *c = NULL;
	struct verify v = { .store = s, .report = report, .arg = arg, .ret = ret };
	auto_err *e = NULL;
	int r;

	if (container_open(s, container, &c, err) < 0)
		return -1;
	v.c = c;
	v.origin = &from;
	v.expect = expect;
	r = open_image(s, c, &from, &e);
	if (r == 0) {
		ret->image = xstrdup(from.image->name);
		r = verify_all(&v, progress, &e);
	}
	strv_free(&v.records);
	/* Whatever is wrong with one that is being removed is not what is to be said. */
	if (!sig_interrupted() && container_check_current(s, c, err) < 0)
		return -1;
	return r < 0 ? err_move(err, &e) : 0;
}
