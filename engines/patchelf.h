/* SPDX-License-Identifier: Apache-2.0 */
/* patchelf, a program of the host or of the engine tarball: found and run. Only what every version of it knows is asked of it. */
#ifndef UDOCKER_PATCHELF_H
#define UDOCKER_PATCHELF_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct strv;

/* Its absolute path, caller frees; NULL with ERR_ENGINE when there is none. */
char *patchelf_find(struct err **err);

/*
 * Change a file in place. It is of a container, and not trusted: patchelf gets a bounded time, address space and file size. ERR_ENGINE when it
 * fails; what the file is then is not known.
 */
int patchelf_run(
	const char *patchelf, const struct strv *options, const char *file, off_t size, struct err **err);

/* Is it udocker's own, which libraries of F4 call for new programs? Read from the file. */
bool patchelf_has_prefixes(const char *patchelf);

#endif
