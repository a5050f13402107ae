/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners of files: what belongs to the user belongs to the guest's root, and chown succeeds. With TRAP_REMEMBER what was set is kept in an extended
 * attribute of files and folders (links and special files can have none), together with the device that a file stands for.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define ATTRIBUTE "user.udocker.owner"
#define KEEP UINT32_MAX

struct owner {
	uint32_t uid, gid;
	uint32_t type; /* S_IFCHR, S_IFBLK, or 0: what it is */
	uint32_t dev; /* as in mknod() */
};

/* "UID,GID,TYPE,DEV": anybody may have written it. */
static bool owner_parse(const char *text, struct owner *ret)
{
	uint32_t *to[] = { &ret->uid, &ret->gid, &ret->type, &ret->dev };

	for (int i = 0; i < 4; i++) {
		unsigned long v;

		if ((i && *text++ != ',') || !text_to_number(&text, UINT32_MAX, &v))
			return false;
		*to[i] = (uint32_t)v;
	}
	return !*text && (!ret->type || ret->type == S_IFCHR || ret->type == S_IFBLK);
}

static bool owner_read(long fd, struct owner *ret)
{
	char path[32], text[64];
	long n;

	text_fd_path(path, fd);
	n = SYS(getxattr, path, ATTRIBUTE, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	return owner_parse(text, ret);
}

static long owner_set(const char *path, const struct owner *o)
{
	const uint32_t v[] = { o->uid, o->gid, o->type, o->dev };
	char text[64], *p = text;

	if (o->uid == trap_state->uid && o->gid == trap_state->gid && !o->type) {
		SYS(removexattr, path, ATTRIBUTE);
		return 0;
	}
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = ',';
		p = text_number(p, v[i]);
	}
	return SYS(setxattr, path, ATTRIBUTE, text, p - text, 0);
}

/* Where the file cannot bear it nothing is remembered, and that is no failure. */
static void owner_write(long fd, const struct stat *st, const struct owner *o)
{
	char path[32];

	text_fd_path(path, fd);
	if (owner_set(path, o) != -EACCES)
		return;
	/* The attribute is written by who may write the file. */
	if (SYS(fchmodat, AT_FDCWD, path, (st->st_mode & 07777) | S_IWUSR))
		return;
	owner_set(path, o);
	SYS(fchmodat, AT_FDCWD, path, st->st_mode & 07777);
}

static bool bears_attribute(unsigned mode)
{
	return trap_has(TRAP_REMEMBER) && (S_ISREG(mode) || S_ISDIR(mode));
}

void ids_show_stat(int fd, struct stat *st)
{
	struct owner o;

	if (!trap_has(TRAP_IDS))
		return;
	if (fd < 0 || !bears_attribute(st->st_mode) || !owner_read(fd, &o)) {
		st->st_uid = ids_show_uid(st->st_uid);
		st->st_gid = ids_show_gid(st->st_gid);
		return;
	}
	st->st_uid = o.uid;
	st->st_gid = o.gid;
	if (o.type) {
		st->st_mode = o.type | (st->st_mode & ~(unsigned)S_IFMT);
		st->st_rdev = o.dev;
	}
}

/* The kernel's 32 bits for a device: 12 for the major number amid the 20 of the minor one. */
static uint32_t dev_major(uint32_t dev)
{
	return dev >> 8 & 0xfff;
}

static uint32_t dev_minor(uint32_t dev)
{
	return (dev & 0xff) | (dev >> 12 & 0xfff00);
}

void ids_show_statx(int fd, struct statx *st)
{
	struct owner o;

	if (!trap_has(TRAP_IDS))
		return;
	if (fd < 0 || !bears_attribute(st->stx_mode) || !owner_read(fd, &o)) {
		st->stx_uid = ids_show_uid(st->stx_uid);
		st->stx_gid = ids_show_gid(st->stx_gid);
		return;
	}
	st->stx_uid = o.uid;
	st->stx_gid = o.gid;
	if (o.type) {
		st->stx_mode = (uint16_t)(o.type | (st->stx_mode & ~(unsigned)S_IFMT));
		st->stx_rdev_major = dev_major(o.dev);
		st->stx_rdev_minor = dev_minor(o.dev);
	}
}

long ids_make_device(int dirfd, const char *name, unsigned mode, uint32_t dev)
{
	struct owner o = { trap_state->uid, trap_state->gid, mode & S_IFMT, dev };
	struct stat st;
	long fd;

	if (!ids_capable(CAP_MKNOD))
		return -EPERM;
	fd = SYS(openat, dirfd, name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, mode & 07777);
	if (fd < 0)
		return fd;
	if (trap_has(TRAP_REMEMBER) && !SYS(fstat, fd, &st))
		owner_write(fd, &st, &o);
	SYS(close, fd);
	return 0;
}

static bool in_group(const struct ids *e, uint32_t gid)
{
	for (uint32_t i = 0; i < e->n_groups; i++)
		if (e->group[i] == gid)
			return true;
	return gid == e->gid[3];
}

/* For a process that is not root: what it made itself is its own, whatever id it is shown with. */
static bool may_change(uint32_t real_owner, const struct stat *shown, uint32_t uid, uint32_t gid)
{
	const struct ids *e = ids_get();
	bool own = shown->st_uid == e->uid[3] || real_owner == trap_state->real_uid;

	if (ids_capable(CAP_CHOWN))
		return true;
	if (uid != KEEP && uid != shown->st_uid && !(own && uid == e->uid[3]))
		return false;
	return gid == KEEP || gid == shown->st_gid || (own && in_group(e, gid));
}

static long change_nothing(long fd, bool by_path)
{
	long r = by_path ? SYS(fchownat, fd, "", KEEP, KEEP, AT_EMPTY_PATH) : SYS(fchown, fd, KEEP, KEEP);

	return r == -EPERM || r == -EACCES ? 0 : r;
}

/*
 * What the kernel would not let us do has been done, if a call that changes nothing shows that the file could be changed: it takes
 * set-id bits away, as chown does for root too.
 */
static long emulate(long fd, uint32_t uid, uint32_t gid, bool by_path)
{
	struct owner o = { 0 };
	struct stat st;
	uint32_t real_owner;
	long r;

	/* Root may, and nothing is kept: no need to look. */
	if (!trap_has(TRAP_REMEMBER) && ids_capable(CAP_CHOWN))
		return change_nothing(fd, by_path);
	r = SYS(fstat, fd, &st);
	if (r)
		return r;
	real_owner = st.st_uid;
	if (bears_attribute(st.st_mode))
		owner_read(fd, &o);
	ids_show_stat((int)fd, &st);
	if (!may_change(real_owner, &st, uid, gid))
		return -EPERM;
	r = change_nothing(fd, by_path);
	if (r || !trap_has(TRAP_REMEMBER))
		return r;
	o.uid = uid == KEEP ? st.st_uid : uid;
	o.gid = gid == KEEP ? st.st_gid : gid;
	r = SYS(fstat, fd, &st);
	if (!r && bears_attribute(st.st_mode))
		owner_write(fd, &st, &o);
	return r;
}

static long chown_path(int dirfd, const void *guest, uint32_t uid, uint32_t gid, unsigned flags)
{
	struct path_text t;
	long r, fd = -1;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = path_text_read(&t, guest);
	if (!r && !t.len && flags & AT_EMPTY_PATH && dirfd != AT_FDCWD) {
		fd = dirfd;
	} else if (!r) {
		const char *path = t.len || !(flags & AT_EMPTY_PATH) ? t.text : ".";

		r = fd = path_at(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), true);
	}
	if (r >= 0) {
		r = trap_has(TRAP_IDS) ? emulate(fd, uid, gid, true)
				       : SYS(fchownat, fd, "", uid, gid, AT_EMPTY_PATH);
		if (fd != dirfd)
			SYS(close, fd);
	}
	path_text_free(&t);
	return r;
}

long call_chown(struct call *c)
{
	return chown_path(AT_FDCWD, (const void *)c->arg[0], (uint32_t)c->arg[1], (uint32_t)c->arg[2], 0);
}

long call_lchown(struct call *c)
{
	return chown_path(AT_FDCWD, (const void *)c->arg[0], (uint32_t)c->arg[1], (uint32_t)c->arg[2],
		AT_SYMLINK_NOFOLLOW);
}

long call_fchownat(struct call *c)
{
	return chown_path((int)c->arg[0], (const void *)c->arg[1], (uint32_t)c->arg[2], (uint32_t)c->arg[3],
		(unsigned)c->arg[4]);
}

long call_fchown(struct call *c)
{
	int fd = (int)c->arg[0];
	long flags;

	/* The kernel itself refuses descriptors by O_PATH; of one it may not change it says EPERM. */
	if (!trap_has(TRAP_REMEMBER) && ids_capable(CAP_CHOWN))
		return change_nothing(fd, false);
	flags = SYS(fcntl, fd, F_GETFL);
	if (flags < 0 || flags & O_PATH)
		return -EBADF;
	return emulate(fd, (uint32_t)c->arg[1], (uint32_t)c->arg[2], false);
}

/* ---- mknod ---- */
static long make_node(int dirfd, const void *guest, unsigned mode, uint32_t dev)
{
	struct path_parent p = { .fd = -1 };
	struct path_text t;
	long r = path_text_read(&t, guest);

	if (!r) {
		r = path_parent(dirfd, t.text, true, &p);
		r = path_making_error(&p, r);
		if (!r && trap_has(TRAP_IDS) && (S_ISCHR(mode) || S_ISBLK(mode)))
			r = ids_make_device(p.fd, p.name, mode, dev);
		else if (!r)
			r = SYS(mknodat, p.fd, p.name, mode, dev);
		path_parent_free(&p);
	}
	path_text_free(&t);
	return r;
}

long call_mknod(struct call *c)
{
	return make_node(AT_FDCWD, (const void *)c->arg[0], (unsigned)c->arg[1], (uint32_t)c->arg[2]);
}

long call_mknodat(struct call *c)
{
	return make_node((int)c->arg[0], (const void *)c->arg[1], (unsigned)c->arg[2], (uint32_t)c->arg[3]);
}
