/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the host, resolved. */
#include "engines/host_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

/* Without /proc only directories can say where they are: of the one that it lies in. */
static char *by_directory(const char *path)
{
	autofree char *dir = path_dir(path), *plain = NULL;
	autoclose int fd = open(dir, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && lstat(path, &st) == 0 && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode))
		plain = fs_fd_path(fd);
	return plain ? path_join(plain, path_base(path)) : NULL;
}

char *host_path_canonical(const char *path)
{
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	char *plain = fd < 0 ? NULL : fs_fd_path(fd);

	return plain || fd < 0 ? plain : by_directory(path);
}

static bool is_one_of(const struct stat *st, const struct strv *tops)
{
	struct stat top;

	for (size_t i = 0; i < tops->n; i++)
		if (stat(tops->v[i], &top) == 0 && top.st_dev == st->st_dev && top.st_ino == st->st_ino)
			return true;
	return false;
}

bool host_path_is_within(const char *path, const struct strv *tops)
{
	autofree char *at = host_path_canonical(path);
	struct stat st;

	while (at && stat(at, &st) == 0) {
		char *up;

		if (is_one_of(&st, tops))
			return true;
		if (str_eq(at, "/"))
			break;
		up = path_dir(at);
		free(at);
		at = up;
	}
	return false;
}
