/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that a container's programs are for, and the emulator of qemu-user that runs them on this one. */
#ifndef UDOCKER_GUEST_MACHINE_H
#define UDOCKER_GUEST_MACHINE_H

#include "pkg/base/base.h"

/*
 * The name that qemu-user gives the machine of ROOT's programs ("aarch64"), as the first usual program found there says; static. NULL: this
 * machine's, one that this kernel runs itself (32 bits of its own kind), or not known.
 */
const char *guest_machine_foreign(const char *rootfs);

/* qemu-NAME-static or qemu-NAME on PATH; caller frees. NULL: neither. */
char *guest_machine_emulator(const char *name);

#endif
