/* SPDX-License-Identifier: Apache-2.0 */
/* Each opens no more than it needs: a listing asks for a thousand containers. */
#include "pkg/bundle/facts.h"

#include <sys/stat.h>

#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

static int open_folder(struct store *s, const char *id)
{
	return fs_open(s->containers_fd, id, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
}

char *bundle_platform(struct store *s, const char *id)
{
	autoclose int fd = open_folder(s, id);
	auto_json *j = NULL;
	const char *os, *arch, *variant;

	if (fd < 0 || container_metadata(fd, &j, NULL) < 0)
		return xstrdup("unknown/unknown");
	os = json_str(json_get(j, "os"));
	arch = json_str(json_get(j, "architecture"));
	variant = json_str(json_get(j, "variant"));
	return xasprintf("%s/%s%s%s", os && *os ? os : "unknown", arch && *arch ? arch : "unknown",
		variant && *variant ? "/" : "", variant ? variant : "");
}

struct usage {
	dev_t dev;
	int64_t bytes;
};

static int add_usage(
	int dirfd UNUSED, const char *name UNUSED, const char *path UNUSED, const struct stat *st, void *arg)
{
	struct usage *u = arg;

	if (st->st_dev != u->dev)
		return FS_WALK_SKIP;
	/* A file of n names is met n times. */
	u->bytes += st->st_blocks * INT64_C(512) / (S_ISDIR(st->st_mode) ? 1 : (int64_t)st->st_nlink);
	return 0;
}

int64_t bundle_disk_usage(struct store *s, const char *id)
{
	autoclose int fd = open_folder(s, id);
	struct usage u = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	u.dev = st.st_dev;
	u.bytes = st.st_blocks * INT64_C(512);
	return fs_walk(fd, add_usage, &u) < 0 ? -1 : u.bytes;
}
