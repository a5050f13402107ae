/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image archive from a stranger: whatever it holds, load stores whole images under safe names, or nothing. What it stored is listed,
 * verified and removed again, and then the store must be empty.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/id.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/image/load.h"
#include "pkg/store/fsck.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *top;

static void remove_top(void)
{
	(void)fs_rm_tree(AT_FDCWD, top, NULL);
	free(top);
}

/* A new store for each process, in memory where there is such a place: every blob is synced. */
static void prepare(void)
{
	char id[17];

	log_set_level(LOG_LEVEL_ERROR);
	progress_set_mode(PROGRESS_NONE);
	id_random_hex(id, 16);
	top = xasprintf("%s/udocker-fuzz-%s", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : host_tmpdir(), id);
	atexit(remove_top);
	if (conf_load(NULL, NULL) < 0 || conf_set(CONF_TOPDIR, top, NULL) < 0)
		abort();
}

static void count(enum fsck_state state UNUSED, bool is_config UNUSED, const char *what UNUSED,
	const char *text UNUSED, void *arg UNUSED)
{
}

static void check_and_remove(struct store *s, const struct strv *names)
{
	auto_image_list l = { 0 };

	if (image_list(s, IMAGE_LIST_DETAILS, &l, NULL) < 0 || l.n != names->n)
		abort();
	for (size_t i = 0; i < names->n; i++) {
		auto_image *img = NULL;

		if (image_open(s, names->v[i], &img, NULL) < 0 || fsck_image(s, img, count, NULL, NULL) != 0)
			abort();
	}
	for (size_t i = 0; i < names->n; i++)
		if (image_remove(s, names->v[i], NULL, NULL) < 0)
			abort();
}

static bool is_empty(int dirfd)
{
	auto_strv names = STRV_INIT;

	return fs_list(dirfd, ".", &names) == 0 && names.n == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct load_options o = { .what = "archive" };
	auto_strv names = STRV_INIT;
	auto_store *s = NULL;
	autoclose int fd = fd_anon("archive");

	if (!top)
		prepare();
	if (fd < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		store_open(STORE_WRITE, &s, NULL) < 0)
		abort();
	if (load_images(s, fd, &o, &names, NULL) < 0 && names.n)
		abort();
	check_and_remove(s, &names);
	if (!is_empty(s->layers_fd) || !is_empty(s->repos_fd))
		abort();
	return 0;
}
