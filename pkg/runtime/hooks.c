/* SPDX-License-Identifier: Apache-2.0 */
/* Running hooks, outside and inside. When they run is lifecycle.c's and ending.c's. */
#include "pkg/runtime/hooks.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"
#include "pkg/runtime/fds.h"
#include "pkg/runtime/launch.h"
#include "pkg/runtime/state.h"
#include "pkg/runtime/supervise.h"

#define OUTPUT_MAX 1024 /* of a hook that failed, in the message */
#define STEP_MS 2
#define NS_PER_S ((int64_t)1000000000)

/* The state document on a descriptor: a file, so that a hook that does not read it blocks nobody. */
static int state_fd(const struct hook_call *call)
{
	auto_runtime_state state = RUNTIME_STATE_INIT;
	auto_json *j = NULL;
	autofree char *text = NULL;
	autoclose int fd = fd_anon("state");

	instance_state(call->instance, call->status, &state);
	state.pid = call->pid;
	j = runtime_state_to_json(&state);
	text = json_text(j, 0);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return steal_fd(&fd);
}

/* What it printed, as the end of a message. */
static void add_output(int fd, struct str *s)
{
	char text[OUTPUT_MAX + 1];
	ssize_t n = fd_pread_full(fd, text, OUTPUT_MAX, 0);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	if (n <= 0)
		return;
	text[n] = '\0';
	(void)str_addf(s, ", it said: %s", text);
}

static int judge(int status, bool late, int output, struct err **err)
{
	auto_str s = STR_INIT;

	if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (late)
		(void)str_add(&s, "timeout, killed");
	else if (WIFSIGNALED(status))
		(void)str_addf(&s, "signal %d", WTERMSIG(status));
	else
		(void)str_addf(&s, "exit status %d", WEXITSTATUS(status));
	add_output(output, &s);
	return err_make(err, ERR_ENGINE, "%s", str_text(&s));
}

/* Until it ends or its time is up: then it and what it started are killed. */
static int wait_for_hook(pid_t pid, int timeout, int *ret_status, bool *ret_late)
{
	int64_t end = time_monotonic_ns() + timeout * NS_PER_S;
	pid_t r;

	*ret_late = false;
	for (;;) {
		r = waitpid(pid, ret_status, timeout && !*ret_late ? WNOHANG : 0);
		if (r == pid)
			return 0;
		if (r < 0 && errno != EINTR)
			return -1;
		if (r == 0 && time_monotonic_ns() >= end) {
			*ret_late = true;
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
		} else if (r == 0) {
			(void)poll(NULL, 0, STEP_MS);
		}
	}
}

static int run_one(const struct hook_call *call, const struct runtime_hook *h, struct err **err)
{
	autoclose int in = state_fd(call);
	autoclose int out = fd_anon("hook");
	autoclose int dir = open(call->instance->rec.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_strv argv = STRV_INIT;
	struct proc_spawn s = PROC_SPAWN_INIT;
	int status;
	bool late;
	pid_t pid;

	if (in < 0 || out < 0)
		return err_sys(err, errno, "temporary file");
	strv_dup(&argv, &h->args);
	if (argv.n == 0)
		strv_add(&argv, h->path);
	s.path = h->path;
	s.argv = strv_argv(&argv);
	s.env = h->has_env ? strv_argv(&h->env) : NULL;
	s.fd_in = in;
	s.fd_out = s.fd_err = out;
	s.dirfd = dir;
	s.new_group = true;
	if (proc_spawn(&s, &pid, err) < 0)
		return -1;
	if (wait_for_hook(pid, h->timeout, &status, &late) < 0)
		return err_sys(err, errno, "wait");
	return judge(status, late, out, err);
}

int hooks_run(const struct hook_call *call, enum runtime_hook_kind kind, struct err **err)
{
	auto_runtime_hooks hooks = RUNTIME_HOOKS_INIT;

	if (runtime_hooks_read(call->config, kind, &hooks, err) < 0)
		return -1;
	for (size_t i = 0; i < hooks.n; i++) {
		auto_err *e = NULL;

		if (run_one(call, &hooks.items[i], &e) == 0)
			continue;
		(void)err_add(&e, "error running %s hook #%zu", runtime_hook_name(kind), i + 1);
		if (kind != HOOK_POSTSTOP)
			return err_move(err, &e);
		log_warning("%s, going on", err_text(e));
	}
	return 0;
}

/* ---- inside ---- */

static int run_one_inside(const struct hook_call *call, const struct runtime_hook *h,
	const struct launch *launch, int sigfd, struct err **err)
{
	autoclose int in = state_fd(call);
	autoclose int out = fd_anon("hook");
	int from[3] = { in, out, out }, to[3] = { 0, 1, 2 };
	struct runtime_fds fds = { .from = from, .to = to, .n = 3 };
	struct runtime_process process = *launch->process;
	struct launch l = {
		.plan = launch->plan,
		.process = &process,
		.fds = &fds,
		.file = &h->path,
		.exact = true,
		.mark = launch->mark,
		.caps = launch->caps,
		.setup = launch->setup,
		.namespaces = launch->namespaces,
		.seccomp = launch->seccomp, /* its listener is the program's alone */
		.tty = -1,
		.new_session = true,
	};
	struct supervise s = { .sigfd = sigfd, .tty = -1, .deaf = true, .timeout = h->timeout };
	int status;

	if (in < 0 || out < 0)
		return err_sys(err, errno, "temporary file");
	process.args = STRV_INIT;
	strv_dup(&process.args, &h->args);
	if (process.args.n == 0)
		strv_add(&process.args, h->path);
	if (h->has_env)
		process.env = h->env;
	status = runtime_launch(&l, NULL, NULL, &s.run, err);
	strv_free(&process.args);
	if (status < 0)
		return -1;
	status = supervise(&s);
	return judge(status, s.late, out, err);
}

int hooks_run_inside(const struct hook_call *call, const struct launch *launch, int sigfd, struct err **err)
{
	auto_runtime_hooks hooks = RUNTIME_HOOKS_INIT;

	if (runtime_hooks_read(call->config, HOOK_START_CONTAINER, &hooks, err) < 0)
		return -1;
	for (size_t i = 0; i < hooks.n; i++)
		if (run_one_inside(call, &hooks.items[i], launch, sigfd, err) < 0)
			return err_add(err, "error running startContainer hook #%zu", i + 1);
	return 0;
}
