/* SPDX-License-Identifier: Apache-2.0 */
/* `udocker run --rm`: the runtime runs as a child, and the wrapper stays to remove the container that this run made. */
#include "cmd/udocker/run.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/conf/conf.h"

/* On an anonymous file, which the runtime inherits. Returns its descriptor. */
static int config_file(const struct run_target *t, struct err **err)
{
	autofree char *text = json_text(t->config, 0);
	autoclose int fd = fd_anon("udocker-config");

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		fd_set_cloexec(fd, false) < 0)
		return err_sys(err, errno, "temporary file");
	return steal_fd(&fd);
}

static int runtime_words(const struct cli_call *call, const struct run_target *t, int config_fd,
	struct strv *words, struct err **err)
{
	const struct udocker_globals *g = call->global;
	char run_id[RUN_ID_LEN + 1];

	run_id_make(t, run_id);
	if (udocker_sibling_words(call, "udocker-runtime", NULL, words, err) < 0)
		return -1;
	/* The runtime has runc's options only; verbosity and configuration reach it by their variables. */
	if (g->quiet && setenv("UDOCKER_LOGLEVEL", "1", 1) < 0)
		return err_sys(err, errno, "environment");
	/* Nor has it been told before what `auto` means for us. */
	if (str_eq(conf_str(CONF_DEFAULT_EXECUTION_MODE), "auto") &&
		setenv("UDOCKER_DEFAULT_EXECUTION_MODE", t->mode, 1) < 0)
		return err_sys(err, errno, "environment");
	strv_addf(words, "--default-execmode=%s", t->mode);
	strv_add(words, "run");
	strv_addf(words, "--bundle=%s", t->dir);
	strv_addf(words, "--config-fd=%d", config_fd);
	strv_add(words, "--preserve-all-fds");
	strv_add(words, run_id);
	return 0;
}

static void block_forwarded(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD };

	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaddset(set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, set, NULL);
}

/*
 * Wait for the runtime and pass on what reaches us alone. What the terminal sends (SI_KERNEL) goes to the whole group, the runtime
 * included, already.
 */
static int wait_and_forward(pid_t pid, const sigset_t *set, int *ret_status, struct err **err)
{
	for (;;) {
		siginfo_t info;
		int status;
		int sig = sigwaitinfo(set, &info);

		if (sig == SIGCHLD) {
			pid_t got = waitpid(pid, &status, WNOHANG);

			if (got == pid) {
				*ret_status =
					WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
				return 0;
			}
			if (got < 0 && errno != EINTR)
				return err_sys(err, errno, "wait for udocker-runtime");
		} else if (sig > 0 && info.si_code != SI_KERNEL) {
			(void)kill(pid, sig); /* gone: SIGCHLD is on its way */
		}
	}
}

static int run_words(const struct strv *runtime, int *ret_status, struct err **err)
{
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	sigset_t set;
	pid_t pid;

	block_forwarded(&set);
	spawn.path = runtime->v[0];
	spawn.argv = strv_argv(runtime);
	spawn.keep_all = true;
	(void)fflush(stdout); /* a failure shows when the program writes */
	if (proc_spawn(&spawn, &pid, err) < 0)
		return -1;
	return wait_and_forward(pid, &set, ret_status, err);
}

int run_child(const struct cli_call *call, const struct run_target *t, int *ret_status, struct err **err)
{
	auto_strv words = STRV_INIT;
	autoclose int config_fd = config_file(t, err);

	if (config_fd < 0 || runtime_words(call, t, config_fd, &words, err) < 0)
		return -1;
	return run_words(&words, ret_status, err);
}

int run_remove(const struct cli_call *call, const struct run_target *t, int *ret_status, struct err **err)
{
	auto_strv words = STRV_INIT;

	if (udocker_sibling_words(call, "udocker-bundle", "rm", &words, err) < 0)
		return -1;
	strv_add(&words, "--force");
	strv_add(&words, t->id);
	strv_insert(&words, 1, "--quiet");
	return udocker_run_sibling(&words, ret_status, err);
}
