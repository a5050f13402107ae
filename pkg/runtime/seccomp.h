/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp of config.json under direct engines: from the profile to the program that guest_init gives to the kernel right before the
 * container's own. libseccomp does the work, opened when the first profile comes by.
 */
#ifndef UDOCKER_RUNTIME_SECCOMP_H
#define UDOCKER_RUNTIME_SECCOMP_H

#include <stdint.h>

#include "pkg/base/base.h"

struct err;
struct json;

struct seccomp_program {
	uint64_t *words; /* struct sock_filter each, as the kernel has them; NULL: no profile */
	size_t n;
	unsigned flags; /* SECCOMP_FILTER_FLAG_*, without NEW_LISTENER */
	bool notifies; /* some calls are decided by whoever listens at listener_path */
	char *listener_path; /* absolute, or NULL */
	char *listener_metadata; /* or NULL */
};
#define SECCOMP_PROGRAM_INIT ((struct seccomp_program){ 0 })
void seccomp_program_free(struct seccomp_program *p); /* leaves it empty */
#define auto_seccomp_program CLEANUP(seccomp_program_free) struct seccomp_program

/*
 * Build it; nothing happens without linux.seccomp. Names of calls that libseccomp does not know are passed over, as runc and crun do.
 * ERR_CORRUPT for an unknown action, architecture, operator or flag, ERR_UNSUPPORTED without libseccomp or for what the kernel
 * lacks. Two things are added in front of the profile: negative numbers, which is how a tracer
 * cancels a call, pass; and with
 * the default SCMP_ACT_ERRNO, calls newer than all that the profile names fail with ENOSYS, so that programs fall back on
 * older ones (as runc has it).
 */
int seccomp_build(const struct json *config, struct seccomp_program *ret, struct err **err);

#endif
