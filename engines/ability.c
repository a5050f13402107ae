/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the kernel what the caller may do. */
#include "engines/ability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* One number on every architecture that has it; older headers lack it. */
#define NR_LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */

int ability_landlock(void)
{
	long r = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION);

	return r > 0 ? (int)r : 0;
}

static bool has_sys_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

/* The capability is not all: inside other containers a profile may forbid it still. */
static bool can_unshare(int type)
{
	pid_t pid;
	int status;

	if (!has_sys_admin())
		return false;
	pid = vfork();
	if (pid == 0)
		_exit(unshare(type) < 0 ||
			(type == CLONE_NEWNS && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0));
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum engine_guard ability_guard(void)
{
	static enum engine_guard answer;
	static bool known;

	if (!known) {
		answer = can_unshare(CLONE_NEWNS)               ? ENGINE_GUARD_MOUNTS
			 : ability_landlock() >= LANDLOCK_REFER ? ENGINE_GUARD_LANDLOCK
								: ENGINE_GUARD_NONE;
		known = true;
	}
	return answer;
}

bool ability_namespaces(void)
{
	static bool answer, known;

	if (!known) {
		answer = can_unshare(CLONE_NEWUTS);
		known = true;
	}
	return answer;
}
