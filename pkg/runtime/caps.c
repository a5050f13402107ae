/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names, and the bounding set. */
#include "pkg/runtime/caps.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "pkg/base/json.h"
#include "pkg/base/mem.h"

/* By number, linux/capability.h. */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

uint64_t caps_allowed(const struct json *config)
{
	const struct json *caps = json_path(config, "process", "capabilities", NULL);
	const struct json *list = json_get(caps, "permitted");
	uint64_t set = 0;

	if (!list)
		list = json_get(caps, "bounding");
	if (!list)
		return caps ? 0 : UINT64_MAX;
	for (size_t i = 0; i < json_len(list); i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (str_eq(json_str(json_at(list, i)), names[k]))
				set |= (uint64_t)1 << k;
	return set;
}

void caps_limit(uint64_t allowed)
{
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(allowed & ((uint64_t)1 << cap)))
			(void)prctl(
				PR_CAPBSET_DROP, cap, 0, 0, 0); /* fails for those who have none to lose */
}

bool caps_has(int capability)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[CAP_TO_INDEX(capability)].effective & (uint32_t)CAP_TO_MASK(capability)) != 0;
}
