/* SPDX-License-Identifier: Apache-2.0 */
/* `setup --fixperm` (udocker-compat 7.7): what programs with subordinate ids (subuid(5)) have left in ROOT becomes the caller's. */
#ifndef UDOCKER_BUNDLE_FIXPERM_H
#define UDOCKER_BUNDLE_FIXPERM_H

#include "pkg/base/base.h"

struct err;

/*
 * Give all below rootfd to the caller, through a user namespace with his subordinate ids where something is not his, and modes with which he
 * gets everywhere: u+rwx for directories, for files u+rw and of the other bits no more than 0755. Links are not followed. Root is kept out by
 * no mode and leaves owners as they are. ERR_DENIED, naming the first, when something belongs to others still; ERR_UNSUPPORTED when something
 * would have to be given over and this machine has not what it takes. Can be repeated.
 */
int bundle_fixperm(int rootfd, struct err **err);

#endif
