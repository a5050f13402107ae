/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root without its power: under a map of one id, root's calls about other ids and devices are answered "done" by the
 * kernel's seccomp, without being done. So package managers unpack files of other owners, at full speed. Nothing is remembered: stat shows
 * the true owner.
 */
#ifndef UDOCKER_FAKE_ROOT_H
#define UDOCKER_FAKE_ROOT_H

#include "pkg/base/base.h"

struct json;
struct sock_filter;

/* What apt must be told: it looks whether its change of user has happened. */
#define FAKE_ROOT_APT_DIR "/etc/apt/apt.conf.d"
#define FAKE_ROOT_APT_FILE FAKE_ROOT_APT_DIR "/zz-udocker-fake-root"
#define FAKE_ROOT_DIR \
	"fake-root" /* in the state directory: the file to bind, and the sign that it is bound */
#define FAKE_ROOT_APT_TEXT "APT::Sandbox::User \"root\";\n"

/* Character and block devices among the types of a mode: these two, and nothing else, have these bits. */
#define FAKE_ROOT_DEVICE_MASK (S_IFMT & ~S_IFDIR)
#define FAKE_ROOT_DEVICE_BITS S_IFCHR

enum fake_root_part {
	FAKE_ROOT_ALL,
	FAKE_ROOT_FILES, /* what is about files: PRoot answers for ids itself, and has to be asked */
	FAKE_ROOT_NONE, /* for fake_root_program() */
};

/*
 * Add the answers to linux.seccomp of `config`, or a profile of them alone where the bundle has none. A call that the bundle's profile
 * allows succeeds without effect; one that it forbids, under all conditions or some, stays forbidden.
 */
void fake_root_seccomp(struct json *config, enum fake_root_part part);

/*
 * The same as a ready program, in base64, for who takes one; what `first` allows (of n_first instructions, NULL: all) is decided by it. NULL
 * where that would not be the same: the bundle has a profile or an annotation that brings one, its hooks would be shown ours, or this
 * machine's numbers are not known. The caller frees it.
 */
char *fake_root_program(
	const struct json *config, enum fake_root_part part, const struct sock_filter *first, size_t n_first);

/*
 * True if FAKE_ROOT_APT_FILE can be bound in this container: apt is there, its folder is in the root file system itself and can be
 * written (for the mount point), and no mount of the bundle lies over it.
 */
bool fake_root_apt(const struct json *config, const char *rootfs);

/*
 * Remove the mount point from a root file system that no container uses any more: an empty file of that name, of ours.
 * Whatever else is there stays.
 */
void fake_root_clean(int rootfs_fd);

#endif
