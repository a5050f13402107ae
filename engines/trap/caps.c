/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities, as those of the ids that the guest sees: given up and looked at, and that is all there is to them. */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "engines/trap/call.h"
#include "engines/trap/caps.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/sys.h"

/* Checked for the version first: who does not know it asks with any, and is told the newest. */
static long read_header(struct call *c, struct __user_cap_header_struct *ret, int *ret_words)
{
	void *guest = (void *)c->arg[0];

	if (guest_read(ret, guest, sizeof(*ret)))
		return -EFAULT;
	*ret_words = 2;
	switch (ret->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*ret_words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 0;
	default:
		ret->version = _LINUX_CAPABILITY_VERSION_3;
		return guest_write(guest, ret, sizeof(ret->version)) ? -EFAULT : -EINVAL;
	}
}

long call_capget(struct call *c)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2];
	struct ids e;
	int words;
	long r = read_header(c, &header, &words);

	/* No data: only the version is asked for. */
	if (!c->arg[1])
		return r == -EINVAL ? 0 : r;
	if (r)
		return r;
	if (header.pid < 0)
		return -EINVAL;
	if (header.pid && !ids_peek(header.pid, &e))
		return call_pass(c);
	if (!header.pid)
		e = *ids_get();
	for (int i = 0; i < words; i++) {
		data[i].effective = (uint32_t)(e.cap[IDS_EFFECTIVE] >> 32 * i);
		data[i].permitted = (uint32_t)(e.cap[IDS_PERMITTED] >> 32 * i);
		data[i].inheritable = (uint32_t)(e.cap[IDS_INHERITABLE] >> 32 * i);
	}
	return guest_write((void *)c->arg[1], data, (size_t)words * sizeof(data[0]));
}

/* Is `a` part of `b`? */
static bool within(uint64_t a, uint64_t b)
{
	return !(a & ~b);
}

long call_capset(struct call *c)
{
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2] = { 0 };
	uint64_t effective, permitted, inheritable;
	struct ids *e;
	int words;
	long r = read_header(c, &header, &words);

	if (r)
		return r;
	if (header.pid && header.pid != (int)SYS(getpid) && header.pid != (int)SYS(gettid))
		return -EPERM;
	if (guest_read(data, (const void *)c->arg[1], (size_t)words * sizeof(data[0])))
		return -EFAULT;
	effective = (data[0].effective | (uint64_t)data[1].effective << 32) & IDS_ALL_CAPS;
	permitted = (data[0].permitted | (uint64_t)data[1].permitted << 32) & IDS_ALL_CAPS;
	inheritable = (data[0].inheritable | (uint64_t)data[1].inheritable << 32) & IDS_ALL_CAPS;
	e = ids_own();
	if (!within(permitted, e->cap[IDS_PERMITTED]) || !within(effective, permitted))
		return -EPERM;
	if (!ids_capable(CAP_SETPCAP) &&
		!within(inheritable, e->cap[IDS_INHERITABLE] | e->cap[IDS_PERMITTED]))
		return -EPERM;
	if (!within(inheritable, e->cap[IDS_INHERITABLE] | e->cap[IDS_BOUNDING]))
		return -EPERM;
	e->cap[IDS_EFFECTIVE] = effective;
	e->cap[IDS_PERMITTED] = permitted;
	e->cap[IDS_INHERITABLE] = inheritable;
	e->cap[IDS_AMBIENT] &= permitted & inheritable;
	return 0;
}

/* Which numbers are capabilities is the kernel's to say: libraries look for the last one so. */
static long bounding(struct call *c)
{
	unsigned long cap = c->arg[1];

	if (sys_call(SYS_prctl, PR_CAPBSET_READ, (long)cap, 0, 0, 0, 0) < 0 || cap >= 64)
		return -EINVAL;
	if ((int)c->arg[0] == PR_CAPBSET_READ)
		return ids_get()->cap[IDS_BOUNDING] >> cap & 1;
	if (!ids_capable(CAP_SETPCAP))
		return -EPERM;
	ids_own()->cap[IDS_BOUNDING] &= ~(1ull << cap);
	return 0;
}

static long ambient(struct call *c)
{
	unsigned long cap = c->arg[2];
	uint64_t bit = 1ull << (cap & 63);
	const struct ids *e = ids_get();

	if (c->arg[3] || c->arg[4])
		return -EINVAL;
	if (c->arg[1] == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap)
			return -EINVAL;
		ids_own()->cap[IDS_AMBIENT] = 0;
		return 0;
	}
	if (cap >= 64 || !(bit & IDS_ALL_CAPS))
		return -EINVAL;
	switch (c->arg[1]) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(e->cap[IDS_AMBIENT] & bit);
	case PR_CAP_AMBIENT_LOWER:
		ids_own()->cap[IDS_AMBIENT] &= ~bit;
		return 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(e->cap[IDS_PERMITTED] & e->cap[IDS_INHERITABLE] & bit) ||
			e->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)
			return -EPERM;
		ids_own()->cap[IDS_AMBIENT] |= bit;
		return 0;
	default:
		return -EINVAL;
	}
}

static long set_securebits(unsigned long to)
{
	uint32_t old = ids_get()->securebits;

	/* A lock holds its bit and itself. */
	if ((old & SECURE_ALL_LOCKS) >> 1 & (old ^ to) || old & SECURE_ALL_LOCKS & ~to ||
		to & ~(unsigned long)(SECURE_ALL_LOCKS | SECURE_ALL_BITS) || !ids_capable(CAP_SETPCAP))
		return -EPERM;
	ids_own()->securebits = (uint32_t)to;
	return 0;
}

static long set_keep_caps(unsigned long to)
{
	struct ids *e;

	if (to > 1)
		return -EINVAL;
	if (ids_get()->securebits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	e = ids_own();
	e->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	if (to)
		e->securebits |= SECBIT_KEEP_CAPS;
	return 0;
}

long caps_prctl(struct call *c)
{
	switch ((int)c->arg[0]) {
	case PR_GET_KEEPCAPS:
		return !!(ids_get()->securebits & SECBIT_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return set_keep_caps(c->arg[1]);
	case PR_GET_SECUREBITS:
		return ids_get()->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(c->arg[1]);
	case PR_CAP_AMBIENT:
		return ambient(c);
	default:
		return bounding(c);
	}
}
