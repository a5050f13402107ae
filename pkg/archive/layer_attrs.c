/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes. A layer may bring user.*, and what says how a program runs in the container (security.capability) or belongs to
 * root alone (trusted.*): each is tried, the kernel decides. What other programs would take as an order is not for an archive to
 * give and passed over: attributes of overlay file systems (a redirect leads out of ROOT), of the host's security modules, ACLs, and
 * recorded owners, which we write ourselves.
 */
#include <errno.h>
#include <sys/xattr.h>

#include "pkg/archive/layer_priv.h"
#include "pkg/archive/owner.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define LIST_MAX ((size_t)64 << 10) /* XATTR_LIST_MAX */

static bool may_bring(const char *name)
{
	if (strcmp(name, OWNER_ATTR) == 0 || str_starts(name, "user.overlay.") ||
		str_starts(name, "trusted.overlay."))
		return false;
	return str_starts(name, "user.") || str_starts(name, "trusted.") ||
	       strcmp(name, "security.capability") == 0;
}

/* 0:0 is what a file without the attribute has. */
static int record_owner(const struct layer *l, const struct reader_entry *e, int fd, struct err **err)
{
	unsigned char text[OWNER_TEXT_MAX];
	size_t n;

	if (e->uid < 0 || e->uid >= OWNER_NONE || e->gid < 0 || e->gid >= OWNER_NONE)
		return layer_corrupt(l->path, "an owner that is no number of a user or group", err);
	if (!e->uid && !e->gid)
		return 0;
	n = owner_text((uint32_t)e->uid, (uint32_t)e->gid, text);
	if (fsetxattr(fd, OWNER_ATTR, text, n, 0) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return layer_failed(l->path, err);
	return err_make(
		err, ERR_UNSUPPORTED, "owners cannot be recorded: the file system takes no user attributes");
}

/* What a lower layer gave to a directory. */
static void clear_attrs(int fd)
{
	autofree char *names = NULL;
	ssize_t n = flistxattr(fd, NULL, 0);

	if (n <= 0 || (size_t)n > LIST_MAX)
		return;
	names = xmalloc((size_t)n + 1);
	n = flistxattr(fd, names, (size_t)n);
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (may_bring(p) || strcmp(p, OWNER_ATTR) == 0)
			(void)fremovexattr(fd, p); /* the new one then replaces it, or it stays */
}

static bool is_record(const struct layer *l, const char *name, const void *value, size_t n)
{
	int64_t uid = 0, gid = 0;

	return l->o->keep_record && strcmp(name, OWNER_ATTR) == 0 && owner_parse(value, n, &uid, &gid);
}

int layer_set_attrs(struct layer *l, const struct reader_entry *e, int fd, bool old, struct err **err)
{
	const char *name;
	const void *value;
	size_t n;

	if (old)
		clear_attrs(fd);
	while (reader_xattr(l->r, &name, &value, &n))
		if (name && (may_bring(name) || is_record(l, name, value, n)) &&
			fsetxattr(fd, name, value, n, 0) < 0)
			l->st->attrs++;
	return l->o->record_owner ? record_owner(l, e, fd, err) : 0;
}

void layer_skip_attrs(struct layer *l)
{
	const char *name;
	const void *value;
	size_t n;

	while (reader_xattr(l->r, &name, &value, &n))
		if (name && may_bring(name))
			l->st->attrs++;
}

void layer_copy_attrs(int from, int to)
{
	autofree char *names = xmalloc(LIST_MAX + 1), *value = NULL;
	ssize_t n = flistxattr(from, names, LIST_MAX);

	if (n <= 0)
		return;
	value = xmalloc(LIST_MAX);
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t size = fgetxattr(from, p, value, LIST_MAX);

		if (size >= 0 && (may_bring(p) || strcmp(p, OWNER_ATTR) == 0))
			(void)fsetxattr(to, p, value, (size_t)size, 0); /* it was possible for the original */
	}
}
