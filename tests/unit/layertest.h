/* SPDX-License-Identifier: Apache-2.0 */
/* Layers made in memory and applied to a ROOT of the test's own, beside a file that must stay as it is. */
#ifndef UDOCKER_TEST_LAYERTEST_H
#define UDOCKER_TEST_LAYERTEST_H

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "pkg/archive/inflate.h"
#include "pkg/archive/layer.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/mktar.h"
#include "tests/unit/tap.h"

static int top = -1, root = -1;
static char top_path[256];
static struct layer_stats stats;

static inline void fresh_root(void)
{
	if (root >= 0)
		close(root);
	fs_rm_tree(top, "ROOT", NULL);
	mkdirat(top, "ROOT", 0755);
	root = openat(top, "ROOT", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int apply_with(struct str *tar, const struct layer_options *o, struct err **err)
{
	autoclose int fd = fd_anon("layer");
	auto_inflate *in = NULL;
	auto_reader *r = NULL;

	fd_write_all(fd, tar->data, tar->len);
	lseek(fd, 0, SEEK_SET);
	stats = (struct layer_stats){ 0 };
	if (inflate_start(fd, &(struct inflate_options){ .what = "layer" }, &in, err) < 0 ||
		reader_open(in, "layer", &r, err) < 0)
		return -1;
	return layer_apply(r, root, o, &stats, err);
}

/* Ends the archive, applies it and frees it. */
static inline bool applies(struct str *tar)
{
	auto_err *err = NULL;
	int r;

	tar_end(tar);
	r = apply_with(tar, NULL, &err);
	str_free(tar);
	if (r < 0)
		printf("# %s\n", err_text(err));
	return r == 0;
}

static inline void refused(struct str *tar, const char *text, const char *name)
{
	auto_err *err = NULL;
	int r;

	tar_end(tar);
	r = apply_with(tar, NULL, &err);
	str_free(tar);
	ok(r < 0 && err_is(err, ERR_CORRUPT), "%s: refused", name);
	if (!ok(err && strstr(err_text(err), text), "%s: says '%s'", name, text))
		printf("#  got: %s\n", err ? err_text(err) : "no error");
}

static inline struct stat stat_of(const char *path)
{
	struct stat st = { 0 };

	fs_lstat(root, path, &st, FS_IN_ROOT);
	return st;
}

static inline bool there(const char *path)
{
	return stat_of(path).st_mode != 0;
}

static inline bool holds(const char *path, const char *text)
{
	auto_str s = STR_INIT;

	return fs_read(root, path, 1 << 20, &s, FS_BENEATH) == 0 && strcmp(str_text(&s), text) == 0;
}

static inline bool has_mode(const char *path, mode_t mode)
{
	mode_t got = stat_of(path).st_mode & 07777;

	if (got != mode)
		printf("# mode of %s is %04o\n", path, got);
	return got == mode;
}

/* The test's directory with `out` beside ROOT, under a umask that would hurt. */
static inline bool layertest_begin(const char *name)
{
	autoclose int fd = -1;

	snprintf(top_path, sizeof(top_path), "%s/%s.XXXXXX", host_tmpdir(), name);
	if (!mkdtemp(top_path))
		return false;
	top = open(top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(top, "out", 0755);
	fd = openat(top, "out/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	if (fd_write_all(fd, "mine", 4) < 0 || fchmod(fd, 0640) < 0)
		return false;
	umask(077);
	return true;
}

static inline int layertest_end(void)
{
	close(root);
	close(top);
	fs_rm_tree(AT_FDCWD, top_path, NULL);
	return tap_done();
}

#endif
