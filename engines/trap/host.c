/* SPDX-License-Identifier: Apache-2.0 */
/* uname() where the kernel's release or the host's name are to be others. */
#include <sys/utsname.h>
#include <unistd.h>

#include "engines/trap/call.h"
#include "engines/trap/mem.h"
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
