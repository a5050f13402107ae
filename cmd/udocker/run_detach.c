/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `udocker run --detach`: the program runs in the background and the container's id is printed. There is no service that would look after it: a
 * process of ours stays until the program has ended, and puts away what is left of the run.
 */
#include "cmd/udocker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/runtime/lifecycle.h"
#include "pkg/store/store.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { POLL_MS = 250 }; /* on kernels without pidfd_open */

/* Output goes on where it is a file; a terminal or a pipe has a reader who waits for its end. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int replace_streams(struct err **err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_sys(err, errno, "/dev/null");
	for (int fd = 0; fd < 3; fd++)
		if (fd == 0 || !is_file(fd))
			(void)dup2(null, fd);
	(void)close(null);
	return 0;
}

static bool is_running(const struct runtime_globals *g, const char *run_id, pid_t *ret_pid)
{
	auto_runtime_state state = RUNTIME_STATE_INIT;

	if (runtime_get_state(g, run_id, &state, NULL) < 0)
		return false;
	*ret_pid = state.pid;
	return state.pid > 0 && state.status != STATUS_STOPPED;
}

static void wait_for_end(const struct runtime_globals *g, const char *run_id)
{
	pid_t pid;

	while (is_running(g, run_id, &pid)) {
		struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

		(void)poll(&p, p.fd >= 0, p.fd >= 0 ? -1 : POLL_MS);
		if (p.fd >= 0)
			(void)close(p.fd);
	}
}

/* Start it, tell how that went, and stay until its end, of nobody's terminal or session. */
static int start_and_keep(const struct cli_call *call, struct run_target *t, bool remove, int outcome_fd)
{
	char run_id[RUN_ID_LEN + 1];
	const struct runtime_globals g = { .engine.auto_mode = t->mode };
	const struct runtime_create_options o = {
		.id = run_id,
		.bundle = { .dir = t->dir, .config_fd = -1, .config = &t->config },
		.detach = true,
	};
	auto_err *err = NULL;
	int status = 0, ignored = 0, r;

	run_id_make(t, run_id);
	r = replace_streams(&err);
	if (r == 0)
		r = runtime_run(&g, &o, &status, &err);
	(void)fd_write_all(
		outcome_fd, r < 0 ? err_text(err) : run_id, strlen(r < 0 ? err_text(err) : run_id));
	if (r < 0 || status != 0)
		return status ? status : STATUS_NOT_STARTED;
	if (fork() > 0)
		return 0;
	(void)setsid();
	(void)signal(SIGHUP, SIG_IGN);
	(void)replace_streams(NULL);
	wait_for_end(&g, run_id);
	(void)runtime_delete(&g, run_id, true, NULL);
	if (remove)
		(void)run_remove(call, t, &ignored, NULL);
	return 0;
}

static int report(const struct run_target *t, int outcome_fd, int status, struct err **err)
{
	auto_str text = STR_INIT_MAX(65536);

	if (lseek(outcome_fd, 0, SEEK_SET) < 0 ||
		fd_read_text(outcome_fd, 65536, &text, "outcome of the start", err) < 0)
		return -1;
	if (status != 0)
		return text.len ? err_make(err, ERR_UNSUPPORTED, "%s", str_text(&text)) : 0;
	log_info("running in the background, to be ended with 'udocker-runtime kill %s'", str_text(&text));
	printf("%s\n", t->id);
	return 0;
}

/* In a process of its own: what stays with the program must hold neither our streams nor what else we inherited. */
int run_detached(
	const struct cli_call *call, struct run_target *t, bool remove, int *ret_status, struct err **err)
{
	autoclose int outcome = fd_anon("udocker-outcome");
	int status;
	pid_t pid;

	if (outcome < 0)
		return err_sys(err, errno, "temporary file");
	store_close(steal_ptr(&t->store));
	(void)fflush(stdout); /* a failure shows when the id is written */
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "fork");
	if (pid == 0) {
		fd_close_except(3, &outcome, 1);
		_exit(start_and_keep(call, t, remove, outcome));
	}
	if (proc_wait(pid, &status, err) < 0)
		return -1;
	*ret_status = status;
	if (status == 0)
		t->created = false; /* its removal is the other process's */
	return report(t, outcome, status, err);
}
