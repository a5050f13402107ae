/* SPDX-License-Identifier: Apache-2.0 */
/* Installing engines from an engine archive, a file or a URL that the caller names or the setting `tarball` does. */
#ifndef UDOCKER_IMAGE_ENGLIB_INSTALL_H
#define UDOCKER_IMAGE_ENGLIB_INSTALL_H

#include "pkg/base/base.h"

struct err;

struct englib_install_options {
	const char
		*from; /* NULL: the setting `tarball`, its places in turn, as often as `installretry` says */
	const char *proxy; /* NULL: the setting, else the environment */
	bool again; /* also when engines of a sufficient version are installed */
	bool force; /* the same, and whatever version it is */
};

/*
 * Nothing happens where engines of the version tarball_release or later are installed, unless `from`, `again` or `force` says so. An archive whose digest is
 * known must have it (FIX-50). What fails leaves the installed engines as they were. *ret_version is what was installed, or NULL: nothing was;
 * the caller frees.
 */
int englib_install(const struct englib_install_options *o, char **ret_version, struct err **err);

/* The digest that the archive of a file name or URL must have, by its last name; NULL when none is known. */
const char *englib_known_digest(const char *from);

#endif
