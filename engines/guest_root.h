/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's root file system as Fakechroot sees it: by paths of the host. Its C library, where its libraries lie, which libfakechroot
 * fits it. Paths inside are put below ROOT as text and followed by the kernel, as the library does it when programs run.
 */
#ifndef UDOCKER_GUEST_ROOT_H
#define UDOCKER_GUEST_ROOT_H

#include "engines/elf_file.h"
#include "pkg/base/strv.h"

struct err;

/*
 * The folders of ROOT's libraries, as the host names them: those of its ld.so.conf with what that includes, then the essential ones of the
 * configuration; those that are there, each once.
 */
void guest_root_libraries(const char *rootfs, struct strv *ret);

enum guest_libc { GUEST_LIBC_NONE, GUEST_LIBC_GLIBC, GUEST_LIBC_MUSL };

struct guest_facts {
	enum guest_libc libc;
	unsigned version; /* of glibc, ELF_GLIBC(); 0: not found */
};
/* The C library of ROOT's own programs, those of this machine: what the libc.so.6 in these folders is, or musl's loader. */
void guest_root_libc(const char *rootfs, const struct strv *libraries, struct guest_facts *ret);

/* A libfakechroot, and what it can do. */
struct guest_library {
	char *path; /* absolute */
	char *version; /* "2.20.1"; "" if it does not say */
	bool has_map; /* udocker's own: FAKECHROOT_DIR_MAP and its relatives */
	bool has_patch; /* it patches what programs make (F4) */
	bool musl;
	unsigned needs_glibc;
	bool has_stat;
};
void guest_library_free(struct guest_library *l);
#define auto_guest_library CLEANUP(guest_library_free) struct guest_library

/*
 * The library for a container: the setting fakechroot_so, libfakechroot.so in the container's folder, the one for ROOT's distribution in
 * libdir, any in libdir, the host's. The first that the guest's C library can load; of several in libdir the newest such. `guest` NULL: the first that
 * is one at all (for the doctor); rootfs and bundle may be NULL then. ERR_ENGINE when there is none, with what was found instead.
 */
int guest_library_find(const char *bundle, const char *rootfs, const struct guest_facts *guest,
	struct guest_library *ret, struct err **err);

#endif
