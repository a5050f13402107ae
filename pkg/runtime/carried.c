/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of a delegate's program in the foreground. */
#include "pkg/base/mem.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/delegate.h"
#include "pkg/runtime/foreground.h"

void carried_free(struct carried *t)
{
	if (t->path)
		(void)unlink(t->path); /* may have gone with our directory */
	free(t->path);
	if (t->listen_fd >= 0)
		close(t->listen_fd);
	if (t->relay)
		relay_close(t->relay);
	free(t->relay);
	*t = CARRIED_INIT;
}

int carried_receive(struct carried *t, struct err **err)
{
	int master;

	if (!t->path)
		return 0;
	if (console_receive(t->listen_fd, &master, err) < 0)
		return -1;
	t->relay = xcalloc(1, sizeof(*t->relay));
	return relay_open(t->relay, master, err);
}
