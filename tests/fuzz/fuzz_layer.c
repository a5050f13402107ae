/* SPDX-License-Identifier: Apache-2.0 */
/* A layer as it comes from a stranger: any compression, any tar, applied to a directory of its own. A file beside it must survive. */
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
	snprintf(top_path, sizeof(top_path), "%s/fuzz_layer.XXXXXX", host_tmpdir());
	if (!mkdtemp(top_path))
		abort();
	atexit(remove_top);
	top = open(top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(top, "beside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, "mine", 4) < 0)
		abort();
}

static void apply(int fd, int root)
{
	struct inflate_options o = { .what = "layer", .hash_plain = true, .limit = { .size = 4 << 20 } };
	struct layer_stats stats = { 0 };
	auto_inflate *in = NULL;
	auto_reader *r = NULL;
	auto_err *err = NULL;

	if (inflate_start(fd, &o, &in, &err) < 0 || reader_open(in, "layer", &r, &err) < 0 ||
		layer_apply(r, root, NULL, &stats, &err) < 0 || inflate_finish(in, NULL, &err) < 0)
		if (!err)
			abort(); /* a failure without a reason */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int fd = fd_anon("layer"), root = -1;
	struct stat st;

	if (top < 0)
		make_top();
	if (mkdirat(top, "ROOT", 0700) < 0)
		abort();
	root = openat(top, "ROOT", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	apply(fd, root);
	if (fstatat(top, "beside", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != 4 || st.st_nlink != 1 ||
		st.st_mode != (S_IFREG | 0600))
		abort(); /* it reached outside */
	if (fs_rm_tree(top, "ROOT", NULL) < 0)
		abort();
	return 0;
}
