/* SPDX-License-Identifier: Apache-2.0 */
/* uname() where the kernel's release or the host's name are to be others, and chroot(), which leads to where we are and nowhere else. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

/* `to` has room for 65 bytes. */
static void put_name(char *to, uint32_t at)
{
	size_t n = at ? strlen(trap_state->text + at) : 0;

	if (n)
		memcpy(to, trap_state->text + at, n < 65 ? n + 1 : 64);
}

long call_uname(struct call *c)
{
	struct utsname u;
	long r;

	memset(&u, 0, sizeof(u));
	r = SYS(uname, &u);
	if (r)
		return r;
	put_name(u.release, trap_state->release);
	put_name(u.nodename, trap_state->hostname);
	return guest_write((void *)c->arg[0], &u, sizeof(u));
}

/* Is the folder the guest's root already? */
static bool is_root(const char *path)
{
	char *name = buffer_take();
	bool root = path_canonical(AT_FDCWD, path, true, name) == PATH_PLAIN && text_eq(name, "/");

	buffer_give(name);
	return root;
}

long call_chroot(struct call *c)
{
	struct path_text t;
	long r = path_text_read(&t, (const void *)c->arg[0]), fd;

	if (!r) {
		fd = path_open(AT_FDCWD, t.text, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		r = fd;
		if (fd >= 0) {
			SYS(close, fd);
			r = ids_capable(CAP_SYS_CHROOT) && is_root(t.text) ? 0 : -EPERM;
		}
	}
	path_text_free(&t);
	return r;
}
