/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files without a name, or with one for a moment. */
#include "pkg/image/save_temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/conf/conf.h"

int save_temporary(int dirfd, const char *what, struct err **err)
{
	const char *dir = dirfd < 0 ? conf_str(CONF_TMPDIR) : ".";
	autoclose int at = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_atomic file = ATOMIC_INIT;
	int fd;

	if (dirfd < 0)
		what = dir;
	if (at < 0)
		return err_sys(err, errno, "%s", what);
	fd = openat(at, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* A file system without nameless files: one with a name, for a moment. */
	if (atomic_begin(&file, at, "layer", 0600, err) < 0)
		return err_add(err, "%s", what);
	fd = fd_dup(file.fd);
	return fd < 0 ? err_sys(err, errno, "%s", what) : fd;
}
