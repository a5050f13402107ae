/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From paths of the guest to descriptors and names of the kernel, and back. As long as no link and no mount point is met the kernel says so
 * itself (openat2, RESOLVE_NO_SYMLINKS), in one call; else the name is made canonical by readlinkat() with growing prefixes, without a
 * descriptor, and opened once. Not a security boundary; but a guest that stays inside by itself is not led out, whatever is renamed meanwhile.
 */
#ifndef UDOCKER_TRAP_PATH_H
#define UDOCKER_TRAP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trap_bind;

/* The hash of names and prefixes, built up character by character from PATH_HASH. */
#define PATH_HASH 5381u
static inline uint32_t path_hash(uint32_t h, char c)
{
	return h * 33 ^ (unsigned char)c;
}

/* The bind that a canonical absolute guest name lies in; *ret_rest: what follows, "" at the mount point itself. */
const struct trap_bind *path_locate(const char *guest, const char **ret_rest);

enum path_kind {
	PATH_PLAIN, /* a name of the guest */
	PATH_MAGIC, /* its last component is a magic link of /proc that the kernel follows itself */
	PATH_EXE, /* as before, this process's own program */
	PATH_FOREIGN, /* relative to a descriptor that belongs to no bind: the kernel's business */
};

/*
 * The canonical guest name of (dirfd, path) in `out` (TRAP_PATH_ROOM bytes): no ".", "..", doubled slashes, nor links, but for a last one with
 * follow false. A slash at the end stays. The last component may be missing. enum path_kind or -errno.
 */
long path_canonical(int dirfd, const char *path, bool follow, char *out);

/* openat() of a guest path; O_CLOEXEC is the caller's to say. `mode` for what is created. The descriptor or -errno. */
long path_open(int dirfd, const char *path, unsigned long flags, unsigned mode);
/* The same without root's right to open what a mode forbids (owner.h). */
long path_open_plainly(int dirfd, const char *path, unsigned long flags, unsigned mode);
/* O_PATH|O_CLOEXEC of a canonical name; of a link itself. */
long path_at_canonical(const char *name);
/* path_open() with O_PATH|O_CLOEXEC, for calls on what is there. -EROFS if it is `to_write` in a read-only bind. */
long path_at(int dirfd, const char *path, bool follow, bool to_write);

/* A name in its parent: what mkdirat(), unlinkat(), renameat() and the like take. */
struct path_parent {
	int fd; /* may be AT_FDCWD */
	bool own; /* to be closed */
	const char *name; /* in `buffer` or the caller's path, slashes at its end kept */
	const struct trap_bind *bind; /* NULL: not looked up, the kernel knows */
	char *buffer;
};
/* -EBUSY for a mount point, -EROFS with `to_write` in a read-only bind, or what the walk says. Links at the end are not followed. */
long path_parent(int dirfd, const char *path, bool to_write, struct path_parent *ret);
/* What path_parent() said, of a name to be made: that it is there, be it a mount point or the root, comes before what may not be written. */
long path_making_error(const struct path_parent *p, long r);
void path_parent_free(struct path_parent *p);

/* Is it one component, none of ".", ".." and the last names of mount points: the same to the kernel and to the guest? */
bool path_is_plain(const char *path);

/* Does a mount point lie below this canonical guest name? Then it is a directory, be it missing in the root. */
bool path_is_above_mount(const char *guest);

/* Can no component be a mount point's? */
bool path_is_unmounted(const char *path);

/* A host path in place (room for TRAP_PATH_MAX) to the guest's name for it: its length; -ENOENT if the guest has none. */
long path_to_guest(char *path, size_t len);
/* The guest's name of a descriptor or, AT_FDCWD, of the working directory, into `out` (TRAP_PATH_MAX): its length or -errno. */
long path_of_fd(int fd, char *out);

#endif
