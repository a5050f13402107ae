/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image archive from a stranger, or behind a '!' one by recipe: whatever it holds, load stores whole images under safe names, or nothing.
 * What it stored is listed, verified, made a container of and removed again, and then the store must be empty.
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
#include "pkg/bundle/create.h"
#include "pkg/conf/conf.h"
#include "pkg/image/load.h"
#include "pkg/store/containers.h"
#include "pkg/store/fsck.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"
#include "tests/fuzz/recipe.h"

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
	if (conf_load(NULL, NULL) < 0 || conf_set(CONF_TOPDIR, top, NULL) < 0 ||
		conf_set_unpack_limits("16M", "0", NULL) < 0)
		abort();
}

static void count(enum fsck_state state UNUSED, enum fsck_part part UNUSED, const char *what UNUSED,
	const char *text UNUSED, void *arg UNUSED)
{
}

/* Its layers may be anything; a container is there or it is not. */
static void make_container(struct store *s, const char *name)
{
	const struct bundle_create_options o = { .no_sync = true };
	auto_err *err = NULL;
	autofree char *id = NULL;

	if (bundle_create(s, name, &o, &id, &err) == 0) {
		if (container_remove(s, id, NULL) < 0)
			abort();
	} else if (!err || strchr(err_text(err), '\n')) {
		abort();
	}
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
		if (i == 0)
			make_container(s, names->v[i]);
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

static void load(const void *p, size_t n)
{
	const struct load_options o = { .what = "archive" };
	autoclose int fd = fd_anon("archive");
	auto_strv names = STRV_INIT;
	auto_store *s = NULL;
	auto_err *err = NULL;

	if (fd < 0 || fd_write_all(fd, p, n) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		store_open(STORE_WRITE, &s, NULL) < 0)
		abort();
	if (load_images(s, fd, &o, &names, &err) < 0 && (names.n || !err || strchr(err_text(err), '\n')))
		abort();
	check_and_remove(s, &names);
	if (!is_empty(s->layers_fd) || !is_empty(s->repos_fd) || !is_empty(s->containers_fd))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!top)
		prepare();
	if (size && data[0] == '!') {
		auto_str tar = STR_INIT;
		struct recipe r;

		recipe_make(&r, data + 1, size - 1, &tar);
		load(str_text(&tar), tar.len);
		recipe_free(&r);
	} else {
		load(data, size);
	}
	return 0;
}
