/* SPDX-License-Identifier: Apache-2.0 */
/* Taking back the mount point of apt's configuration; see engines/fake_root.h. */
#include "pkg/runtime/tidy.h"

#include "engines/fake_root.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/runtime/root.h"
#include "pkg/runtime/state.h"

static bool uses(const struct runtime_root *root, const char *id, const char *rootfs)
{
	auto_instance c = INSTANCE_INIT;

	return instance_open(root, id, &c, NULL) == 0 && str_eq(c.rec.rootfs, rootfs) &&
	       fs_exists(c.dirfd, FAKE_ROOT_DIR);
}

void tidy_rootfs(const struct runtime_root *root, const struct instance *c)
{
	auto_strv ids = STRV_INIT;
	autoclose int rootfs = -1;

	if (!c->rec.delegate || !c->rec.rootfs || instance_is_foreign(c) ||
		!fs_exists(c->dirfd, FAKE_ROOT_DIR) || runtime_root_list(root, &ids, NULL) < 0)
		return;
	for (size_t i = 0; i < ids.n; i++)
		if (!str_eq(ids.v[i], c->id) && uses(root, ids.v[i], c->rec.rootfs))
			return;
	rootfs = open(c->rec.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfs >= 0)
		fake_root_clean(rootfs);
}
