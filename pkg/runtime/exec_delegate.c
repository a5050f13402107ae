/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec in a container of runc or crun. In the foreground theirs is called detached and the program adopted, as for run: it then has the caller's
 * descriptors as they are, and its wait status comes from the kernel.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engines/engine.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/delegate.h"
#include "pkg/runtime/exec_priv.h"
#include "pkg/runtime/making.h"
#include "pkg/runtime/supervise.h"

#define STATUS_FAILED 255

/* What a call of the delegate needs of files, in a directory of its own: exec/d-PID. */
struct work {
	struct execution *x;
	char *name; /* below the container's directory */
	char *path; /* absolute */
	char *process; /* a process file of ours, or NULL */
	bool wants_terminal;
	char *pid_file; /* ours, or NULL */
	struct carried terminal;
};

static void work_free(struct work *w)
{
	carried_free(&w->terminal);
	if (w->name)
		(void)fs_rm_tree(w->x->c.dirfd, w->name, NULL); /* it may have gone with the container */
	free(w->name);
	free(w->path);
	free(w->process);
	free(w->pid_file);
}

static int work_open(struct work *w, struct err **err)
{
	const struct instance *c = &w->x->c;

	w->name = xasprintf(STATE_EXECS "/d-%d", (int)getpid());
	w->path = path_join(c->path, w->name);
	if ((mkdirat(c->dirfd, STATE_EXECS, 0700) < 0 && errno != EEXIST) ||
		(mkdirat(c->dirfd, w->name, 0700) < 0 && errno != EEXIST))
		return errno == ENOENT ? err_make(err, ERR_NOT_FOUND, "container '%s' does not exist", c->id)
				       : err_sys(err, errno, "container '%s'", c->id);
	return 0;
}

/* ---- a process of ours, where the delegate's command line has no words for it ---- */

static bool is_number(const char *text)
{
	uint32_t n;

	return num_parse_u32(text, &n) == 0;
}

/*
 * Both want numbers for users; crun has no --additional-gids, and its --env replaces the container's environment. A process file is looked at
 * first, since crun takes wrong types for missing ones, and may be a pipe, which can be read only once.
 */
static bool needs_process(const struct execution *x)
{
	const struct runtime_exec_options *o = x->options;
	bool crun = str_eq(x->c.rec.engine, "crun");
	autofree char *user = NULL;
	const char *colon;

	if (x->c.rec.tracer.n > 0 || instance_own_kernel(&x->c) || (o->process_file && *o->process_file) ||
		(o->tty && !o->detach) || (crun && (o->groups->n > 0 || o->env->n > 0)))
		return true;
	if (!o->user || crun)
		return o->user != NULL; /* crun's are looked at, too: check_user() */
	colon = strchr(o->user, ':');
	user = xstrndup(o->user, strcspn(o->user, ":"));
	return !is_number(user) || (colon && !is_number(colon + 1));
}

/*
 * Where root's calls are said to succeed (fake_root.h) crun would take a user that cannot be had for one that it has become, and run the
 * program as root.
 */
static int check_user(const struct execution *x, const struct json *process, struct err **err)
{
	static const struct {
		const char *list, *key, *what;
	} t[] = { { "uidMappings", "uid", "user" }, { "gidMappings", "gid", "group" } };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int64_t id = 0;

		(void)json_to_i64(json_path(process, "user", t[i].key, NULL), &id); /* absent is 0 */
		if (!runtime_id_is_mapped(x->p.bundle.config, t[i].list, id))
			return err_make(err, ERR_DENIED,
				"container '%s': %s %lld is not mapped in its user namespace", x->c.id,
				t[i].what, (long long)id);
	}
	return 0;
}

/* The delegate looks for the first process of a traced program, which would say too late, and with its status, that there is none. */
static int find_program(const struct execution *x, const struct json *process, struct err **err)
{
	auto_runtime_process p = { 0 };

	return runtime_process_read(process, "process", &p, err) < 0
		       ? -1
		       : prepare_find(&x->p.bundle, &p, NULL, err);
}

/* From the configuration that the delegate was given, which differs from the bundle's. */
static int write_process(struct work *w, struct err **err)
{
	struct execution *x = w->x;
	const struct json_limits limits = { .bytes = 2 * RUNTIME_CONFIG_MAX_BYTES };
	auto_json *process = NULL;
	struct json *size;
	struct winsize ws;
	autofree char *name = xasprintf("%s/process.json", w->name);
	autofree char *text = NULL;
	autoclose int fd = -1;

	if (prepare_recorded(&x->c, &x->p, err) < 0)
		return -1;
	json_free(x->p.bundle.config);
	x->p.bundle.config = NULL;
	if (json_read(x->c.dirfd, STATE_BUNDLE "/config.json", &limits, &x->p.bundle.config, err) < 0 ||
		exec_process(x->options, &x->p.bundle, &process, err) < 0 || check_user(x, process, err) < 0)
		return -1;
	w->wants_terminal = json_true(json_get(process, "terminal"));
	/* So that the program sees the size of the caller's terminal from its first moment. */
	if (w->wants_terminal && !x->options->detach && ioctl(0, TIOCGWINSZ, &ws) == 0 && ws.ws_row) {
		size = json_need_object(process, "consoleSize");
		json_set_i64(size, "height", ws.ws_row);
		json_set_i64(size, "width", ws.ws_col);
	}
	if ((x->c.rec.tracer.n > 0 || instance_own_kernel(&x->c)) && find_program(x, process, err) < 0)
		return -1;
	if (x->c.rec.tracer.n > 0)
		engine_trace_further(process, json_get(x->p.bundle.config, "process"), &x->c.rec.tracer,
			&x->c.rec.tracer_ids);
	text = json_text(process, 0);
	fd = fs_open(x->c.dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600, FS_BENEATH);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		return err_sys(err, errno, "container '%s': process file", x->c.id);
	w->process = path_join(x->c.path, name);
	return 0;
}

/* ---- its command line ---- */

static void add_value(struct strv *argv, const char *option, const char *value)
{
	if (!value)
		return;
	strv_add(argv, option);
	strv_add(argv, value);
}

static void add_list(struct strv *argv, const char *option, const struct strv *values)
{
	for (size_t i = 0; i < values->n; i++)
		add_value(argv, option, values->v[i]);
}

static void add_path(struct strv *argv, const char *option, const char *path)
{
	if (!path || !*path)
		return;
	strv_add(argv, option);
	delegate_add_absolute(argv, path);
}

static void add_process(const struct work *w, struct strv *argv)
{
	const struct runtime_exec_options *o = w->x->options;

	if (w->wants_terminal && !instance_own_kernel(&w->x->c)) /* that one goes by the file */
		strv_add(argv, "--tty");
	if (w->process) {
		add_path(argv, "--process", w->process);
		return;
	}
	add_value(argv, "--user", o->user);
	add_value(argv, "--cwd", o->cwd);
	add_value(argv, "--apparmor", o->apparmor);
	add_value(argv, "--process-label", o->process_label);
	add_list(argv, "--additional-gids", o->groups);
	add_list(argv, "--cap", o->caps);
	add_list(argv, "--env", o->env);
	if (o->no_new_privs)
		strv_add(argv, "--no-new-privs");
}

static void build_command(const struct work *w, struct strv *argv)
{
	const struct execution *x = w->x;
	const struct runtime_exec_options *o = x->options;

	strv_dup(argv, &x->c.rec.prefix);
	delegate_add_globals(argv, x->globals);
	strv_add(argv, "exec");
	strv_add(argv, "--detach");
	add_path(argv, "--pid-file", w->pid_file ? w->pid_file : o->pid_file);
	add_path(argv, "--console-socket", w->terminal.path ? w->terminal.path : o->console_socket);
	add_process(w, argv);
	add_list(argv, "--cgroup", o->cgroups);
	if (o->ignore_paused)
		strv_add(argv, "--ignore-paused");
	delegate_add_preserved(argv, &x->fds);
	strv_add(argv, o->id);
	if (instance_own_kernel(&x->c))
		return; /* it takes the words of its file alone */
	for (size_t i = 0; i < o->args->n; i++)
		strv_add(argv, o->args->v[i]);
}

/* 0, or a positive status when it has failed and said why. */
static int call(const struct work *w, struct err **err)
{
	auto_strv argv = STRV_INIT;
	int status;
	pid_t pid = 0;

	build_command(w, &argv);
	w->x->fds.guard_devices = w->x->c.rec.guard_devices;
	if (delegate_start(&w->x->fds, w->x->c.rec.mark, &argv, false, &pid, err) < 0 ||
		proc_wait(pid, &status, err) < 0)
		return -1;
	/* delete --force ends what is being started, too. */
	if (status > 128 && status <= 128 + SIGRTMAX)
		return err_make(err, ERR_ENGINE, "container '%s': %s was killed while it started the program",
			w->x->options->id, w->x->c.rec.engine);
	return status ? STATUS_FAILED : 0;
}

/* ---- in the foreground ---- */

static int read_pid(const struct work *w, pid_t *ret, struct err **err)
{
	autofree char *name = xasprintf("%s/pid", w->name);
	auto_str text = STR_INIT;
	int pid = 0;

	if (fs_read(w->x->c.dirfd, name, 32, &text, FS_BENEATH) == 0)
		str_trim(&text);
	if (num_parse_int(str_text(&text), 1, INT32_MAX, &pid) < 0)
		return err_make(err, ERR_ENGINE, "%s wrote no pid file", w->x->c.rec.engine);
	*ret = (pid_t)pid;
	return pid_file_write(w->x->options->pid_file, *ret, err);
}

static int adopt(struct work *w, int sigfd, int *ret_status, struct err **err)
{
	struct supervise s = {
		.sigfd = sigfd, .tty = -1, .foreground = true, .own_session = true, .leave = true
	};
	pid_t pid = 0;
	int status;

	*ret_status = call(w, err);
	if (*ret_status)
		return *ret_status < 0 ? -1 : 0;
	if (read_pid(w, &pid, err) < 0 || carried_receive(&w->terminal, err) < 0)
		return -1;
	s.relay = w->terminal.relay;
	s.run = (struct launched){ .engine = pid, .program = pid };
	s.traced_below = w->x->c.rec.tracer.n > 0;
	runtime_fds_drop(&w->x->fds, true);
	status = supervise(&s);
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

static int exec_attached(struct work *w, int *ret_status, struct err **err)
{
	int sigfd, r;

	w->pid_file = path_join(w->path, "pid");
	if (w->wants_terminal && console_listen(w->path, &w->terminal.path, &w->terminal.listen_fd, err) < 0)
		return -1;
	sigfd = supervise_begin(err);
	if (sigfd < 0)
		return -1;
	r = adopt(w, sigfd, ret_status, err);
	carried_free(&w->terminal);
	supervise_cancel(sigfd);
	return r;
}

int exec_delegate(struct execution *x, int *ret_status, struct err **err)
{
	CLEANUP(work_free) struct work w = { .x = x, .terminal = CARRIED_INIT };
	const struct runtime_exec_options *o = x->options;
	bool own_process = needs_process(x);

	if (delegate_check_fds(&x->c, &x->fds, err) < 0)
		return -1;
	w.wants_terminal = o->tty;
	if ((!o->detach || own_process) && work_open(&w, err) < 0)
		return -1;
	if ((own_process && write_process(&w, err) < 0) ||
		console_check(w.wants_terminal, !o->detach, o->console_socket, err) < 0)
		return -1;
	if (!o->detach)
		return exec_attached(&w, ret_status, err);
	/* runsc of 2022 calls itself with wrong words where it has no pid file. */
	if (instance_own_kernel(&x->c) && !(o->pid_file && *o->pid_file))
		w.pid_file = path_join(w.path, "pid");
	*ret_status = call(&w, err);
	return *ret_status < 0 ? -1 : 0;
}
