/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an engine archive from whoever offers it: entries are judged one by one and written flat, by their last name, as udocker 1.3.x does. */
#include "pkg/image/englib_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/archive/inflate.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"

#define TOP "udocker_dir/"
#define SUMS_MAX ((size_t)1 << 20)
#define VERSION_MAX 64
#define HASH_CHUNK ((size_t)128 << 10)

const char *const englib_part_names[ENGLIB_PARTS] = { "bin", "lib", "doc" };

struct unpacking {
	const char *what;
	const int *stage;
	struct reader *reader;
	uint64_t bytes;
	unsigned files;
};

void englib_archive_free(struct englib_archive *a)
{
	free(a->version);
	*a = ENGLIB_ARCHIVE_INIT;
}

uint64_t englib_version_number(const char *version)
{
	static const uint64_t factors[] = { 1000000, 1000, 1 };
	auto_strv parts = STRV_INIT;
	uint64_t sum = 0;

	strv_split(&parts, version, ".");
	for (size_t i = 0; i < parts.n && i < ARRAY_LEN(factors); i++) {
		uint64_t v = 0;

		if (num_parse_u64(parts.v[i], 1000000, &v) == 0)
			sum += v * factors[i];
	}
	return sum;
}

static int refuse(const struct unpacking *u, const char *name, const char *why, struct err **err)
{
	return err_make(err, ERR_CORRUPT, "%s: '%s' %s; nothing was installed", u->what, name, why);
}

/* An ordinary name that is not ours: those with a dot in front are. */
static bool is_file_name(const char *name)
{
	if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > NAME_MAX)
		return false;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* The part and the last name of a path in the archive: 1, 0 for what is not installed, -1 for what no honest archive holds. */
static int place(const struct unpacking *u, const char *path, enum englib_part *ret_part,
	const char **ret_name, struct err **err)
{
	const char *p = path;

	while (str_starts(p, "./"))
		p += 2;
	if (*p && !str_eq(p, ".") && !path_is_plain(p) &&
		(*p == '/' || str_starts(p, "../") || strstr(p, "/../") || str_eq(path_base(p), "..")))
		return refuse(u, path, "leads out of the archive", err);
	if (!str_starts(p, TOP))
		return 0;
	p += strlen(TOP);
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		size_t n = strlen(englib_part_names[part]);

		if (strncmp(p, englib_part_names[part], n) != 0 || p[n] != '/')
			continue;
		*ret_part = (enum englib_part)part;
		*ret_name = path_base(p);
		return 1;
	}
	return 0;
}

static int take_file(
	struct unpacking *u, int dirfd, const char *name, const struct reader_entry *e, struct err **err)
{
	/* As 1.3.x: what is in bin can be executed, and nobody else may write. */
	mode_t mode = (e->mode & 0755) | (dirfd == u->stage[ENGLIB_BIN] ? 0700 : 0600);
	autoclose int fd = -1;

	if ((uint64_t)e->size > ENGLIB_SIZE_MAX - u->bytes)
		return refuse(u, e->name, "is more than engines can be", err);
	u->bytes += (uint64_t)e->size;
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "write '%s'", name);
	if (reader_copy(u->reader, fd, err) < 0)
		return -1;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return err_sys(err, errno, "write '%s'", name);
	return 0;
}

/* Within one directory, by its last name. */
static int take_hard_link(
	struct unpacking *u, int dirfd, const char *name, const struct reader_entry *e, struct err **err)
{
	const char *target = "";
	enum englib_part part = ENGLIB_BIN;
	int r = place(u, e->link, &part, &target, err);

	if (r < 0)
		return -1;
	if (r == 0 || u->stage[part] != dirfd || !is_file_name(target) ||
		linkat(dirfd, target, dirfd, name, 0) < 0)
		return refuse(u, e->name, "is a link to nothing beside it", err);
	return 0;
}

static int take(struct unpacking *u, const struct reader_entry *e, struct err **err)
{
	enum englib_part part = ENGLIB_BIN;
	const char *name = "";
	int dirfd, r;

	if (e->type != READER_FILE && e->type != READER_DIR && e->type != READER_SYMLINK &&
		e->type != READER_HARDLINK)
		return refuse(u, e->name, "is neither a file nor a link", err);
	r = place(u, e->name, &part, &name, err);
	if (r <= 0 || e->type == READER_DIR)
		return r < 0 ? -1 : 0;
	if (!is_file_name(name))
		return refuse(u, e->name, "has a name that is not taken", err);
	if (++u->files > ENGLIB_FILES_MAX)
		return refuse(u, e->name, "is one file more than engines have", err);
	dirfd = u->stage[part];
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT) /* the last one of a name counts */
		return err_sys(err, errno, "write '%s'", name);
	if (e->type == READER_FILE)
		return take_file(u, dirfd, name, e, err);
	if (e->type == READER_HARDLINK)
		return take_hard_link(u, dirfd, name, e, err);
	if (!is_file_name(e->link))
		return refuse(u, e->name, "is a link out of its directory", err);
	return symlinkat(e->link, dirfd, name) < 0 ? err_sys(err, errno, "write '%s'", name) : 0;
}

static int unpack(struct unpacking *u, int fd, struct englib_archive *ret, struct err **err)
{
	auto_inflate *in = NULL;
	auto_reader *r = NULL;
	struct inflate_result result = { 0 };
	/* Headers and padding are little beside the files. */
	const struct inflate_options o = { .what = u->what,
		.hash_input = true,
		.limit = { .size = ENGLIB_SIZE_MAX + (ENGLIB_SIZE_MAX >> 4) } };

	if (inflate_start(fd, &o, &in, err) < 0 || reader_open(in, u->what, &r, err) < 0)
		return -1;
	u->reader = r;
	for (;;) {
		struct reader_entry e;
		int more = reader_next(r, &e, err);

		if (more == 0)
			break;
		if (more < 0 || take(u, &e, err) < 0)
			return -1;
		if (sig_interrupted())
			return err_sys(err, EINTR, "%s", u->what);
	}
	if (reader_rest(r, err) < 0 || inflate_finish(in, &result, err) < 0)
		return -1;
	memcpy(ret->digest, result.input_hex, sizeof(ret->digest));
	return 0;
}

static int read_version(const struct unpacking *u, char **ret, struct err **err)
{
	auto_str text = STR_INIT;

	if (fs_read(u->stage[ENGLIB_LIB], ENGLIB_VERSION, VERSION_MAX, &text, FS_BENEATH) < 0) {
		err_make(err, ERR_CORRUPT, "%s is no engine archive: it has no udocker_dir/lib/VERSION",
			u->what);
		return err_hint(err, "nothing was installed; name one in the layout of udocker-englib");
	}
	str_trim(&text);
	for (const char *p = str_text(&text); *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return refuse(u, "udocker_dir/lib/VERSION", "is no version", err);
	*ret = str_steal(&text);
	return 0;
}

/* ---- digests ---- */

static int digest_of_file(int fd, const char *name, char ret[SHA_HEX_MAX + 1], struct err **err)
{
	autofree char *buf = xmalloc(HASH_CHUNK);
	auto_sha *h = sha_begin(SHA_256, err);

	if (!h)
		return -1;
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, HASH_CHUNK);

		if (n < 0)
			return err_sys(err, errno, "read '%s'", name);
		if (n == 0)
			break;
		sha_update(h, buf, (size_t)n);
	}
	sha_finish(h, ret);
	return 0;
}

int englib_digest(int dirfd, const char *name, char ret[SHA_HEX_MAX + 1], struct err **err)
{
	autofree char *target = NULL;
	autoclose int fd = -1;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "look at '%s'", name);
	if (S_ISLNK(st.st_mode)) {
		target = fs_readlink(dirfd, name);
		return target ? sha_buffer(SHA_256, target, strlen(target), ret, err)
			      : err_sys(err, errno, "read '%s'", name);
	}
	if (!S_ISREG(st.st_mode))
		return err_make(err, ERR_EXISTS, "'%s' is neither a file nor a link", name);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "read '%s'", name);
	return digest_of_file(fd, name, ret, err);
}

int englib_archive_list(const int stage[ENGLIB_PARTS], struct strv *ret, struct err **err)
{
	for (int part = 0; part < ENGLIB_PARTS; part++) {
		auto_strv names = STRV_INIT;

		if (fs_list(stage[part], ".", &names) < 0)
			return err_sys(err, errno, "read the staged engines");
		for (size_t i = 0; i < names.n; i++) {
			char hex[SHA_HEX_MAX + 1];

			if (names.v[i][0] == '.')
				continue;
			if (englib_digest(stage[part], names.v[i], hex, err) < 0)
				return -1;
			strv_addf(ret, "%s  %s/%s", hex, englib_part_names[part], names.v[i]);
		}
	}
	return 0;
}

static bool is_link(const int stage[ENGLIB_PARTS], const char *path)
{
	struct stat st;

	for (int part = 0; part < ENGLIB_PARTS; part++) {
		size_t n = strlen(englib_part_names[part]);

		if (strncmp(path, englib_part_names[part], n) == 0 && path[n] == '/')
			return fstatat(stage[part], path + n + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			       S_ISLNK(st.st_mode);
	}
	return false;
}

/* What the archive says of itself: every file but the list is in it, and is what it says; nothing in it is missing. */
static int check_sums(const struct unpacking *u, struct err **err)
{
	static const char self[] = "doc/" ENGLIB_SUMS;
	auto_strv have = STRV_INIT, want = STRV_INIT;
	auto_str text = STR_INIT;

	if (fs_read(u->stage[ENGLIB_DOC], ENGLIB_SUMS, SUMS_MAX, &text, FS_BENEATH) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: " ENGLIB_SUMS, u->what);
	if (englib_archive_list(u->stage, &have, err) < 0)
		return -1;
	strv_split(&want, str_text(&text), "\n");
	strv_sort(&want);
	for (size_t i = 0; i < have.n; i++) {
		const char *space = strstr(have.v[i], "  "), *path = space ? space + 2 : "";

		if (!str_eq(path, self) && !is_link(u->stage, path) && !strv_has(&want, have.v[i]))
			return refuse(u, path, "is not what its " ENGLIB_SUMS " says", err);
	}
	for (size_t i = 0; i < want.n; i++)
		if (!strv_has(&have, want.v[i]))
			return refuse(u, want.v[i], "is in its " ENGLIB_SUMS " alone", err);
	return 0;
}

int englib_archive_stage(
	int fd, const char *what, const int stage[ENGLIB_PARTS], struct englib_archive *ret, struct err **err)
{
	struct unpacking u = { .what = what, .stage = stage };

	if (unpack(&u, fd, ret, err) < 0 || read_version(&u, &ret->version, err) < 0 ||
		check_sums(&u, err) < 0)
		return -1;
	for (int part = 0; part < ENGLIB_PARTS; part++)
		if (fs_sync_dir(stage[part]) < 0)
			return err_sys(err, errno, "%s", what);
	return 0;
}
