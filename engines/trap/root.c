/* SPDX-License-Identifier: Apache-2.0 */
/* chroot(), and what is left of it behind: see root.h. */
#include "engines/trap/root.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/sys.h"

/* Roots that this memory knows. They are few, and none goes: another thread may be looking at it. */
struct root {
	struct root *next;
	char name[];
};

bool root_is_changed;
static struct root *roots;

const char *root_name(size_t *ret_len)
{
	const char *name = root_is_changed ? ids_get()->root : NULL;

	*ret_len = name ? strlen(name) : 0;
	return name ? name : "";
}

void root_start(void)
{
	root_is_changed = ids_get()->root;
}

long root_show(char *name, size_t len)
{
	size_t n;
	const char *root = root_name(&n);

	if (!n)
		return (long)len;
	if (len < n || memcmp(name, root, n) != 0 || (name[n] && name[n] != '/'))
		return -ENOENT;
	if (len == n) {
		name[0] = '/';
		name[1] = '\0';
		return 1;
	}
	memmove(name, name + n, len - n + 1);
	return (long)(len - n);
}

static const char *keep(const char *name)
{
	const size_t size = sizeof(struct root) + strlen(name) + 1;
	struct root *r;
	long map;

	for (r = roots; r; r = r->next)
		if (text_eq(r->name, name))
			return r->name;
	map = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(map))
		return NULL;
	r = (struct root *)map;
	memcpy(r->name, name, size - sizeof(*r));
	r->next = roots;
	roots = r;
	return r->name;
}

/* To the canonical name of a folder; a slash may stand at its end. */
static long change_root(char *name)
{
	size_t n = strlen(name);
	const char *kept = NULL;

	while (n && name[n - 1] == '/')
		name[--n] = '\0';
	if (n) {
		kept = keep(name);
		if (!kept)
			return -ENOMEM;
	}
	ids_own()->root = kept;
	root_is_changed = true;
	return 0;
}

/* Is it a folder that may be searched? */
static long check_folder(const char *path)
{
	long fd = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0), r = fd;

	if (fd < 0)
		return fd;
	r = SYS(openat, fd, ".", O_PATH | O_CLOEXEC);
	if (r >= 0)
		(void)SYS(close, r);
	(void)SYS(close, fd);
	return r;
}

long call_chroot(struct call *c)
{
	struct path_text t;
	long r = path_text_read(&t, (const void *)c->arg[0]);
	char *name = buffer_take();

	if (r == 0)
		r = check_folder(t.text);
	if (r >= 0 && !ids_capable(CAP_SYS_CHROOT))
		r = -EPERM;
	if (r >= 0)
		r = path_canonical(AT_FDCWD, t.text, true, name);
	/* What no name leads to was given by somebody outside. */
	if (r >= 0)
		r = r == PATH_PLAIN ? change_root(name) : -EPERM;
	buffer_give(name);
	path_text_free(&t);
	return r;
}
