/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec under direct engines: a second tracer on the same root, planned from the same configuration, with a supervisor of its own that has
 * the program's exit status and ends with the container. What is to be run is exec_process.c's, delegates are exec_delegate.c's.
 */
#include "pkg/runtime/exec.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "engines/oci_quirks.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/runtime/attach.h"
#include "pkg/runtime/exec_priv.h"
#include "pkg/runtime/execs.h"
#include "pkg/runtime/making.h"
#include "pkg/runtime/report.h"

#define HOSTS 2

void execution_free(struct execution *x)
{
	runtime_root_close(&x->root);
	instance_free(&x->c);
	prepared_free(&x->p);
	runtime_fds_free(&x->fds);
	*x = EXECUTION_INIT;
}

/* The container's processes whose end is ours: who supervises it, and its program, which ends a moment earlier. */
static size_t hosts_of(const struct instance *c, struct runtime_proc *ret)
{
	pid_t tracer;

	ret[0] = c->rec.proc;
	return instance_program(c, &ret[1], &tracer) ? 2 : 1;
}

static void note(const struct launched *run, void *arg)
{
	const struct execution *x = arg;

	execs_note(x->c.dirfd, run);
}

/* Those that the container's program is in. */
static int open_namespaces(struct execution *x, struct err **err)
{
	struct runtime_proc program;
	pid_t tracer;

	if (!instance_program(&x->c, &program, &tracer))
		program = x->c.rec.proc;
	return namespaces_open_of(x->p.bundle.config, program.pid, &x->p.namespaces, err);
}

static int prepare(struct execution *x, struct err **err)
{
	const struct runtime_exec_options *o = x->options;
	struct json *process = NULL;

	if (prepare_recorded(&x->c, &x->p, err) < 0 || exec_process(o, &x->p.bundle, &process, err) < 0)
		return -1;
	json_set(x->p.bundle.config, "process", process);
	if (console_check(json_true(json_get(process, "terminal")), !o->detach, o->console_socket, err) < 0 ||
		prepare_exec(x->globals, &x->c, !o->detach, &x->p, err) < 0 || open_namespaces(x, err) < 0)
		return -1;
	return engine_plan_make(&x->p.plan, err);
}

/* ---- in the foreground ---- */

static int write_pid(void *arg, struct err **err)
{
	const struct execution *x = arg;

	return pid_file_write(x->options->pid_file, getpid(), err);
}

static int launch_attached(struct execution *x, struct attach *a, int *ret_status, struct err **err)
{
	struct launch l = prepared_launch(&x->p, &x->fds, &x->c);
	struct runtime_proc hosts[HOSTS];

	l.early = !x->options->pid_file;
	l.meanwhile = write_pid;
	if (attach_terminal(a, &x->p.process, x->p.bundle.config, &x->fds, &l, err) < 0)
		return -1;
	a->s.n_hosts = hosts_of(&x->c, hosts);
	a->s.hosts = hosts;
	if (runtime_launch(&l, note, x, &a->s.run, err) < 0 || attach_relay(a, err) < 0) {
		attach_give_back(a);
		return -1;
	}
	runtime_fds_drop(&x->fds, true);
	*ret_status = supervise(&a->s);
	return 0;
}

static int exec_attached(struct execution *x, int *ret_status, struct err **err)
{
	struct attach a = ATTACH_INIT;
	int status = 0, r;

	if (attach_begin(&a, err) < 0)
		return -1;
	r = execs_enter(&x->c, err);
	if (r == 0) {
		r = launch_attached(x, &a, &status, err);
		execs_leave(x->c.dirfd);
	}
	attach_end(&a);
	if (r == 0)
		*ret_status = attach_status(&a, status);
	attach_free(&a);
	return r;
}

/* ---- detached ---- */

static int launch_detached(struct execution *x, struct supervise *s, struct err **err)
{
	struct launch l = prepared_launch(&x->p, &x->fds, &x->c);

	l.new_session = true;
	l.take_tty = x->p.process.terminal;
	l.meanwhile = write_pid;
	return runtime_launch(&l, note, x, &s->run, err);
}

/* The process of the pid file: its end and its wait status are the program's. */
static NORETURN void stay(struct execution *x, int report)
{
	int keep[NAMESPACES_MAX + 3] = { x->c.dirfd, report };
	struct runtime_proc hosts[HOSTS];
	struct supervise s = { .tty = -1, .own_session = true, .hosts = hosts };
	auto_err *e = NULL;
	int status;

	(void)setsid();
	sig_reset_all();
	log_set_file(-1, LOG_TEXT);
	log_set_level(LOG_LEVEL_ERROR);
	namespaces_keep(&x->p.namespaces, keep + 2);
	runtime_fds_close_others(&x->fds, keep);
	s.sigfd = supervise_begin(&e);
	if (s.sigfd < 0 || execs_enter(&x->c, &e) < 0) {
		report_write(report, e);
		_exit(255);
	}
	if (launch_detached(x, &s, &e) < 0) {
		execs_leave(x->c.dirfd);
		report_write(report, e);
		_exit(255);
	}
	s.n_hosts = hosts_of(&x->c, hosts);
	/* Nothing of the caller's may be held: its bundle could not be unmounted. */
	(void)!chdir("/");
	runtime_fds_drop(&x->fds, false);
	report_write(report, NULL);
	close(report);
	status = supervise(&s);
	execs_leave(x->c.dirfd);
	supervise_exit(status);
}

static int exec_detached(struct execution *x, struct err **err)
{
	auto_console console = CONSOLE_INIT;
	autoclose int near = -1;
	int ends[2];
	pid_t pid;

	if (x->p.process.terminal) {
		if (console_open(&x->p.process, x->p.bundle.config, &console, err) < 0 ||
			console_send(&console, x->options->console_socket, err) < 0)
			return -1;
		runtime_fds_use_terminal(&x->fds, console.slave);
	}
	if (fd_pipe(ends) < 0)
		return err_sys(err, errno, "exec: pipe");
	near = ends[0];
	pid = fork();
	if (pid == 0)
		stay(x, ends[1]);
	close(ends[1]);
	if (pid < 0)
		return err_sys(err, errno, "exec: fork");
	if (report_read(near, "exec: the program's supervisor", err) == 0)
		return 0;
	(void)waitpid(pid, NULL, 0);
	return -1;
}

/* ---- */

static int open_container(struct execution *x, struct err **err)
{
	const struct runtime_exec_options *o = x->options;
	const struct runtime_fds_options fds = { .preserve = o->preserve_fds, .except = -1 };

	if (runtime_fds_collect(&fds, &x->fds, err) < 0 ||
		runtime_root_open(x->globals->root, false, &x->root, err) < 0 ||
		instance_open(&x->root, o->id, &x->c, err) < 0)
		return -1;
	x->c.globals = x->globals;
	x->fds.gaps = x->c.rec.delegate && !(oci_quirk_flags(x->c.rec.engine, NULL) & QUIRK_NO_FD_GAPS);
	if (runtime_fds_check(&x->fds, err) < 0 || instance_check_owner(&x->c, err) < 0)
		return -1;
	if (x->root.own) {
		autofree char *probes = path_join(x->root.path, RUNTIME_PROBE_DIR);

		engine_set_cache_dir(probes);
	}
	return 0;
}

int runtime_exec(const struct runtime_globals *g, const struct runtime_exec_options *o, int *ret_status,
	struct err **err)
{
	CLEANUP(execution_free) struct execution x = EXECUTION_INIT;

	x.globals = g;
	x.options = o;
	if (open_container(&x, err) < 0)
		return -1;
	if (x.c.rec.delegate)
		return exec_delegate(&x, ret_status, err);
	if (execs_check(&x.c, err) < 0 || prepare(&x, err) < 0)
		return -1;
	*ret_status = 0;
	return o->detach ? exec_detached(&x, err) : exec_attached(&x, ret_status, err);
}
