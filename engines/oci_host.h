/* SPDX-License-Identifier: Apache-2.0 */
/* What runc and crun need of the machine: user namespaces, control groups, capabilities. Each question is cheap and asked anew. */
#ifndef UDOCKER_OCI_HOST_H
#define UDOCKER_OCI_HOST_H

#include "pkg/base/base.h"

/*
 * Can an ordinary caller make a user namespace and mount in it? Tried for real in a forked child, once by a process. When not, *ret_reason and
 * *ret_remedy (caller frees) say why. `program` is the base name of the runtime: AppArmor may allow it alone.
 */
bool oci_userns_works(const char *program, char **ret_reason, char **ret_remedy);

/* A cgroup2 tree with controllers beside cgroup v1: crun refuses such a host, even when its cgroup manager is disabled. */
bool oci_host_is_hybrid(void);

/* "v2", "v1", "v1 and v2" or "none"; static. */
const char *oci_host_cgroup_layout(void);

/* Can this process make a control group? Below its own one on cgroup v2, anywhere on v1 (root alone). */
bool oci_cgroups_writable(void);

/*
 * Remove what a runtime that was killed while it made this container has left: its control groups, where they are empty. `path`: of
 * linux.cgroupsPath, or NULL, which does nothing. What a runtime of systemd's names ("slice:prefix:name") is systemd's.
 */
void oci_cgroups_forget(const char *path);

/* Does our own user namespace map a single id? As root of it we are an ordinary caller in most that matters. */
bool oci_host_maps_one(void);

/* Are we in a user namespace other than the host's first? */
bool oci_host_is_inner(void);

/* Is a capability effective in our own user namespace, whichever that is? Not what a tracer says that we are. */
bool oci_host_has(int capability);

/* Is an effective capability of ours one of the host, not only of a user namespace? */
bool oci_host_capable(int capability);

#endif
