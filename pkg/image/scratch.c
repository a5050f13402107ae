/* SPDX-License-Identifier: Apache-2.0 */
/* Scratch stores: made, and found again when their process was killed. */
#include "pkg/image/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/store/store.h"

#define PREFIX ".udocker-scratch-"
#define LOCK_NAME "lock"
#define YOUNG_S 60 /* it may not have its lock yet */

/* Ours, not new, and nobody holds its lock. */
static bool is_dead(int parent, const char *name)
{
	auto_lock lock = LOCK_INIT;
	autoclose int fd = fs_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, FS_BENEATH);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || time(NULL) - st.st_mtime < YOUNG_S)
		return false;
	return lock_try(&lock, fd, LOCK_NAME, LOCK_EXCLUSIVE, NULL) == 1 && lock.fd >= 0;
}

static void clean(int parent)
{
	auto_strv names = STRV_INIT;

	if (fs_list(parent, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.v[i], PREFIX) && is_dead(parent, names.v[i]))
			(void)fs_rm_tree(parent, names.v[i], NULL); /* or the next one does */
}

int scratch_open(struct scratch *s, struct err **err)
{
	const char *tmp = conf_str(CONF_TMPDIR);
	autofree char *top = NULL, *base = NULL;
	char random[13];
	autoclose int fd = -1;

	if (s->store)
		return 0;
	s->parent_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->parent_fd < 0)
		return err_sys(err, errno, "%s", tmp);
	clean(s->parent_fd);
	id_random_hex(random, 12);
	s->name = xasprintf(PREFIX "%s", random);
	if (mkdirat(s->parent_fd, s->name, 0700) < 0) {
		free(steal_ptr(&s->name));
		return err_sys(err, errno, "%s", tmp);
	}
	fd = fs_open(s->parent_fd, s->name, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (fd < 0)
		return err_sys(err, errno, "%s", tmp);
	if (lock_take(&s->lock, fd, LOCK_NAME, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	base = fs_fd_path(fd);
	if (!base)
		return err_sys(err, errno, "%s", tmp);
	top = path_join(base, "store");
	return store_open_at(top, &s->store, err);
}

void scratch_close(struct scratch *s)
{
	store_close(steal_ptr(&s->store));
	if (s->name)
		(void)fs_rm_tree(s->parent_fd, s->name, NULL); /* or the next one does */
	lock_release(&s->lock);
	free(steal_ptr(&s->name));
	base_autoclose(&s->parent_fd);
	s->parent_fd = -1;
}
