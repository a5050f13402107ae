/* SPDX-License-Identifier: Apache-2.0 */
/* Where versions of runc, crun and runsc differ from the specification and from each other, in one table. Versions come from the probe. */
#ifndef UDOCKER_OCI_QUIRKS_H
#define UDOCKER_OCI_QUIRKS_H

#include "pkg/base/base.h"

enum oci_quirk_flags {
	QUIRK_NEEDS_ROOT_MAPPED = 1, /* becomes root of a user namespace first, so 0 must be mapped */
	QUIRK_REFUSES_HYBRID =
		2, /* does not run where a cgroup2 tree with controllers lies beside cgroup v1 */
	QUIRK_NO_GROUPS =
		4, /* sets no additional groups for an ordinary caller, even where they are mapped */
	QUIRK_NO_ERRNO = 8, /* does not know errnoRet of seccomp rules */
	QUIRK_CHOWNS_DEVICES =
		16, /* gives standard streams to the container's user, be they /dev/null of the host */
	QUIRK_TAKES_FILTER =
		32, /* installs a ready seccomp program from the annotation OCI_FILTER_ANNOTATION */
	QUIRK_CONFIG_IN_BUNDLE = 64, /* has no option for a config.json that lies elsewhere */
	QUIRK_NO_FD_GAPS = 128, /* counts on every descriptor that is to be preserved to be open */
	QUIRK_MAKES_DEVICES =
		256, /* root's: makes devices for a container with a user namespace outside of it */
	QUIRK_MAPS_ALONE =
		512, /* has newuidmap and newgidmap write each map; where PATH has none, it writes one of the caller's id itself */
	QUIRK_OWN_KERNEL =
		1024, /* programs run on a kernel of its own: the host sees a sandbox in their place */
	QUIRK_JOINS_MOUNTS =
		2048, /* as root it joins the container's mount namespace on the way, for which root of a container may lack the power */
};

#define OCI_FILTER_ANNOTATION "run.oci.seccomp_bpf_data"

struct oci_quirk {
	const char *engine;
	const char *from,
		*before; /* versions: the first that has it, the first that has it no more; NULL: open */
	unsigned flag; /* or 0 */
	const char *property; /* of config.json, which these versions do not know; or NULL */
};
extern const struct oci_quirk oci_quirks[]; /* ended by an engine of NULL */

/* Does the row speak of this engine and version? An unreadable version has the quirks of the newest. */
bool oci_quirk_holds(const struct oci_quirk *q, const char *engine, const char *version);

/* The flags of all rows that hold. */
unsigned oci_quirk_flags(const char *engine, const char *version);

#endif
