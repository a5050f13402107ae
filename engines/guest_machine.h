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

/* The same, and also 32 bits of this machine's own kind. */
const char *guest_machine_other(const char *rootfs);

/* qemu-NAME-static or qemu-NAME on PATH; caller frees. NULL: neither. */
char *guest_machine_emulator(const char *name);

/*
 * Does the kernel hand programs of this machine to an emulator (binfmt_misc)? Where ret is not NULL it gets the path of one of qemu-user that is here,
 * or NULL; caller frees.
 */
bool guest_machine_handler(const char *name, char **ret);

struct strv;
/* For engines whose programs the kernel starts: a note where it cannot. `traced`: by PRoot within, which is given no emulator. */
void guest_machine_note(const char *rootfs, bool traced, struct strv *notes);

#endif
