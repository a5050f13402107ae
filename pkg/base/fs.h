/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files by directory descriptor and path. The scope says what a path from outside may do: openat2
 * where the kernel has it, a walk of components with O_NOFOLLOW where not. Unless said otherwise
 * functions return 0 (or a descriptor) or -1 with errno and no text: callers know the context.
 */
#ifndef UDOCKER_FS_H
#define UDOCKER_FS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct str;

enum fs_scope {
	FS_BENEATH, /* no symbolic links, no "..", no leading slash, no magic links: our own store */
	FS_IN_ROOT, /* links and ".." resolve as in a chroot at dirfd: inside a container's ROOT */
};

/*
 * open(2) with O_CLOEXEC added. FS_IN_ROOT with O_CREAT resolves the parent in the root and never follows a final link.
 * FS_BENEATH says ELOOP to a link (O_PATH | O_NOFOLLOW opens a final one) and EXDEV to ".." and a leading slash.
 */
int fs_open(int dirfd, const char *path, int flags, mode_t mode, enum fs_scope scope);

/*
 * The directory (O_PATH) that holds the last component of `path`, and that component (inside path). "/" or "." give "."
 * in dirfd itself, "a/.." gives "." in what it resolves to: the name is never one that leads elsewhere. A slash at the
 * end is EINVAL, since a name with it would be followed if it is a link.
 */
int fs_open_parent(int dirfd, const char *path, enum fs_scope scope, const char **ret_base);

/* Like mkdir -p for every component; existing directories are fine. Returns an O_PATH|O_DIRECTORY descriptor of the last. */
int fs_mkdir_p(int dirfd, const char *path, mode_t mode, enum fs_scope scope);

/* lstat semantics on the last component. */
int fs_lstat(int dirfd, const char *path, struct stat *ret, enum fs_scope scope);
bool fs_exists(int dirfd, const char *path); /* FS_BENEATH, a dangling link exists */

/*
 * Is there anything of that one name in the folder? errno is ENOENT when there is not. Not faccessat(), which on kernels before 5.8
 * refuses AT_SYMLINK_NOFOLLOW, and musl does not make up for it.
 */
bool fs_has_name(int dirfd, const char *name);

/*
 * Append a whole regular file; larger than max: -1 with EFBIG; not a regular file: -1 with EINVAL; nothing is appended
 * then. FS_BENEATH refuses links, FS_IN_ROOT follows them in the root. A FIFO does not block.
 */
int fs_read(int dirfd, const char *path, size_t max, struct str *ret, enum fs_scope scope);

/* The target of a symbolic link, caller frees; NULL with errno. `name` is used as it is (no scope). */
char *fs_readlink(int dirfd, const char *name);

/* The absolute path of an open descriptor via /proc/self/fd, or by walking ".." where there is no /proc. NULL with errno. */
char *fs_fd_path(int fd);

/*
 * Remove `name` in dirfd and all below it, never following a link, never entering a mount point (ERR_BUSY). A name with
 * slashes is a path of ours: all before the last component is resolved as usual. A missing name is success; the first
 * failure ends it. Directories without permission are made accessible first (directories only, never files: hard links
 * may lead elsewhere). Depth is not limited by the stack or the number of descriptors. Survives other processes
 * removing at the same time. An interrupt that comes while it works (sig.h) ends it with ERR_SYSTEM; one
 * that came before, after which we clean up, does not.
 */
int fs_rm_tree(int dirfd, const char *name, struct err **err);

/*
 * Walk the tree below dirfd in directory order, parents before children. The callback gets the
 * directory's descriptor, the entry's name, its path from the top and its lstat; it returns 0 to go on, FS_WALK_SKIP
 * not to enter this directory, or a negative number to stop with it. Links are not followed, mount points are entered;
 * what vanishes meanwhile is left out. Other failures, a directory that cannot be read among them: -1 with errno.
 */
enum { FS_WALK_SKIP = 1 };
typedef int fs_walk_fn(int dirfd, const char *name, const char *path, const struct stat *st, void *arg);
int fs_walk(int dirfd, fs_walk_fn *fn, void *arg);
/*
 * The same, the entries of each directory by byte value: one order for one tree, whatever the file system. An owner whom a directory's mode
 * keeps out lets himself in for as long.
 */
int fs_walk_sorted(int dirfd, fs_walk_fn *fn, void *arg);

/* Append the names in a directory without "." and "..", sorted; hidden ones too. FS_BENEATH. -1 with errno. */
struct strv;
int fs_list(int dirfd, const char *path, struct strv *ret);

/* chmod of what `fd`, opened with O_PATH and no link, is open for. -1 with errno. */
int fs_chmod_opath(int fd, mode_t mode);

/*
 * Open an entry (a regular file, with O_DIRECTORY in flags a directory) for reading without following it, like openat() with O_NOFOLLOW,
 * O_NONBLOCK and O_CLOEXEC; *ret_st is what it is like. An owner whom its mode keeps out lets himself in: a file has its mode back on
 * return, *ret_st says so; for a directory *ret_unlocked is true and the caller gives the mode of *ret_st back with fchmod() when he is done with it.
 * -1 with errno.
 */
int fs_open_own(int dirfd, const char *name, int flags, struct stat *ret_st, bool *ret_unlocked);

/* fsync of the directory dirfd (O_PATH will do), ignoring file systems that cannot. */
int fs_sync_dir(int dirfd);

/*
 * The permission bits that a mode given to open() or mkdir() may lose below dirfd: those of the umask; all of them where a default ACL
 * takes its place or where directories hand on their set-group-id bit. To be asked before there are threads: the umask cannot be
 * read without setting it.
 */
mode_t fs_lost_bits(int dirfd);

/* False when openat2 is to be done without: an older kernel, a filter, or a test that sets UDOCKER_TEST_OLD_KERNEL. */
bool fs_openat2_works(void);

#endif
