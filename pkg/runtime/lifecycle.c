/* SPDX-License-Identifier: Apache-2.0 */
/* create, start and run: containers come into being. Their end is ending.c's. */
#include "pkg/runtime/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/runtime/attach.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/execs.h"
#include "pkg/runtime/hooks.h"
#include "pkg/runtime/init.h"
#include "pkg/runtime/making.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/supervise.h"

#define STATUS_FAILED 125
#define STATUS_DENIED 126
#define STATUS_NOT_FOUND 127

static struct launch launch_of(struct making *m)
{
	struct launch l = prepared_launch(&m->p, &m->fds, &m->c);

	l.make_cwd = true;
	return l;
}

static struct hook_call hooks_of(const struct making *m, enum runtime_status status, pid_t pid)
{
	return (struct hook_call){
		.config = m->p.bundle.config,
		.instance = &m->c,
		.status = status,
		.pid = pid,
	};
}

/* Without namespaces of the container there is one place for all three. */
static int run_create_hooks(const struct making *m, pid_t pid, struct err **err)
{
	struct hook_call call = hooks_of(m, STATUS_CREATING, pid);

	/* They bear it, and those of a create that is killed meanwhile are found by it. */
	if (json_len(json_get(call.config, "hooks")) > 0)
		mark_ourselves(mark_of_maker(m->c.rec.mark));
	if (hooks_run(&call, HOOK_PRESTART, err) < 0 || hooks_run(&call, HOOK_CREATE_RUNTIME, err) < 0)
		return -1;
	return hooks_run(&call, HOOK_CREATE_CONTAINER, err);
}

static void run_poststop_hooks(const struct making *m)
{
	struct hook_call call = hooks_of(m, STATUS_STOPPED, 0);

	(void)hooks_run(&call, HOOK_POSTSTOP, NULL); /* failures have been warned of */
}

/* ---- create ---- */

/* All that others may learn of the container, before it is told that it exists. */
static int announce(struct making *m, pid_t pid, const struct console *console, struct err **err)
{
	if (run_create_hooks(m, pid, err) < 0 || making_publish(m, runtime_proc_of(pid), err) < 0)
		return -1;
	if (console->master >= 0 && console_send(console, m->options->console_socket, err) < 0)
		return -1;
	return making_write_pid_file(m, pid, err);
}

static int create_direct(struct making *m, struct err **err)
{
	auto_console console = CONSOLE_INIT;
	struct init init = { .dirfd = m->c.dirfd, .id = m->c.id, .fds = &m->fds, .launch = launch_of(m) };
	autoclose int control = -1;
	pid_t pid;

	if (prepare_namespaces(m->globals, &m->p, err) < 0)
		return -1;
	if (m->p.process.terminal) {
		if (console_open(&m->p.process, m->p.bundle.config, &console, err) < 0)
			return -1;
		runtime_fds_use_terminal(&m->fds, console.slave);
	}
	init.hooks = hooks_of(m, STATUS_CREATED, 0);
	init.launch.new_session = true;
	init.launch.take_tty = m->p.process.terminal;
	if (init_fork(&init, &pid, &control, err) < 0)
		return -1;
	if (announce(m, pid, &console, err) < 0 || init_commit(control, err) < 0) {
		close(steal_fd(&control)); /* it ends without the word to go on */
		(void)waitpid(pid, NULL, 0);
		run_poststop_hooks(m);
		return -1;
	}
	return 0;
}

static int create(struct making *m, bool run, struct err **err)
{
	int r;

	if (making_begin(m, err) < 0)
		return -1;
	if (m->c.rec.delegate)
		return delegate_create(m, run, err);
	r = create_direct(m, err);
	if (r < 0)
		making_undo(m);
	return r;
}

int runtime_create(const struct runtime_globals *g, const struct runtime_create_options *o, struct err **err)
{
	auto_making m = MAKING_INIT;

	m.globals = g;
	m.options = o;
	return create(&m, false, err);
}

/* ---- start ---- */

/* A poststart hook that fails ends the container: who started it was promised that it had run. */
static int run_poststart_hooks(const struct instance *c, struct err **err)
{
	auto_json *config = NULL;
	struct hook_call call = { .instance = c, .status = STATUS_RUNNING, .pid = c->rec.proc.pid };

	if (instance_config(c, &config, err) < 0)
		return -1;
	call.config = config;
	if (hooks_run(&call, HOOK_POSTSTART, err) == 0)
		return 0;
	(void)instance_destroy(c, NULL); /* the hook is what is to be told of */
	return -1;
}

static int start(const struct instance *c, struct err **err)
{
	auto_lock lock = LOCK_INIT;

	if (instance_check_owner(c, err) < 0 ||
		lock_take(&lock, c->dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	if (instance_status(c) != STATUS_CREATED)
		return err_make(err, ERR_BUSY, "container '%s': cannot start a container in the %s state",
			c->id, runtime_status_name(instance_status(c)));
	if (c->rec.delegate)
		return delegate_begin(c, err);
	return init_start(c, err) < 0 ? -1 : run_poststart_hooks(c, err);
}

/* Create may be at it still, and its word is what counts. */
static int wait_until_made(const struct runtime_root *root, struct instance *c, struct err **err)
{
	const struct runtime_globals *g = c->globals;
	autofree char *id = xstrdup(c->id);
	auto_lock lock = LOCK_INIT;

	if (c->rec.proc.pid != 0)
		return 0;
	if (instance_check_owner(c, err) < 0 ||
		lock_take(&lock, c->dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	lock_release(&lock);
	instance_free(c);
	c->globals = g;
	return instance_open(root, id, c, err);
}

int runtime_start(const struct runtime_globals *g, const char *id, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;

	c.globals = g;
	if (runtime_root_open(g->root, false, &root, err) < 0 || instance_open(&root, id, &c, err) < 0 ||
		wait_until_made(&root, &c, err) < 0)
		return -1;
	return start(&c, err);
}

/* ---- run ---- */

/* The errors of runtime_find_program() and runtime_launch() about the program itself begin with its exec. */
static int status_of(const struct err *e)
{
	if (!e || strncmp(err_text(e), "exec: ", 6) != 0)
		return STATUS_FAILED;
	return err_is(e, ERR_NOT_FOUND) ? STATUS_NOT_FOUND
	       : err_is(e, ERR_DENIED)  ? STATUS_DENIED
					: STATUS_FAILED;
}

static int run_detached(struct making *m, int *ret_status, struct err **err)
{
	int r = create(m, true, err);

	if (r != 0 || m->c.rec.delegate) {
		*ret_status = r < 0 ? STATUS_FAILED : r; /* a delegate's own, as its callers know it */
		return r < 0 ? -1 : 0;
	}
	*ret_status = 0;
	r = start(&m->c, err);
	if (r < 0) {
		(void)instance_destroy(&m->c, NULL); /* it waits for a word that nobody will give */
		making_undo(m);
	}
	return r;
}

/* What others may know of the container; also while the engine starts, which waits for our word to run anything. */
static int make_known(void *arg, struct err **err)
{
	struct making *m = arg;

	if (making_stage(m, err) < 0 || run_create_hooks(m, getpid(), err) < 0 ||
		making_publish(m, runtime_proc_of(getpid()), err) < 0)
		return -1;
	return making_write_pid_file(m, getpid(), err);
}

static int sweep(void *arg, struct err **err)
{
	const struct making *m = arg;

	(void)err;
	runtime_root_sweep(&m->root);
	return 0;
}

static int make_known_and_sweep(void *arg, struct err **err)
{
	return make_known(arg, err) < 0 ? -1 : sweep(arg, err);
}

static void note_program(const struct launched *run, void *arg)
{
	const struct making *m = arg;

	(void)instance_write_program(m->c.dirfd, run->program, run->engine == run->program ? 0 : run->engine);
}

static int launch_attached(struct making *m, struct attach *a, int *ret_status, struct err **err)
{
	struct launch l = launch_of(m);
	struct hook_call call;
	int r;

	if (!l.plan)
		return err_make(err, ERR_UNSUPPORTED, "config.json has no process to run");
	l.early = m->early;
	l.meanwhile = m->late ? make_known_and_sweep : sweep; /* the engine is busy with itself */
	if (prepare_namespaces(m->globals, &m->p, err) < 0 || (!m->late && make_known(m, err) < 0))
		return -1;
	if (attach_terminal(a, &m->p.process, m->p.bundle.config, &m->fds, &l, err) < 0)
		return -1;
	call = hooks_of(m, STATUS_CREATED, getpid());
	if (hooks_run_inside(&call, &l, a->s.sigfd, err) < 0 ||
		runtime_launch(&l, note_program, m, &a->s.run, err) < 0 || attach_relay(a, err) < 0) {
		attach_give_back(a);
		return -1;
	}
	call.status = STATUS_RUNNING;
	r = hooks_run(&call, HOOK_POSTSTART, err);
	if (r < 0)
		(void)kill(a->s.run.program, SIGKILL);
	runtime_fds_drop(&m->fds, true);
	*ret_status = supervise(&a->s);
	execs_end(m->c.dirfd);
	return r;
}

static int run_direct(struct making *m, int *ret_status, struct err **err)
{
	struct attach a = ATTACH_INIT;
	int status = 0, r;

	if (attach_begin(&a, err) < 0) {
		making_undo(m);
		return -1;
	}
	r = launch_attached(m, &a, &status, err);
	attach_end(&a);
	if (r < 0 || !m->options->keep) {
		making_undo(m);
		run_poststop_hooks(m);
	}
	if (r == 0)
		*ret_status = attach_status(&a, status);
	attach_free(&a);
	return r;
}

int runtime_run(const struct runtime_globals *g, const struct runtime_create_options *o, int *ret_status,
	struct err **err)
{
	auto_making m = MAKING_INIT;
	int r;

	m.globals = g;
	m.options = o;
	m.foreground = !o->detach;
	if (o->detach) {
		r = run_detached(&m, ret_status, err);
	} else {
		r = making_begin(&m, err);
		if (r == 0)
			r = m.c.rec.delegate ? delegate_run(&m, ret_status, err)
					     : run_direct(&m, ret_status, err);
	}
	if (r < 0)
		*ret_status = status_of(err ? *err : NULL);
	return r;
}

/* ---- looking only ---- */

int runtime_dry_run(const struct runtime_globals *g, const struct runtime_create_options *o, bool foreground,
	struct prepared *ret, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	autofree char *path = NULL;

	if (runtime_root_open(g->root, false, &root, err) < 0 ||
		prepare_load(g, o, foreground, ret, err) < 0 || prepare_check(g, ret, err) < 0)
		return -1;
	path = path_join(root.path, o->id);
	return prepare_plan(g, ret, -1, path, foreground, err);
}

void runtime_remember_probes(const struct runtime_globals *g)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	autofree char *probes = NULL;

	if (runtime_root_open(g->root, false, &root, NULL) < 0 || root.fd < 0 || !root.own)
		return;
	probes = path_join(root.path, RUNTIME_PROBE_DIR);
	engine_set_cache_dir(probes);
}
