/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter that hides newer system calls from an older PRoot: PRoot translates the paths of the calls it knows and lets
 * the others through to the host's files, so these get ENOSYS and the guest's C library falls back to an older call. io_uring would pass PRoot
 * by altogether. Raw BPF, as libseccomp 2.5 does not know the newest calls; anything of a foreign architecture is allowed.
 */
#ifndef UDOCKER_COMPAT_FILTER_H
#define UDOCKER_COMPAT_FILTER_H

#include "pkg/base/base.h"

struct sock_filter;
struct strv;

enum compat_arch { COMPAT_NONE, COMPAT_X86_64, COMPAT_AARCH64, COMPAT_RISCV64 };

/* PRoot's version for the table: statx, faccessat2 and renameat2 are translated from 5.2 on. Unknown is 0: hide everything. */
#define COMPAT_VERSION(major, minor) ((unsigned)(major) << 16 | (unsigned)(minor))

/* Of this build. COMPAT_NONE where there is no table: then no filter is needed or possible. */
enum compat_arch compat_arch_host(void);

/*
 * The program: ERRNO(ENOSYS) for the calls in the table of `arch` (and of its 32-bit sibling), ALLOW else. The caller frees it;
 * NULL with *ret_len 0 for COMPAT_NONE.
 */
struct sock_filter *compat_filter_build(enum compat_arch arch, unsigned proot_version, size_t *ret_len);

/* The names of the same calls, for a profile that an OCI runtime compiles; it leaves out those that it does not know. */
void compat_filter_names(unsigned proot_version, struct strv *ret);

#endif
