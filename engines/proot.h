/* SPDX-License-Identifier: Apache-2.0 */
/* PRoot, modes P1 (with its seccomp acceleration) and P2 (without): what a probe of it can find. */
#ifndef UDOCKER_PROOT_H
#define UDOCKER_PROOT_H

#include "engines/engine.h"

/* engine_probe.flags of this engine. */
enum proot_flags {
	PROOT_ACCELERATED = 1, /* built with seccomp acceleration */
	PROOT_LINK2SYMLINK = 4, /* --link2symlink */
	PROOT_CHANGE_ID = 8, /* --change-id=UID:GID */
	PROOT_CHANGE_ID_I = 16, /* the same as -i UID:GID */
	PROOT_PORT = 32, /* -p CPORT:HPORT, udocker's fork */
	PROOT_NETCOOP = 64, /* -n, udocker's fork */
	PROOT_NEW_SECCOMP = 128, /* works here with PROOT_NEW_SECCOMP=1 alone */
	PROOT_NO_SECCOMP = 256, /* works here with PROOT_NO_SECCOMP=1 alone */
	PROOT_KERNEL = 512, /* -k does not break fstat() of newer guests, as 5.1.0 does */
	PROOT_LOADER = 1024, /* works here with a kept copy of its loader (proot_loader.h) */
};

extern const struct engine engine_proot;

#endif
