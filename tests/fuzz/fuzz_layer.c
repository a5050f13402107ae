/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer as it comes from a stranger: any compression, any tar, applied to a directory of its own; or, behind a '!', several by recipe. A file
 * beside the directory must survive, what links lead to must not be reached, and all of it must go away again.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/archive/inflate.h"
#include "pkg/archive/layer.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "tests/fuzz/recipe.h"

static char top_path[512];
static int top = -1;

static void remove_top(void)
{
	(void)fs_rm_tree(AT_FDCWD, top_path, NULL);
}

static void make_top(void)
{
	autoclose int fd = -1;

	log_set_level(LOG_LEVEL_ERROR);
	snprintf(top_path, sizeof(top_path), "%s/fuzz_layer.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : host_tmpdir());
	if (!mkdtemp(top_path))
		abort();
	atexit(remove_top);
	top = open(top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(top, "dir", 0700) < 0)
		abort();
	fd = openat(top, "beside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, "mine", 4) < 0)
		abort();
}

static int apply(const void *p, size_t n, unsigned flags, int root)
{
	struct inflate_options o = { .what = "layer", .hash_plain = true, .limit = { .size = 4 << 20 } };
	const struct layer_options lo = { .keep_setid = flags & 1, .record_owner = flags & 2 };
	autoclose int fd = fd_anon("layer");
	struct layer_stats stats = { 0 };
	auto_inflate *in = NULL;
	auto_reader *r = NULL;
	auto_err *err = NULL;

	if (fd < 0 || fd_write_all(fd, p, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	if (inflate_start(fd, &o, &in, &err) < 0 || reader_open(in, "layer", &r, &err) < 0 ||
		layer_apply(r, root, &lo, &stats, &err) < 0 || inflate_finish(in, NULL, &err) < 0) {
		if (!err || strchr(err_text(err), '\n'))
			abort(); /* a failure without a reason, or of two lines */
		return -1;
	}
	return err ? (abort(), 0) : 0;
}

static void apply_recipe(const uint8_t *data, size_t size, int root)
{
	auto_str whole = STR_INIT;
	struct recipe r;

	recipe_make(&r, data + 1, size - 1, &whole);
	for (size_t i = 0; i < r.n_inner; i++)
		if (apply(str_text(&r.inner[i]), r.inner[i].len, data[0], root) < 0)
			break;
	recipe_free(&r);
}

static void look_outside(void)
{
	struct stat st, dir;

	if (fstatat(top, "beside", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != 4 || st.st_nlink != 1 ||
		st.st_mode != (S_IFREG | 0600) || fstatat(top, "dir", &dir, AT_SYMLINK_NOFOLLOW) < 0 ||
		dir.st_mode != (S_IFDIR | 0700) || unlinkat(top, "dir", AT_REMOVEDIR) < 0 ||
		mkdirat(top, "dir", 0700) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int root = -1;

	if (top < 0)
		make_top();
	if (mkdirat(top, "ROOT", 0700) < 0)
		abort();
	root = openat(top, "ROOT", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		abort();
	/* '!' to '$': the lowest bits are the options. */
	if (size && data[0] >= '!' && data[0] <= '$')
		apply_recipe(data, size, root);
	else
		(void)apply(data, size, 0, root); /* any outcome */
	look_outside();
	if (fs_rm_tree(top, "ROOT", NULL) < 0)
		abort();
	return 0;
}
