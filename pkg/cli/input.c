/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/cli/input.h"

#include <errno.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/term.h"

int input_open(const char *file, const char **ret_what, struct err **err)
{
	int fd;

	if (!file || str_eq(file, "-")) {
		*ret_what = "standard input";
		if (term_is_tty(STDIN_FILENO)) {
			err_make(err, ERR_USAGE, "the standard input is a terminal");
			return err_hint(err, "name a file, or pipe an archive in");
		}
		fd = fd_dup(STDIN_FILENO);
	} else {
		*ret_what = file;
		/* The writer of a pipe may come late: an interrupt ends the wait. */
		do
			fd = open(file, O_RDONLY | O_CLOEXEC);
		while (fd < 0 && errno == EINTR && !sig_interrupted());
	}
	return fd < 0 ? err_sys(err, errno, "%s", *ret_what) : fd;
}

void input_remove(const char *file, int fd)
{
	struct stat named, open;

	if (stat(file, &named) < 0 || fstat(fd, &open) < 0 || named.st_ino != open.st_ino ||
		named.st_dev != open.st_dev) {
		log_warning("%s stays: it is not the file that was read", file);
		return;
	}
	if (unlink(file) < 0)
		log_warning("%s stays: %s", file, strerror(errno));
}
