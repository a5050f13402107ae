/* SPDX-License-Identifier: Apache-2.0 */
/* load and import on archives that other tools wrote: names, replacing, and nothing left of what failed. */
#include "pkg/image/load.h"

#include "pkg/base/fd.h"
#include "pkg/base/progress.h"
#include "pkg/image/import.h"
#include "pkg/store/fsck.h"
#include "tests/unit/storetest.h"

#define DOCKER "tests/fixtures/bb-docker.tar.xz"
#define OCI "tests/fixtures/bb-oci.tar.xz"

static int load(struct store *s, const char *file, const char *name, struct strv *names, struct err **err)
{
	const struct load_options o = { .what = file, .name = name };
	autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : load_images(s, fd, &o, names, err);
}

static void ignore(enum fsck_state state UNUSED, enum fsck_part part UNUSED, const char *what UNUSED,
	const char *text UNUSED, void *arg UNUSED)
{
}

static bool is_whole(struct store *s, const char *ref)
{
	auto_image *img = NULL;

	return image_open(s, ref, &img, NULL) == 0 && fsck_image(s, img, ignore, NULL, NULL) == 0;
}

static size_t count(int dirfd)
{
	auto_strv names = STRV_INIT;

	fs_list(dirfd, ".", &names);
	return names.n;
}

static void test_names(struct store *s)
{
	auto_strv names = STRV_INIT;
	auto_err *e = NULL;

	ok(load(s, DOCKER, NULL, &names, NULL) == 0 && names.n == 1, "skopeo's docker archive");
	is_str(names.v[0], "docker.io/example/bb:1.0", "its own name");
	ok(is_whole(s, "docker.io/example/bb:1.0"), "is whole");
	ok(load(s, DOCKER, "mine", &names, NULL) == 0, "with a name");
	is_str(names.v[1], "mine:1.0", "the tag is kept");
	ok(load(s, DOCKER, "mine:2", &names, NULL) == 0, "with name and tag");
	is_str(names.v[2], "mine:2", "both are taken");
	ok(load(s, OCI, NULL, &names, NULL) == 0, "skopeo's OCI archive");
	is_str(names.v[3], "loaded/17dd910ad1cb:latest", "that nobody named");
	ok(is_whole(s, names.v[3]), "is whole");
	ok(load(s, OCI, "a b", &names, &e) < 0 && err_is(e, ERR_USAGE), "a bad name");
	is_int(names.n, 4, "gives none");
}

static void test_same_layers(struct store *s)
{
	size_t before = count(s->layers_fd);
	auto_strv names = STRV_INIT;

	ok(load(s, OCI, "again:1", &names, NULL) == 0, "the same image under another name");
	is_int(count(s->layers_fd), before, "adds no blobs");
	is_int(count(s->top_fd), 9, "and no files but the locks and the empty .stage");
}

static void test_bad(struct store *s)
{
	static const char *const files[] = { "tests/fixtures/README.md", "tests/fixtures/c1-export.tar.xz",
		"tests/fixtures", "/dev/null" };
	size_t before = count(s->layers_fd);

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_strv names = STRV_INIT;
		auto_err *e = NULL;

		ok(load(s, files[i], NULL, &names, &e) < 0 && e, "%s: %s", files[i],
			e ? err_text(e) : "loaded");
	}
	is_int(count(s->layers_fd), before, "they leave nothing");
}

static void test_import(struct store *s)
{
	const struct import_options o = { .what = "export", .ref = "im/ported" };
	autoclose int fd = open("tests/fixtures/c1-export.tar.xz", O_RDONLY | O_CLOEXEC);
	autofree char *name = NULL, *none = NULL;
	auto_err *e = NULL;

	ok(import_image(s, fd, &o, &name, NULL) == 0, "what 1.3.x exported is imported");
	is_str(name, "im/ported:latest", "its name");
	ok(is_whole(s, name), "is whole");
	lseek(fd, 0, SEEK_SET);
	ok(import_image(s, fd, &o, &none, &e) < 0 && err_is(e, ERR_EXISTS), "not over another");
}

int main(void)
{
	auto_store *s = NULL;

	progress_set_mode(PROGRESS_NONE);
	test_begin();
	test_use("load");
	s = test_open(STORE_WRITE);
	test_names(s);
	test_same_layers(s);
	test_bad(s);
	test_import(s);
	test_end();
	return tap_done();
}
