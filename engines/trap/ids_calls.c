/* SPDX-License-Identifier: Apache-2.0 */
/* get*id() and set*id() with the kernel's rules, applied to ids that only the guest sees. */
#include <linux/capability.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/sys.h"

enum { REAL, EFFECTIVE, SAVED, FILES };

#define KEEP UINT32_MAX
#define KERNEL_MAX_GROUPS 65536

long call_getuid(struct call *c)
{
	(void)c;
	return ids_get()->uid[REAL];
}

long call_geteuid(struct call *c)
{
	(void)c;
	return ids_get()->uid[EFFECTIVE];
}

long call_getgid(struct call *c)
{
	(void)c;
	return ids_get()->gid[REAL];
}

long call_getegid(struct call *c)
{
	(void)c;
	return ids_get()->gid[EFFECTIVE];
}

static long get_three(struct call *c, const uint32_t id[4])
{
	for (int i = 0; i < 3; i++)
		if (guest_write((void *)c->arg[i], &id[i], sizeof(id[i])))
			return -EFAULT;
	return 0;
}

long call_getresuid(struct call *c)
{
	return get_three(c, ids_get()->uid);
}

long call_getresgid(struct call *c)
{
	return get_three(c, ids_get()->gid);
}

static bool one_of(const uint32_t id[4], uint32_t value, int n)
{
	for (int i = 0; i < n; i++)
		if (id[i] == value)
			return true;
	return false;
}

/* The rules, for uids and gids alike: `id` in, `id` out. */
static long change_id(uint32_t id[4], uint32_t to, bool any)
{
	if (to == KEEP)
		return -EINVAL;
	if (any)
		id[REAL] = id[SAVED] = to;
	else if (to != id[REAL] && to != id[SAVED])
		return -EPERM;
	id[EFFECTIVE] = id[FILES] = to;
	return 0;
}

static long change_two(uint32_t id[4], uint32_t real, uint32_t effective, bool any)
{
	uint32_t old = id[REAL];

	if (real != KEEP && !any && !one_of(id, real, 2))
		return -EPERM;
	if (effective != KEEP && !any && !one_of(id, effective, 3))
		return -EPERM;
	if (real != KEEP)
		id[REAL] = real;
	if (effective != KEEP)
		id[EFFECTIVE] = effective;
	if (real != KEEP || (effective != KEEP && effective != old))
		id[SAVED] = id[EFFECTIVE];
	id[FILES] = id[EFFECTIVE];
	return 0;
}

static bool changes_nothing(const uint32_t id[4], const uint32_t to[3])
{
	for (int i = 0; i < 3; i++)
		if (to[i] != KEEP && to[i] != id[i])
			return false;
	return to[EFFECTIVE] == KEEP || to[EFFECTIVE] == id[FILES];
}

static long change_three(uint32_t id[4], const uint32_t to[3], bool any)
{
	/* Else the file system's becomes the effective one. */
	if (changes_nothing(id, to))
		return 0;
	for (int i = 0; i < 3; i++)
		if (to[i] != KEEP && !any && !one_of(id, to[i], 3))
			return -EPERM;
	for (int i = 0; i < 3; i++)
		if (to[i] != KEEP)
			id[i] = to[i];
	id[FILES] = id[EFFECTIVE];
	return 0;
}

/* Which of the three; `n` arguments. */
static long change(uint32_t id[4], struct call *c, int n, bool any)
{
	const uint32_t to[3] = { (uint32_t)c->arg[0], (uint32_t)c->arg[1], (uint32_t)c->arg[2] };

	if (n == 1)
		return change_id(id, to[0], any);
	if (n == 2)
		return change_two(id, to[0], to[1], any);
	return change_three(id, to, any);
}

static long change_uid(struct call *c, int n)
{
	struct ids *e = ids_own();
	uint32_t old[4], id[4];
	long r;

	memcpy(old, e->uid, sizeof(old));
	memcpy(id, old, sizeof(id));
	r = change(id, c, n, ids_capable(CAP_SETUID));
	if (r < 0)
		return r;
	memcpy(e->uid, id, sizeof(id));
	ids_fix_caps(e, old);
	return 0;
}

static long change_gid(struct call *c, int n)
{
	struct ids *e = ids_own();
	uint32_t id[4];
	long r;

	memcpy(id, e->gid, sizeof(id));
	r = change(id, c, n, ids_capable(CAP_SETGID));
	if (!r)
		memcpy(e->gid, id, sizeof(id));
	return r;
}

long call_setuid(struct call *c)
{
	return change_uid(c, 1);
}

long call_setgid(struct call *c)
{
	return change_gid(c, 1);
}

long call_setreuid(struct call *c)
{
	return change_uid(c, 2);
}

long call_setregid(struct call *c)
{
	return change_gid(c, 2);
}

long call_setresuid(struct call *c)
{
	return change_uid(c, 3);
}

long call_setresgid(struct call *c)
{
	return change_gid(c, 3);
}

/* These two have no failure: they say what it was before, and are called with -1 to ask for that. */
static void change_files_id(uint32_t id[4], uint32_t to, bool any)
{
	if (any || one_of(id, to, 4))
		id[FILES] = to;
}

long call_setfsuid(struct call *c)
{
	uint32_t old = ids_get()->uid[FILES], to = (uint32_t)c->arg[0];

	if (to != KEEP)
		change_files_id(ids_own()->uid, to, ids_capable(CAP_SETUID));
	return old;
}

long call_setfsgid(struct call *c)
{
	uint32_t old = ids_get()->gid[FILES], to = (uint32_t)c->arg[0];

	if (to != KEEP)
		change_files_id(ids_own()->gid, to, ids_capable(CAP_SETGID));
	return old;
}

long call_getgroups(struct call *c)
{
	const struct ids *e = ids_get();
	int size = (int)c->arg[0];

	if (size < 0 || (size && (uint32_t)size < e->n_groups))
		return -EINVAL;
	if (size && guest_write((void *)c->arg[1], e->group, e->n_groups * sizeof(e->group[0])))
		return -EFAULT;
	return e->n_groups;
}

/* They are told in this order, whatever order they were set in. */
static void sort(uint32_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = i; k && v[k - 1] > v[k]; k--) {
			uint32_t other = v[k];

			v[k] = v[k - 1];
			v[k - 1] = other;
		}
}

long call_setgroups(struct call *c)
{
	uint32_t n = (uint32_t)c->arg[0], group[IDS_MAX_GROUPS];
	struct ids *e;

	if (!ids_capable(CAP_SETGID))
		return -EPERM;
	if (n > KERNEL_MAX_GROUPS)
		return -EINVAL;
	if (n > IDS_MAX_GROUPS)
		return -ENOMEM;
	if (guest_read(group, (const void *)c->arg[1], n * sizeof(group[0])))
		return -EFAULT;
	if (one_of(group, KEEP, (int)n))
		return -EINVAL;
	sort(group, n);
	e = ids_own();
	memcpy(e->group, group, n * sizeof(group[0]));
	e->n_groups = n;
	return 0;
}
