/* SPDX-License-Identifier: Apache-2.0 */
/* Fakechroot: whether there is a library for it, and what it answers for each property of config.json. */
#include "engines/fakechroot.h"

#include <pthread.h>

#include "engines/direct_answers.h"
#include "engines/guest_root.h"
#include "engines/patchelf.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer fakechroot_answers[] = {
	DIRECT_ANSWERS_COMMON,
	{ "root.path", ENGINE_EMULATES, "paths are translated where programs call the C library; static programs are refused" },
	{ "root.readonly", ENGINE_IGNORES, "the root file system stays writable" },
	{ "hostname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells the host's, as --strict says" },
	{ "domainname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells the host's, as --strict says" },
	{ "mounts.bind", ENGINE_EMULATES, "at another path than on the host a symbolic link in the root file system, or udocker's own library" },
	{ "mounts.readonly", ENGINE_IGNORES, "bind mounts stay writable" },
	{ "mounts.tmpfs", ENGINE_EMULATES, "the root file system's own directory; /dev and what lies below it are the host's" },
	{ "process.env", ENGINE_EMULATES, "the library adds variables of its own (FAKECHROOT_*, LD_PRELOAD)" },
	{ "process.args", ENGINE_EMULATES, "further programs get at most a thousand arguments" },
	{ "process.user.uid", ENGINE_IGNORES, "programs are the caller's" },
	{ "process.user.gid", ENGINE_IGNORES, "programs are the caller's" },
	{ "process.capabilities", ENGINE_EMULATES, "root's programs have no others (the bounding set); those of users have none" },
	{ "process.apparmorProfile", ENGINE_EMULATES, "entered before the program, where the kernel has AppArmor" },
	{ "process.selinuxLabel", ENGINE_EMULATES, "set before the program, where the kernel has SELinux" },
	{ "process.scheduler", ENGINE_APPLIES, NULL },
	{ "process.ioPriority", ENGINE_APPLIES, NULL },
	{ "linux.namespaces.user", ENGINE_IGNORES, "programs are the caller's" },
	{ "linux.namespaces.uts", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else uname() tells the host's, as --strict says" },
	{ "linux.uidMappings", ENGINE_IGNORES, "programs are the caller's" },
	{ "linux.gidMappings", ENGINE_IGNORES, "programs are the caller's" },
	{ "linux.seccomp", ENGINE_APPLIES, "the filter must allow what a loader calls before a program runs" },
	{ "linux.maskedPaths", ENGINE_IGNORES, "the host's stay visible" },
	{ "linux.readonlyPaths", ENGINE_IGNORES, "what the caller may write stays writable" },
	{ ENGINE_PUBLISH, ENGINE_IGNORES, "ports are not mapped: the program listens on the host's, at the number that it takes" },
	{ ENGINE_KERNEL, ENGINE_IGNORES, "uname() tells the host's release" },
	{ NULL, ENGINE_IGNORES, NULL },
};

static const struct engine_condition fakechroot_conditions[] = {
	DIRECT_CONDITIONS_NAMES,
	DIRECT_CONDITIONS_NAMESPACES,
	{ ENGINE_NEEDS_NAMESPACES, { NULL, ENGINE_IGNORES, NULL } },
};
/* clang-format on */

/* F3 and F4 take patchelf to set a container up, not to run it. What F4 promises more is a matter of library and patchelf. */
static void remark_patchelf(const struct guest_library *l, const char *mode, struct engine_probe *ret)
{
	auto_err *why = NULL;
	autofree char *patchelf = patchelf_find(&why);

	if (!patchelf) {
		ret->reason = xasprintf("no container can be set up for it: %s", err_text(why));
		ret->remedy = xstrdup(err_hint_text(why));
	} else if (mode[1] == '4' && !(l->has_patch && patchelf_has_prefixes(patchelf))) {
		ret->reason = xstrdup("neither libfakechroot nor patchelf is udocker's own: F4 is F3");
	}
}

/* guest_keep.c's library, without which a program that drops its environment would go on with the host's files. */
static bool has_keeper(struct engine_probe *ret)
{
	autofree char *path = NULL;

	if (proc_sibling_library(FAKECHROOT_KEEPER, &path, NULL) < 0) {
		ret->reason = xstrdup(
			"its library " FAKECHROOT_KEEPER " is not installed beside udocker-guest-init");
		ret->remedy =
			xstrdup("install it there, or set UDOCKER_EXEC_DIR to the directory that has it");
		return false;
	}
	if (strpbrk(path, ": ")) {
		ret->reason =
			xasprintf("no library can be loaded from a path with a space or a colon: '%s'", path);
		ret->remedy = xstrdup("install udocker in another folder");
		return false;
	}
	return true;
}

/* Which library a container gets is known when its C library is: here any will do. One that was found is the one of the other modes, too. */
static const struct guest_library *find_any(struct err **err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct guest_library any;
	int r = 0;

	(void)pthread_mutex_lock(&lock); /* cannot fail */
	if (!any.path)
		r = guest_library_find(NULL, NULL, NULL, &any, err);
	(void)pthread_mutex_unlock(&lock);
	return r < 0 ? NULL : &any;
}

static int fakechroot_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	const struct guest_library *library;
	auto_err *why = NULL;

	(void)err; /* everything that can go wrong here is an answer */
	*ret = (struct engine_probe){ 0 };
	if (!has_keeper(ret))
		return 0;
	library = find_any(&why);
	if (!library) {
		ret->reason = xstrdup(err_text(why));
		ret->remedy = xstrdup(err_hint_text(why));
		return 0;
	}
	ret->available = true;
	ret->path = xstrdup(library->path);
	if (*library->version)
		ret->version = xstrdup(library->version);
	if (mode[1] > '2')
		remark_patchelf(library, mode, ret);
	return 0;
}

static const char *const fakechroot_modes[] = { "F1", "F2", "F3", "F4", NULL };

const struct engine engine_fakechroot = {
	.name = "fakechroot",
	.modes = fakechroot_modes,
	.kind = ENGINE_DIRECT,
	.on_request = true,
	.answers = fakechroot_answers,
	.conditions = fakechroot_conditions,
	.probe = fakechroot_probe,
	.prepare = fakechroot_prepare,
	.restore = fakechroot_restore,
	.plan = fakechroot_plan,
};
