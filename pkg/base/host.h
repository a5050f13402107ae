/* SPDX-License-Identifier: Apache-2.0 */
/* The machine and the caller: architecture, kernel, user. */
#ifndef UDOCKER_HOST_H
#define UDOCKER_HOST_H

#include <sys/types.h>

#include <sched.h>

#include "pkg/base/base.h"

/* How many processors a cpu_set_t holds; musl's CPU_SETSIZE counts its bytes. */
#define HOST_CPUS_MAX ((int)(8 * sizeof(cpu_set_t)))

/* "amd64", "arm64", "arm", "386", "ppc64le" … from uname; "unknown" otherwise. */
const char *host_oci_arch(void);
const char *host_oci_variant(void); /* "v8" on arm64, "v7"/"v6" on arm, else "" */
const char *host_machine(void); /* uname -m */
const char *host_kernel_release(void);
/* True if the kernel is at least major.minor. */
bool host_kernel_at_least(int major, int minor);

/* The processors that the caller may use, at least 1. */
int host_cpus(void);

/* An environment variable, NULL when unset or empty, or when we run set-id. */
const char *host_env(const char *name);
/* Is it set, and empty? */
bool host_env_is_emptied(const char *name);
/* $HOME if absolute, else the passwd entry's home, else NULL. */
const char *host_home(void);
/* $TMPDIR if absolute, else /tmp. */
const char *host_tmpdir(void);
/* The caller's login name from passwd, else $USER if it is valid, else "udocker<uid>"; static. */
const char *host_user_name(void);

#endif
