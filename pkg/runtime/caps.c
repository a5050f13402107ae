/* SPDX-License-Identifier: Apache-2.0 */
/* Capability names, by libcap, and the sets that a program starts with. */
#include "pkg/runtime/caps.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"

DL_SLOT(cap_from_name);
static const struct dl_symbol symbols[] = { DL_ENTRY(cap_from_name), DL_END };

static int read_set(const struct json *list, uint64_t *ret, struct err **err)
{
	if (json_len(list) > 0 && dl_load("libcap.so.2", "libcap2", symbols, err) < 0)
		return err_add(err, "config.json: process.capabilities");
	for (size_t i = 0; i < json_len(list); i++) {
		const char *name = json_str(json_at(list, i));
		cap_value_t cap;

		if (name && dl_cap_from_name(name, &cap) == 0 && cap >= 0 && cap < 64)
			*ret |= (uint64_t)1 << cap;
		else
			log_debug("config.json: process.capabilities: '%.60s' is not known, passing over it",
				name ? name : "");
	}
	return 0;
}

int caps_read(const struct json *config, struct caps *ret, struct err **err)
{
	const struct json *caps = json_path(config, "process", "capabilities", NULL);
	const struct json *most = json_get(caps, "permitted");

	*ret = (struct caps){ 0 };
	if (!caps || geteuid() != 0)
		return 0;
	ret->given = true;
	if (read_set(most ? most : json_get(caps, "bounding"), &ret->bounding, err) < 0 ||
		read_set(json_get(caps, "inheritable"), &ret->inheritable, err) < 0)
		return -1;
	return read_set(json_get(caps, "ambient"), &ret->ambient, err);
}

static void set_inheritable(uint64_t set)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].inheritable = (uint32_t)(set >> 32 * i) & data[i].permitted;
	(void)syscall(SYS_capset, &head, data); /* of what is permitted: it is not refused */
}

void caps_enter(const struct caps *c)
{
	if (!c->given)
		return;
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(c->bounding & ((uint64_t)1 << cap)))
			(void)prctl(
				PR_CAPBSET_DROP, cap, 0, 0, 0); /* fails for those who have none to lose */
	set_inheritable(c->inheritable & c->bounding);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* a kernel before 4.3 has none */
	for (unsigned long cap = 0; cap < 64; cap++)
		if (c->ambient & c->inheritable & c->bounding & ((uint64_t)1 << cap))
			(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

bool caps_has(int capability)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[CAP_TO_INDEX(capability)].effective & (uint32_t)CAP_TO_MASK(capability)) != 0;
}
