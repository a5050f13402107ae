/* SPDX-License-Identifier: Apache-2.0 */
/* What a container of runc or crun would leave in its root file system: the mount point of a file that was not there before. */
#ifndef UDOCKER_RUNTIME_TIDY_H
#define UDOCKER_RUNTIME_TIDY_H

struct instance;
struct runtime_root;

/*
 * Remove it, unless another container of this state root runs on the same root file system: removing a mount point takes the
 * mount from all who have it. The container's processes have ended, its directory is still there. Never an error.
 */
void tidy_rootfs(const struct runtime_root *root, const struct instance *c);

#endif
