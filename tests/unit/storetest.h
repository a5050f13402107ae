/* SPDX-License-Identifier: Apache-2.0 */
/* A store of its own for a unit test: a fresh directory below TMPDIR, settings pointed at it, and the store that 1.3.16 wrote. */
#ifndef UDOCKER_STORETEST_H
#define UDOCKER_STORETEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/id.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"
#include "tests/unit/tap.h"

static char *test_dir;

static inline void test_begin(void)
{
	char id[17];

	log_set_level(LOG_LEVEL_ERROR);
	id_random_hex(id, 16);
	test_dir = xasprintf("%s/udocker-test-%s", host_tmpdir(), id);
	ok(mkdir(test_dir, 0700) == 0, "test directory");
	ok(conf_load(NULL, NULL) == 0, "settings");
}

static inline void test_end(void)
{
	(void)fs_rm_tree(AT_FDCWD, test_dir, NULL);
	free(test_dir);
}

/* Point the settings at <test_dir>/<name>. */
static inline void test_use(const char *name)
{
	autofree char *top = path_join(test_dir, name);

	ok(conf_set(CONF_TOPDIR, top, NULL) == 0, "store at %s", name);
}

static inline struct store *test_open(enum store_mode mode)
{
	struct store *s = NULL;
	auto_err *e = NULL;

	if (store_open(mode, &s, &e) < 0)
		printf("# store: %s\n", err_text(e));
	return s;
}

/* A relative path from the working directory: the fixtures belong to the source tree. */
static inline bool test_untar(const char *archive, const char *dir)
{
	const char *const words[] = { "tar", "-C", dir, "-xf", archive, "--no-same-owner", NULL };
	struct proc_spawn p = PROC_SPAWN_INIT;
	auto_strv argv = STRV_INIT;
	int status = -1;
	pid_t pid;

	p.path = "/bin/tar";
	strv_add_all(&argv, words);
	p.argv = strv_argv(&argv);
	return proc_spawn(&p, &pid, NULL) == 0 && proc_wait(pid, &status, NULL) == 0 && status == 0;
}

/* The store of 1.3.16 as <test_dir>/.udocker. */
static inline bool test_fixture_store(void)
{
	bool r = test_untar("tests/fixtures/store-1.3.16.tar.xz", test_dir);

	test_use(".udocker");
	return ok(r, "the store of 1.3.16 is unpacked");
}

static inline char *test_blob(struct store *s, const char *text)
{
	char *digest = NULL;

	return layer_put(s, text, strlen(text), NULL, &digest, NULL) < 0 ? NULL : digest;
}

/* The text of an OCI manifest over blobs that test_blob() made. */
static inline char *test_manifest(const char *config, const char *layer1, const char *layer2)
{
	struct str t = STR_INIT;

	str_addf(&t,
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
		"vnd.oci.image.config.v1+json\",\"digest\":\"%s\","
		"\"size\":2},\"layers\":[{\"mediaType\":\"application/"
		"vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":2}",
		config, layer1);
	if (layer2)
		str_addf(&t,
			",{\"mediaType\":\"application/"
			"vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":2}",
			layer2);
	str_add(&t, "]}");
	return str_steal(&t);
}

static inline bool test_exists(const char *path)
{
	autofree char *full = path_join(test_dir, path);
	struct stat st;

	return lstat(full, &st) == 0;
}

#endif
