/* SPDX-License-Identifier: Apache-2.0 */
/* kill, delete, state and list: containers that exist already, whatever became of their processes. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "engines/oci_host.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/execs.h"
#include "pkg/runtime/hooks.h"
#include "pkg/runtime/lifecycle.h"
#include "pkg/runtime/making.h"
#include "pkg/runtime/members.h"
#include "pkg/runtime/thaw.h"
#include "pkg/runtime/tidy.h"

#define WAIT_FIRST_MS 1
#define WAIT_STEP_MS 20
#define WAIT_TOTAL_MS 5000
#define WAIT_MADE_MS 2000
#define WAIT_UNPUBLISHED_MS 500
#define DELEGATE_TRIES 4

static void pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* Its program may be running before its pid is written down, since a delegate does both in one go: wait for that a little. */
static int wait_for_pid(const struct runtime_root *root, const char *id, struct instance *c, struct err **err)
{
	const struct runtime_globals *g = c->globals;

	for (int waited = 0; c->rec.proc.pid == 0 && waited < WAIT_MADE_MS; waited += WAIT_STEP_MS) {
		if (!instance_is_locked(c))
			return 0;
		pause_ms(WAIT_STEP_MS);
		instance_free(c);
		c->globals = g;
		if (instance_open(root, id, c, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- kill ---- */

static int not_running(const struct instance *c, struct err **err)
{
	return err_make(err, ERR_BUSY, "container not running: '%s'", c->id);
}

static int kill_one(const struct instance *c, int sig, struct err **err)
{
	uid_t owner = instance_trusted_owner(c);
	struct runtime_proc program;
	pid_t tracer;
	int r;

	/*
	 * To the program itself. A supervisor that knows of stops has to hear of their end; a program that is not known
	 * (it has not been started) has nobody but the process that waits for it.
	 */
	if (sig == SIGCONT && instance_status(c) == STATUS_PAUSED)
		return 0; /* nothing goes on before resume */
	if (sig == SIGCONT || !instance_program(c, &program, &tracer))
		program = c->rec.proc;
	r = runtime_proc_signal(&program, owner, sig);
	if (r < 0 && errno == ESRCH)
		return not_running(c, err);
	if (r < 0)
		return err_sys(err, errno, "container '%s': kill", c->id);
	/* These cannot be passed on: the whole tree gets them from us. */
	if (sig == SIGKILL || sig == SIGSTOP || sig == SIGCONT)
		(void)members_signal(c, sig);
	if (sig == SIGKILL)
		members_signal_tracers(c, SIGCONT); /* one that is stopped would not see them end */
	return 0;
}

/* A frozen process hears of nothing, and what else a control group holds is ended with the first process: only the delegate knows how. */
static bool needs_delegate(const struct instance *c, int sig)
{
	/* The sandbox's process cannot hand on what the kernel does to it, and hands on nothing before there is a program. */
	if (instance_own_kernel(c))
		return sig != SIGKILL && instance_status(c) != STATUS_CREATED;
	return instance_status(c) == STATUS_PAUSED || (sig == SIGKILL && delegate_has_cgroup(c));
}

/* What the host knows of it is the sandbox: only that knows the others. */
static int kill_all_inside(const struct instance *c, int sig, struct err **err)
{
	static const char *const words[] = { "kill", "--all", NULL };
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", sig);
	return delegate_verb(c, words, number, err);
}

static int kill_delegate(const struct instance *c, int sig, struct err **err)
{
	static const char *const words[] = { "kill", NULL };
	bool foreign = instance_is_foreign(c);
	char number[16];

	/* The first process is all that a delegate would signal, and its start takes longer than the signal. */
	if (foreign || !needs_delegate(c, sig)) {
		if (runtime_proc_signal(&c->rec.proc, instance_trusted_owner(c), sig) == 0) {
			/* The first process of a traced program hands on what it hears of; of these it does not. */
			if (c->rec.tracer.n > 0 && (sig == SIGKILL || sig == SIGSTOP || sig == SIGCONT))
				(void)members_signal(c, sig);
			return 0;
		}
		if (foreign)
			return err_sys(err, errno, "container '%s': kill", c->id);
		if (errno == ESRCH)
			return not_running(c, err);
	}
	(void)snprintf(number, sizeof(number), "%d", sig);
	return delegate_verb(c, words, number, err);
}

int runtime_kill(const struct runtime_globals *g, const char *id, int sig, bool all, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	enum runtime_status status;

	if (instance_find(g, id, &root, &c, err) < 0 || wait_for_pid(&root, id, &c, err) < 0)
		return -1;
	status = instance_status(&c);
	if (status == STATUS_STOPPED || status == STATUS_CREATING) {
		if (!all)
			return not_running(&c, err);
		/* Whatever outlived it, and be it nothing. */
		(void)members_signal(&c, sig);
		return 0;
	}
	if (all && status != STATUS_CREATED && sig != SIGKILL && instance_own_kernel(&c))
		return kill_all_inside(&c, sig, err);
	if (all && status != STATUS_CREATED) {
		(void)members_signal(&c, sig);
		return 0;
	}
	return c.rec.delegate ? kill_delegate(&c, sig, err) : kill_one(&c, sig, err);
}

/* ---- delete ---- */

/* Kill until nothing is left, the supervisor last: it ends by itself when it has seen the others end. */
int instance_destroy(const struct instance *c, struct err **err)
{
	uid_t owner = instance_trusted_owner(c);
	int step = WAIT_FIRST_MS;

	for (int waited = 0; waited < WAIT_TOTAL_MS; waited += step) {
		size_t left = members_signal(c, SIGKILL) + execs_kill(c->dirfd, owner);
		bool alive = runtime_proc_alive(&c->rec.proc, owner);
		struct runtime_proc program;
		pid_t tracer;

		members_signal_tracers(c, SIGCONT);
		if (left == 0 && !alive)
			return 0;
		/* One that still waits for start has nothing below it; one that does not end although all below it has is stuck. */
		if (alive && left == 0 &&
			(!instance_program(c, &program, &tracer) || waited > WAIT_TOTAL_MS / 2))
			(void)runtime_proc_signal(&c->rec.proc, owner, SIGKILL);
		pause_ms(step);
		if (step == WAIT_STEP_MS)
			thaw_members(c);
		step = step * 2 < WAIT_STEP_MS ? step * 2 : WAIT_STEP_MS;
	}
	return err_make(err, ERR_BUSY, "container '%s': its processes do not end", c->id);
}

/* A delegate that was killed before it wrote anything down knows nothing of those that it has made. */
static void forget_cgroups(const struct instance *c)
{
	auto_json *j = NULL;

	if (json_read(c->dirfd, STATE_BUNDLE "/config.json", NULL, &j, NULL) == 0)
		oci_cgroups_forget(json_str(json_path(j, "linux", "cgroupsPath", NULL)));
}

/* Of one that nobody knows the first process of also those who make it: a hook may hang, or have been left by a delegate that was killed. */
static size_t kill_all(const struct instance *c)
{
	size_t makers = c->rec.proc.pid == 0 ? members_kill_makers(c) : 0;

	return makers + members_signal(c, SIGKILL);
}

/*
 * Its processes are ended by us: without a control group, as for ordinary users, runc and crun know of the first one only. What
 * is left is theirs to take back; nobody but the owner may run a program that the record names.
 */
static int destroy_delegate(const struct instance *c, bool force, struct err **err)
{
	static const char *const words[] = { "delete", NULL };
	static const char *const by_force[] = { "delete", "--force", NULL };
	static const char *const resume[] = { "resume", NULL };
	int step = WAIT_FIRST_MS, status;

	/* What is frozen does not even die. */
	if (instance_status(c) == STATUS_PAUSED && !instance_is_foreign(c))
		(void)delegate_verb(c, resume, NULL, NULL);
	for (int waited = 0; kill_all(c) > 0; waited += step) {
		if (waited > WAIT_TOTAL_MS)
			return err_make(err, ERR_BUSY, "container '%s': its processes do not end", c->id);
		pause_ms(step);
		if (step == WAIT_STEP_MS)
			thaw_members(c);
		step = step * 2 < WAIT_STEP_MS ? step * 2 : WAIT_STEP_MS;
	}
	if (!instance_is_foreign(c) && c->rec.proc.pid == 0)
		forget_cgroups(c);
	if (instance_is_foreign(c) || !delegate_is_owed(c))
		return 0;
	status = delegate_verb(c, c->rec.proc.pid ? words : by_force, NULL, err);
	/*
	 * Another delete, or what was left of one, may have been faster, or be at it still; and a control group is busy for a moment after its
	 * last process.
	 */
	for (int i = 0; force && status > 0 && delegate_knows(c) && i < DELEGATE_TRIES; i++) {
		pause_ms(WAIT_STEP_MS << i);
		status = delegate_verb(c, by_force, NULL, err);
	}
	return status > 0 && !delegate_knows(c) ? 0 : status;
}

static int end_processes(const struct instance *c, bool force, struct err **err)
{
	enum runtime_status status = instance_status(c);

	if (!force && status != STATUS_STOPPED && status != STATUS_CREATED) {
		(void)err_make(err, ERR_BUSY, "container '%s' is not stopped: %s", c->id,
			runtime_status_name(status));
		return err_hint(err, "kill it first, or use --force");
	}
	return c->rec.delegate ? destroy_delegate(c, force, err) : instance_destroy(c, err);
}

/* Whoever makes or starts it is waited for; one that hangs cannot keep --force from its work. */
static int lock_for_delete(const struct instance *c, bool force, struct lock *lock, struct err **err)
{
	int r = 0;

	for (int waited = 0; waited < WAIT_TOTAL_MS; waited += WAIT_STEP_MS) {
		r = lock_try(lock, c->dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err);
		if (r != 0)
			return r < 0 ? -1 : 0;
		pause_ms(WAIT_STEP_MS);
	}
	return force ? 0 : err_make(err, ERR_BUSY, "container '%s' is being created or started", c->id);
}

/* Another delete may have been faster, and somebody may have made one of the same name since. */
static bool is_still_there(const struct runtime_root *root, const struct instance *c, const char *id)
{
	struct stat opened, named;

	return fstat(c->dirfd, &opened) == 0 && fstatat(root->fd, id, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static int lock_what_is_there(const struct runtime_root *root, const struct instance *c, const char *id,
	bool force, struct lock *lock, struct err **err)
{
	auto_err *e = NULL;

	if (lock_for_delete(c, force, lock, &e) < 0 && !err_is(e, ERR_NOT_FOUND))
		return err_move(err, &e);
	return e || !is_still_there(root, c, id)
		       ? err_make(err, ERR_NOT_FOUND, "container '%s' does not exist", id)
		       : 0;
}

/* Of a create that was killed the process that waits for start may need a moment to see that. */
static void clean_unpublished(const struct runtime_root *root, bool force)
{
	for (int waited = 0; !runtime_root_clean(root) && force && waited < WAIT_UNPUBLISHED_MS;
		waited += WAIT_STEP_MS)
		pause_ms(WAIT_STEP_MS);
}

int runtime_delete(const struct runtime_globals *g, const char *id, bool force, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_lock lock = LOCK_INIT;
	auto_json *config = NULL;
	auto_err *e = NULL, *gone = NULL;
	int r;

	if (instance_find(g, id, &root, &c, &e) < 0) {
		/* What a delete that was killed has renamed already is not found, and still to be removed. */
		if (err_is(e, ERR_NOT_FOUND))
			clean_unpublished(&root, force);
		if (force && err_is(e, ERR_NOT_FOUND))
			return 0;
		if (!force || !err_is(e, ERR_CORRUPT))
			return err_move(err, &e);
		/* Nothing can be known of it but what lies beside the record. */
		log_verbose("%s", err_text(e));
	}
	if (lock_what_is_there(&root, &c, id, force, &lock, &gone) < 0)
		return force && err_is(gone, ERR_NOT_FOUND) ? 0 : err_move(err, &gone);
	if (!e && c.rec.proc.pid == 0) {
		/* It may have become known while we waited, and nobody may have made it after all. */
		instance_free(&c);
		c.globals = g;
		if (instance_open(&root, id, &c, &e) < 0 && err_is(e, ERR_NOT_FOUND))
			return force ? 0 : err_move(err, &e);
	}
	r = end_processes(&c, force, err);
	if (r != 0)
		return r;
	if (!c.rec.delegate && !instance_is_foreign(&c))
		(void)instance_config(&c, &config, NULL); /* a broken one has no hooks */
	tidy_rootfs(&root, &c);
	if (runtime_root_remove(&root, id, err) < 0)
		return -1;
	(void)runtime_root_clean(&root);
	if (config && c.rec.bundle)
		(void)hooks_run(
			&(struct hook_call){ .config = config, .instance = &c, .status = STATUS_STOPPED },
			HOOK_POSTSTOP, NULL); /* failures have been warned of */
	return 0;
}

/* ---- state and list ---- */

int runtime_get_state(
	const struct runtime_globals *g, const char *id, struct runtime_state *ret, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;

	if (instance_find(g, id, &root, &c, err) < 0)
		return -1;
	instance_state(&c, instance_status(&c), ret);
	return 0;
}

int runtime_list(const struct runtime_globals *g, bool brief, struct runtime_states *ret, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_strv ids = STRV_INIT;

	*ret = (struct runtime_states){ 0 };
	if (runtime_root_open(g->root, false, &root, err) < 0 || runtime_root_list(&root, &ids, err) < 0)
		return -1;
	ret->v = xcalloc(ids.n + 1, sizeof(*ret->v));
	for (size_t i = 0; i < ids.n; i++) {
		auto_instance c = INSTANCE_INIT;
		auto_err *e = NULL;

		if ((brief ? instance_glance : instance_open)(&root, ids.v[i], &c, &e) < 0) {
			log_verbose("%s", err_text(e));
			if (!err_is(e, ERR_CORRUPT))
				continue;
		}
		instance_state(&c, instance_status(&c), &ret->v[ret->n++]);
	}
	return 0;
}

void runtime_states_free(struct runtime_states *s)
{
	for (size_t i = 0; i < s->n; i++)
		runtime_state_free(&s->v[i]);
	free(s->v);
	*s = (struct runtime_states){ 0 };
}
