/* SPDX-License-Identifier: Apache-2.0 */
/* The table of quirks. What a version does not know of the specification it would leave out in silence, or refuse. */
#include "engines/oci_quirks.h"

#include "pkg/base/mem.h"

/* One row a line reads as the table it is. */
/* clang-format off */
const struct oci_quirk oci_quirks[] = {
	{ "runc", NULL, NULL, QUIRK_NEEDS_ROOT_MAPPED, NULL },
	{ "runc", NULL, NULL, QUIRK_NO_GROUPS, NULL },
	{ "runc", NULL, NULL, QUIRK_CONFIG_IN_BUNDLE, NULL },
	{ "runc", NULL, NULL, QUIRK_NO_FD_GAPS, NULL },
	{ "runc", "1.1.0", "1.2.0", QUIRK_JOINS_MOUNTS, NULL },
	{ "runc", NULL, "1.2.0", 0, "domainname" },
	{ "runc", NULL, "1.2.0", 0, "process.scheduler" },
	{ "runc", NULL, "1.2.0", 0, "process.ioPriority" },
	{ "runc", NULL, "1.2.0", 0, "linux.timeOffsets" },
	{ "runc", NULL, "1.2.0", 0, "linux.namespaces.time" },
	{ "runc", NULL, "1.2.0", 0, "linux.personality" },
	{ "runc", NULL, "1.3.0", 0, "process.execCPUAffinity" },
	{ "runc", NULL, "1.4.0", 0, "linux.netDevices" },
	{ "runc", NULL, "1.4.0", 0, "linux.memoryPolicy" },
	{ "crun", NULL, NULL, QUIRK_REFUSES_HYBRID, NULL },
	{ "crun", NULL, "0.14", QUIRK_NO_ERRNO, NULL },
	{ "crun", "1.4.2", "1.24", QUIRK_CHOWNS_DEVICES, NULL }, /* 1.3 to 1.4.1, too: no remedy known */
	{ "crun", "1.8", NULL, QUIRK_TAKES_FILTER, NULL }, /* the oldest that was tried */
	{ "crun", NULL, "0.14", QUIRK_CONFIG_IN_BUNDLE, NULL },
	{ "crun", "1.8", NULL, QUIRK_MAKES_DEVICES, NULL },
	{ "crun", "1.8", NULL, QUIRK_MAPS_ALONE, NULL },
	{ "crun", NULL, "0.11", 0, "linux.personality" },
	{ "crun", NULL, "1.7", 0, "domainname" },
	{ "crun", NULL, "1.8.4", 0, "linux.timeOffsets" },
	{ "crun", NULL, "1.8.4", 0, "linux.namespaces.time" },
	{ "crun", NULL, "1.8.5", 0, "process.scheduler" },
	{ "crun", NULL, "1.8.6", 0, "process.ioPriority" },
	{ "crun", NULL, "1.19", 0, "process.execCPUAffinity" },
	{ "crun", NULL, "1.22", 0, "linux.netDevices" },
	{ "crun", NULL, "1.24", 0, "linux.memoryPolicy" },
	{ "runsc", NULL, NULL, QUIRK_OWN_KERNEL, NULL },
	{ "runsc", NULL, NULL, QUIRK_CONFIG_IN_BUNDLE, NULL },
	{ "runsc", NULL, NULL, QUIRK_NO_FD_GAPS, NULL },
	{ NULL, NULL, NULL, 0, NULL },
};
/* clang-format on */

#define PART_MAX 9999

/* "1.8.6" as a number that compares; UINT64_MAX: not readable. */
static uint64_t number_of(const char *version)
{
	const char *p = version ? version : "";
	uint64_t n = 0;

	for (int i = 0; i < 3; i++) {
		unsigned part = 0;
		const char *start = p;

		for (; *p >= '0' && *p <= '9' && part <= PART_MAX; p++)
			part = part * 10 + (unsigned)(*p - '0');
		if (part > PART_MAX || (*p && *p != '.') || (p == start && (*p || i == 0)))
			return UINT64_MAX;
		n = n * (PART_MAX + 1) + part;
		p += *p == '.';
	}
	return n;
}

bool oci_quirk_holds(const struct oci_quirk *q, const char *engine, const char *version)
{
	uint64_t n;

	if (!str_eq(q->engine, engine))
		return false;
	n = number_of(version);
	return (!q->from || n >= number_of(q->from)) && (!q->before || n < number_of(q->before));
}

unsigned oci_quirk_flags(const char *engine, const char *version)
{
	unsigned flags = 0;

	for (const struct oci_quirk *q = oci_quirks; q->engine; q++)
		if (oci_quirk_holds(q, engine, version))
			flags |= q->flag;
	return flags;
}
