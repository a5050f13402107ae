/* SPDX-License-Identifier: Apache-2.0 */
/* The foreground. Bytes and window sizes are foreground.c's, signals and ends supervise.c's. */
#include "pkg/runtime/attach.h"

#include <signal.h>
#include <sys/wait.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/runtime/fds.h"
#include "pkg/runtime/foreground.h"
#include "pkg/runtime/launch.h"

int attach_begin(struct attach *a, struct err **err)
{
	a->s.sigfd = supervise_begin(err);
	return a->s.sigfd < 0 ? -1 : 0;
}

int attach_terminal(struct attach *a, const struct runtime_process *process, const struct json *config,
	struct runtime_fds *fds, struct launch *l, struct err **err)
{
	if (process->terminal) {
		if (console_open(process, config, &a->console, err) < 0)
			return -1;
		runtime_fds_use_terminal(fds, a->console.slave);
		l->new_session = l->take_tty = true;
		return 0;
	}
	a->s.tty = foreground_terminal();
	if (foreground_is_ours(a->s.tty)) {
		l->tty = a->s.tty;
		a->s.had_tty = true;
	}
	return 0;
}

int attach_relay(struct attach *a, struct err **err)
{
	if (a->console.master < 0)
		return 0;
	close(steal_fd(&a->console.slave));
	a->relay = xcalloc(1, sizeof(*a->relay));
	a->s.relay = a->relay;
	return relay_open(a->relay, steal_fd(&a->console.master), err);
}

void attach_give_back(struct attach *a)
{
	if (a->s.had_tty)
		foreground_give(a->s.tty, getpgrp());
}

void attach_end(struct attach *a)
{
	if (a->relay)
		relay_close(a->relay);
	free(a->relay);
	a->relay = a->s.relay = NULL;
	console_close(&a->console);
}

int attach_status(const struct attach *a, int wait_status)
{
	int sig = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;

	if (a->s.had_tty && (sig == SIGINT || sig == SIGQUIT)) {
		(void)signal(sig, SIG_DFL);
		(void)kill(0, sig);
	}
	return sig ? 128 + sig : WEXITSTATUS(wait_status);
}

void attach_free(struct attach *a)
{
	attach_end(a);
	if (a->s.tty >= 0)
		close(a->s.tty);
	supervise_cancel(a->s.sigfd);
	*a = ATTACH_INIT;
}
