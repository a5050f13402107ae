/* SPDX-License-Identifier: Apache-2.0 */
/* Where an engine's executable is: the setting, PATH, bindir (udocker-compat 7.1), the release. Nothing is run here, no shell is asked. */
#ifndef UDOCKER_FIND_H
#define UDOCKER_FIND_H

#include "pkg/base/base.h"
#include "pkg/conf/conf.h"

/* Beside our programs: the folder with bin and lib of the engines that a release came with. */
#define FIND_SHIPPED "engines"

struct find_rule {
	enum conf_key
		setting; /* CONF_USE_PROOT_EXECUTABLE: a path, a name in PATH, "" or "UDOCKER" (what is bundled only) */
	const char *const *names; /* in PATH; NULL-terminated */
	const char *const
		*bundled; /* in bindir: "%" stands for udocker's name of the architecture; NULL-terminated */
	/* Is a path of the setting, by its base name, this engine's? The setting of runc also serves crun. NULL: always. */
	bool (*is_ours)(const char *base);
};

/*
 * The absolute path of the executable; the caller frees it. NULL when there is none: then *ret_why (caller frees) says where was looked,
 * in one line. PATH is the caller's, or a sane default where it is unset, and the sbin folders after it: Debian's runc lies there.
 */
char *find_executable(const struct find_rule *rule, char **ret_why);

/* udocker's architecture name for a uname -m string: "x86_64", "x86", "arm64", "armhf" …; unknown ones as they are. */
const char *find_arch_name(const char *machine);

/* The search path that find_executable() uses, for the environment of engines; the caller frees it. */
char *find_path(void);

#endif
