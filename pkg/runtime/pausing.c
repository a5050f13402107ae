/* SPDX-License-Identifier: Apache-2.0 */
/* pause, resume, ps, and the verbs of delegates. */
#include "pkg/runtime/pausing.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/lock.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/execs.h"
#include "pkg/runtime/making.h"
#include "pkg/runtime/members.h"

#define STOP_MS 3000 /* until all stand still */
#define STEP_MS 5
#define PS_MAX ((size_t)64 << 20)
#define PS_TIMEOUT_MS 30000

/* ---- pause, resume ---- */

static int write_mark(const struct instance *c, struct err **err)
{
	autoclose int fd = fs_open(c->dirfd, STATE_PAUSED, O_WRONLY | O_CREAT, 0600, FS_BENEATH);

	return fd < 0 ? err_sys(err, errno, "container '%s': pause", c->id) : 0;
}

static bool all_stand_still(const struct instance *c)
{
	auto_tree t;

	members_find(c, &t);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].chosen && !t.v[i].zombie && !t.v[i].stopped)
			return false;
	return true;
}

/* A tracer that knows of no stops would let its tracees run on: it stands still first, and they with it at their next call or signal. */
static void stop_all(const struct instance *c)
{
	for (int waited = 0; waited < STOP_MS; waited += STEP_MS) {
		members_signal_tracers(c, SIGSTOP);
		(void)members_signal(c, SIGSTOP);
		if (all_stand_still(c))
			return;
		(void)poll(NULL, 0, STEP_MS);
	}
}

static void continue_all(const struct instance *c)
{
	(void)members_signal(c, SIGCONT);
	members_signal_tracers(c, SIGCONT);
	/* Supervisors know of stops, too. */
	(void)runtime_proc_signal(&c->rec.proc, instance_trusted_owner(c), SIGCONT);
}

int runtime_pause(const struct runtime_globals *g, const char *id, struct err **err)
{
	static const char *const words[] = { "pause", NULL };
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_lock lock = LOCK_INIT;
	int r;

	if (instance_find(g, id, &root, &c, err) < 0 ||
		lock_take(&lock, c.dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	if (c.rec.delegate) {
		r = delegate_verb(&c, words, NULL, err);
		return r == 0 ? write_mark(&c, err) : r;
	}
	if (instance_status(&c) != STATUS_RUNNING)
		return err_make(err, ERR_BUSY, "container not running: '%s' is %s", id,
			runtime_status_name(instance_status(&c)));
	/* First: whatever happens to us, resume knows what to do. */
	if (write_mark(&c, err) < 0)
		return -1;
	stop_all(&c);
	return 0;
}

int runtime_resume(const struct runtime_globals *g, const char *id, struct err **err)
{
	static const char *const words[] = { "resume", NULL };
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_lock lock = LOCK_INIT;
	int r = 0;

	if (instance_find(g, id, &root, &c, err) < 0 ||
		lock_take(&lock, c.dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	if (c.rec.delegate)
		r = delegate_verb(&c, words, NULL, err);
	else if (instance_status(&c) != STATUS_PAUSED)
		r = err_make(err, ERR_BUSY, "container not paused: '%s' is %s", id,
			runtime_status_name(instance_status(&c)));
	else
		continue_all(&c);
	if (r == 0)
		(void)unlinkat(c.dirfd, STATE_PAUSED, 0); /* it may have been paused by runc itself */
	return r;
}

/* ---- ps ---- */

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static void list_pids(const struct instance *c, pid_t **ret, size_t *ret_n)
{
	auto_tree t;
	pid_t *v;
	size_t n = 0;

	members_find(c, &t);
	/* What the caller knows it by. */
	tree_choose_one(&t, &c->rec.proc);
	v = xcalloc(t.n + 1, sizeof(*v));
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].chosen && !t.v[i].zombie)
			v[n++] = t.v[i].pid;
	qsort(v, n, sizeof(*v), by_pid);
	*ret = v;
	*ret_n = n;
}

int runtime_ps(const struct runtime_globals *g, const char *id, const char *format, const struct strv *args,
	pid_t **ret_pids, size_t *ret_n, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_strv before = STRV_INIT;

	*ret_pids = NULL;
	if (instance_find(g, id, &root, &c, err) < 0)
		return -1;
	if (instance_status(&c) == STATUS_STOPPED) {
		/* None: as runc says it, and not an error. */
		*ret_pids = xcalloc(1, sizeof(**ret_pids));
		*ret_n = 0;
		return 0;
	}
	if (c.rec.delegate && !instance_is_foreign(&c) &&
		(delegate_has_cgroup(&c) || instance_own_kernel(&c))) {
		strv_add(&before, "ps");
		strv_addf(&before, "--format=%s", format ? format : "table");
		return delegate_words(&c, &before, args, err);
	}
	list_pids(&c, ret_pids, ret_n);
	return 0;
}

/* The column of a line of ps(1), from 0. */
static char *column(const char *line, size_t n)
{
	auto_strv words = STRV_INIT;

	strv_split(&words, line, " \t");
	return xstrdup(n < words.n ? words.v[n] : "");
}

static bool is_about(const char *line, size_t pid_column, const pid_t *pids, size_t n)
{
	autofree char *word = column(line, pid_column);
	int pid;

	if (num_parse_int(word, 1, INT32_MAX, &pid) < 0)
		return false;
	return bsearch(&(pid_t){ pid }, pids, n, sizeof(*pids), by_pid) != NULL;
}

static int choose_rows(const char *text, const pid_t *pids, size_t n, struct str *ret, struct err **err)
{
	auto_strv lines = STRV_INIT, head = STRV_INIT;
	size_t pid_column = 0;

	strv_split(&lines, text, "\n");
	if (lines.n > 0)
		strv_split(&head, lines.v[0], " \t");
	while (pid_column < head.n && !str_eq(head.v[pid_column], "PID"))
		pid_column++;
	if (pid_column >= head.n)
		return err_make(err, ERR_USAGE, "ps: there is no column PID in what it prints");
	for (size_t i = 0; i < lines.n; i++)
		if (i == 0 || is_about(lines.v[i], pid_column, pids, n))
			(void)str_addf(ret, "%s\n", lines.v[i]);
	return 0;
}

int runtime_ps_table(const pid_t *pids, size_t n, const struct strv *args, struct str *ret, struct err **err)
{
	const char *path = host_env("PATH");
	struct proc_spawn s = PROC_SPAWN_INIT;
	auto_strv argv = STRV_INIT;
	auto_str text = STR_INIT;
	autofree char *ps = proc_find("ps", path ? path : "/usr/bin:/bin");
	int status;

	if (!ps)
		return err_make(err, ERR_NOT_FOUND, "ps: there is no such program on this machine");
	strv_add(&argv, ps);
	if (args->n == 0)
		strv_add(&argv, "-ef");
	strv_add_all(&argv, (const char *const *)strv_argv(args));
	s.path = ps;
	s.argv = strv_argv(&argv);
	s.fd_in = PROC_NULL;
	if (proc_capture(&s, PS_MAX, PS_TIMEOUT_MS, &text, &status, err) < 0)
		return err_add(err, "ps");
	if (status != 0)
		return err_make(err, ERR_ENGINE, "ps: exit status %d", status);
	return choose_rows(str_text(&text), pids, n, ret, err);
}

/* ---- those of delegates ---- */

static int open_delegated(const struct runtime_globals *g, const char *verb, const char *id,
	struct runtime_root *root, struct instance *c, struct err **err)
{
	if (instance_find(g, id, root, c, err) < 0)
		return -1;
	if (c->rec.delegate)
		return 0;
	(void)err_make(err, ERR_UNSUPPORTED, "container '%s': engine %s has no %s", id, c->rec.engine, verb);
	return err_hint(err, "run it with --engine runc or --engine crun (--execmode R1)");
}

int runtime_delegated(const struct runtime_globals *g, const char *verb, const struct strv *options,
	const char *id, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_strv before = STRV_INIT, after = STRV_INIT;

	if (open_delegated(g, verb, id, &root, &c, err) < 0)
		return -1;
	strv_add(&before, verb);
	strv_add_all(&before, (const char *const *)strv_argv(options));
	return delegate_words(&c, &before, &after, err);
}

int runtime_restore(const struct runtime_globals *g, const struct strv *options, const char *id,
	const char *pid_file, struct err **err)
{
	auto_runtime_root root = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_strv before = STRV_INIT, after = STRV_INIT;
	int r;

	if (open_delegated(g, "restore", id, &root, &c, err) < 0)
		return -1;
	if (instance_status(&c) != STATUS_STOPPED)
		return err_make(err, ERR_BUSY, "container '%s' is not stopped: %s", id,
			runtime_status_name(instance_status(&c)));
	strv_add(&before, "restore");
	strv_add(&before, "--bundle");
	strv_add_owned(&before, path_join(c.path, STATE_BUNDLE));
	strv_add(&before, "--pid-file");
	strv_add_owned(&before, path_join(c.path, STATE_PIDFILE));
	strv_add_all(&before, (const char *const *)strv_argv(options));
	r = delegate_words(&c, &before, &after, err);
	if (r != 0)
		return r;
	/* In the foreground it has ended again by now. */
	if (instance_read_pid_file(&c) &&
		(instance_write(&c, false, err) < 0 || pid_file_write(pid_file, c.rec.proc.pid, err) < 0))
		return -1;
	return 0;
}
