/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of runc, crun and runsc, which own their containers: we hand them a rewritten bundle and keep the books. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/sig.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/delegate.h"
#include "pkg/runtime/launch.h"
#include "pkg/runtime/making.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/supervise.h"
#include "pkg/runtime/watcher.h"

#define STATUS_NOT_STARTED 125

bool delegate_knows(const struct instance *c)
{
	autofree char *name = instance_delegate_name(c);

	return fs_exists(c->dirfd, name);
}

/* A control group that is still there would stay behind. */
bool delegate_has_cgroup(const struct instance *c)
{
	autofree char *runc = xasprintf(STATE_DELEGATE "/%s/state.json", c->id);
	autofree char *crun = xasprintf(STATE_DELEGATE "/%s/status", c->id);
	auto_json *j = NULL;
	const struct json *paths;
	const char *path;

	if (instance_own_kernel(c))
		return !strv_has(&c->rec.prefix, "--ignore-cgroups");
	if (json_read(c->dirfd, runc, NULL, &j, NULL) == 0) {
		paths = json_get(j, "cgroup_paths");
		for (size_t i = 0; i < json_len(paths); i++) {
			path = json_str(json_value_at(paths, i));
			if (path && *path && access(path, F_OK) == 0)
				return true;
		}
		return false;
	}
	if (json_read(c->dirfd, crun, NULL, &j, NULL) < 0)
		return true;
	path = json_str(json_get(j, "cgroup-path"));
	return path && *path;
}

static bool has_poststop(const struct instance *c)
{
	auto_json *j = NULL;

	/* One that cannot be read may have hooks. */
	return json_read(c->dirfd, STATE_BUNDLE "/config.json", NULL, &j, NULL) < 0 ||
	       json_len(json_path(j, "hooks", "poststop", NULL)) > 0;
}

bool delegate_is_owed(const struct instance *c)
{
	return delegate_knows(c) && (delegate_has_cgroup(c) || has_poststop(c));
}

/* ---- its command line ---- */

void delegate_add_globals(struct strv *argv, const struct runtime_globals *g)
{
	if (!g)
		return;
	if (g->debug)
		strv_add(argv, "--debug");
	if (g->log_file && *g->log_file) {
		strv_add(argv, "--log");
		strv_add(argv, g->log_file);
		strv_add(argv, "--log-format");
		strv_add(argv, g->log_format ? g->log_format : "text");
	}
}

void delegate_add_absolute(struct strv *argv, const char *path)
{
	autofree char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);

	if (cwd)
		strv_add_owned(argv, path_join(cwd, path));
	else
		strv_add(argv, path);
}

/* The highest number that is preserved: runc and crun take a count from 3 up. */
static int preserved(const struct runtime_fds *fds)
{
	return fds->n > 3 ? fds->to[fds->n - 1] - 2 : 0;
}

void delegate_add_preserved(struct strv *argv, const struct runtime_fds *fds)
{
	int more = preserved(fds) - (int)fds->listen; /* those it finds itself */

	if (more <= 0)
		return;
	strv_add(argv, "--preserve-fds");
	strv_addf(argv, "%d", more);
}

int delegate_check_fds(const struct instance *c, const struct runtime_fds *fds, struct err **err)
{
	if (!instance_own_kernel(c) || fds->n <= 3)
		return 0;
	err_make(err, ERR_UNSUPPORTED, "%s hands no descriptors on but 0, 1 and 2", c->rec.engine);
	return err_hint(err, "leave --preserve-fds out, or choose another engine with --engine");
}

static void build_command(
	const struct making *m, const char *verb, bool detach, const char *console, struct strv *argv)
{
	const struct runtime_create_options *o = m->options;

	for (size_t i = 0; i < m->p.plan.prefix.n; i++)
		strv_add(argv, m->p.plan.prefix.v[i]);
	delegate_add_globals(argv, m->globals);
	strv_add(argv, verb);
	if (detach)
		strv_add(argv, "--detach");
	strv_add(argv, "--bundle");
	if (m->p.plan.config_in_bundle) {
		strv_add_owned(argv, path_join(m->c.path, STATE_BUNDLE));
	} else {
		strv_add(argv, m->c.rec.bundle); /* hooks are told of it, and run in it */
		strv_add(argv, "--config");
		strv_add_owned(argv, path_join(m->c.path, STATE_BUNDLE "/config.json"));
	}
	strv_add(argv, "--pid-file");
	strv_add_owned(argv, path_join(m->c.path, STATE_PIDFILE));
	if (console && *console) {
		strv_add(argv, "--console-socket");
		delegate_add_absolute(
			argv, console); /* it is looked up in the bundle, not in our directory */
	}
	/* What has a kernel of its own has neither. */
	if (o->no_pivot && !m->p.plan.own_kernel)
		strv_add(argv, "--no-pivot");
	if (o->no_new_keyring && !m->p.plan.own_kernel)
		strv_add(argv, "--no-new-keyring");
	delegate_add_preserved(argv, &m->fds);
	strv_add(argv, m->c.id);
}

/* In the child: the preserved descriptors pass, and gaps between them are filled where a delegate counts without them. */
static void pass_descriptors(const struct runtime_fds *fds)
{
	int last = preserved(fds) + 2;

	for (int fd = 3; fd <= last; fd++) {
		bool wanted = false;

		for (size_t i = 3; i < fds->n; i++)
			wanted |= fds->to[i] == fd;
		if (!wanted && fds->gaps)
			continue;
		if (!wanted) {
			int null = open("/dev/null", O_RDWR);

			if (null >= 0 && null != fd) {
				(void)dup2(null, fd);
				close(null);
			}
		}
		(void)fd_set_cloexec(fd, false);
	}
}

/*
 * The same device through a mount that is read-only and that nobody else has: it can be read and written, and its owner cannot
 * be changed. Where the kernel (before 5.12) or a sandbox does not have that, the stream stays as it is. Async-signal-safe.
 */
static int read_only_device(int fd, bool null)
{
	/* struct mount_attr; glibc's headers and the kernel's exclude each other. */
	const struct {
		uint64_t set, clear, propagation, userns;
	} attr = { .set = 1 /* MOUNT_ATTR_RDONLY */ };
	const unsigned clone = 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_EMPTY_PATH;
	int mode = fcntl(fd, F_GETFL);
	int tree = mode < 0 ? -1 : (int)syscall(SYS_open_tree, fd, "", clone);
	char path[32];
	int r = -1;

	/* Of another mount namespace; any null device is as good. */
	if (tree < 0 && mode >= 0 && null)
		tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/dev/null", clone);
	if (tree < 0)
		return -1;
	(void)snprintf(
		path, sizeof(path), "/proc/self/fd/%d", tree); /* integers take no lock and no memory */
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		r = open(path, (mode & (O_ACCMODE | O_APPEND)) | O_NOCTTY | O_CLOEXEC);
	close(tree);
	return r;
}

/* In the child: a null device of the host among the standard streams does not become the container's. */
static void guard_devices(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int guarded = -1;

		if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && !isatty(fd))
			guarded = read_only_device(fd, st.st_rdev == makedev(1, 3));
		if (guarded >= 0) {
			(void)dup2(guarded, fd);
			close(guarded);
		}
	}
}

/* Async-signal-safe. */
static int write_line(const char *path, const char *text)
{
	size_t n = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t r = fd < 0 ? -1 : write(fd, text, n);

	if (fd >= 0)
		(void)close(fd); /* nothing is left to be lost */
	return r == (ssize_t)n ? 0 : -1;
}

static int map_root(const char *path, unsigned id)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "0 %u 1\n", id); /* integers take no lock and no memory */
	return write_line(path, text);
}

/* In the child: root of a user namespace that has one id. */
static int enter_userns(void)
{
	unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || map_root("/proc/self/uid_map", uid) < 0 ||
		write_line("/proc/self/setgroups", "deny") < 0)
		return -1;
	return map_root("/proc/self/gid_map", gid);
}

/* In the child. */
static NORETURN void become_delegate(
	const struct runtime_fds *fds, uint64_t mark, char *const *words, char *const *env, pid_t parent)
{
	/* Alone it would go on to make a container in a directory that nobody knows of, or that has been deleted. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(125);
	mark_ourselves(mark);
	if (fds->guard_devices)
		guard_devices();
	if (fds->userns && enter_userns() < 0)
		_exit(STATUS_NOT_STARTED);
	pass_descriptors(fds);
	sig_reset_all();
	execve(words[0], words, env);
	_exit(errno == ENOENT ? 127 : 126);
}

int delegate_start(const struct runtime_fds *fds, uint64_t mark, const struct strv *argv, bool no_path,
	pid_t *ret, struct err **err)
{
	char *const *words = strv_argv(argv);
	auto_strv env = STRV_INIT;
	pid_t parent = getpid();

	strv_add(&env, "PATH=/dev/null"); /* one that is empty means the working directory */
	for (char **e = environ; *e; e++)
		if (!str_starts(*e, "PATH="))
			strv_add(&env, *e);
	/* Where nothing speaks against it we stand still until it has exec'd: it needs no copy of our memory, and changes nothing of ours. */
	pid_t pid = fds->userns ? fork() : vfork();

	if (pid < 0)
		return err_sys(err, errno, "start %s: fork", argv->v[0]);
	if (pid == 0)
		become_delegate(fds, mark, words, no_path ? strv_argv(&env) : environ, parent);
	*ret = pid;
	return 0;
}

/* What it may have left of a container that did not come into being. */
static void forget(const struct instance *c)
{
	static const char *const words[] = { "delete", "--force", NULL };
	auto_err *e = NULL;

	if (delegate_knows(c) && delegate_verb(c, words, NULL, &e) < 0)
		log_debug("%s", err_text(e));
}

/*
 * Under NOTIFY_SOCKET it makes a socket for the program below its root, when the program is to start. Is the path of that longer than a
 * socket's can be?
 */
static bool is_too_deep(const struct instance *c)
{
	static const char below[] = "/" STATE_DELEGATE "//notify/notify.sock"; /* crun's is shorter */

	return host_env("NOTIFY_SOCKET") &&
	       strlen(c->path) + strlen(c->id) + sizeof(below) > sizeof(((struct sockaddr_un *)0)->sun_path);
}

/* ---- create, run --detach ---- */

static int finish_create(struct making *m, struct err **err)
{
	if (!instance_read_pid_file(&m->c))
		return err_make(err, ERR_ENGINE, "%s wrote no pid file", m->c.rec.engine);
	if (instance_write(&m->c, false, err) < 0)
		return -1;
	return making_write_pid_file(m, m->c.rec.proc.pid, err);
}

/* One command for create and start, unless the program's socket is too deep: a container's mounts need its path, start does not. */
static void build_run(const struct making *m, bool run, bool detach, const char *console, struct strv *argv)
{
	bool at_once = run && !is_too_deep(&m->c);

	build_command(m, at_once ? "run" : "create", at_once && detach, console, argv);
	launch_tell(argv);
}

static int finish_run(const struct making *m, pid_t pid, bool run, int *ret_status, struct err **err)
{
	if (proc_wait(pid, ret_status, err) < 0)
		return -1;
	if (!run || *ret_status || !is_too_deep(&m->c))
		return 0;
	*ret_status = delegate_begin(&m->c, err);
	return *ret_status < 0 ? -1 : 0;
}

int delegate_create(struct making *m, bool run, struct err **err)
{
	auto_lock lock = LOCK_INIT;
	auto_strv argv = STRV_INIT;
	int status = 0, r;
	pid_t pid = 0;

	/* Held while there is no pid: says that somebody is at it. */
	if (lock_take(&lock, m->c.dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	build_run(m, run, run, m->options->console_socket, &argv);
	r = making_publish(m, (struct runtime_proc){ 0 }, err);
	if (r == 0)
		r = delegate_start(&m->fds, m->maker_mark, &argv, m->p.plan.no_path, &pid, err);
	if (r == 0)
		r = finish_run(m, pid, run, &status, err);
	if (r == 0 && status == 0)
		r = finish_create(m, err);
	if (r < 0 || status != 0) {
		forget(&m->c);
		making_undo(m);
	}
	return r < 0 ? -1 : status;
}

/* ---- run in the foreground ---- */

/* The delegate is busy for a while: what would have to be done in the end is done now. */
static void use_the_time(struct making *m)
{
	runtime_root_sweep(&m->root);
	m->owes_nothing =
		!m->p.plan.cgroups && json_len(json_path(m->p.bundle.config, "hooks", "poststop", NULL)) == 0;
	json_free(steal_ptr(&m->p.plan.config));
	json_free(steal_ptr(&m->p.bundle.config));
}

/*
 * Under a service manager (NOTIFY_SOCKET) crun waits for the program's word that it is ready, and may see its end instead: then its own
 * status is the program's.
 */
static bool has_ended(struct making *m)
{
	return instance_read_pid_file(&m->c) && kill(m->c.rec.proc.pid, 0) < 0 && errno == ESRCH;
}

/* Wait for the start to be over. *ret_status is 0 or what it has failed with, having said why. */
static int start_adopted(
	struct making *m, const struct carried *t, int *ret_status, bool *ret_ended, struct err **err)
{
	auto_strv argv = STRV_INIT;
	pid_t pid = 0;

	build_run(m, true, true, t->path, &argv);
	if (delegate_start(&m->fds, m->maker_mark, &argv, m->p.plan.no_path, &pid, err) < 0)
		return -1;
	use_the_time(m);
	if (finish_run(m, pid, true, ret_status, err) < 0)
		return -1;
	*ret_ended = has_ended(m);
	if (*ret_status && (*ret_status == 1 || m->p.plan.own_kernel) && !*ret_ended)
		*ret_status = STATUS_NOT_STARTED;
	return *ret_status && !*ret_ended ? 0 : finish_create(m, err);
}

/*
 * Detached and adopted: its first process then has the caller's descriptors as they are, where `run` in the foreground would put
 * pipes and copies in between, and its wait status comes from the kernel.
 */
static int run_adopted(struct making *m, int sigfd, struct lock *lock, int *ret_status, struct err **err)
{
	struct supervise s = { .sigfd = sigfd, .tty = -1, .foreground = true, .own_session = true };
	CLEANUP(carried_free) struct carried t = CARRIED_INIT;
	bool ended = false;
	int status;

	if (m->p.process.terminal && console_listen(m->c.path, &t.path, &t.listen_fd, err) < 0)
		return -1;
	if (m->options->ends_with_us)
		watcher_start(&m->c);
	if (start_adopted(m, &t, ret_status, &ended, err) < 0)
		return -1;
	if (*ret_status || ended)
		return 0;
	lock_release(lock);
	if (carried_receive(&t, err) < 0)
		return -1;
	s.relay = t.relay;
	s.run = (struct launched){ .engine = m->c.rec.proc.pid, .program = m->c.rec.proc.pid };
	s.traced_below = m->c.rec.tracer.n > 0;
	runtime_fds_drop(&m->fds, true);
	status = supervise(&s);
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

int delegate_run(struct making *m, int *ret_status, struct err **err)
{
	auto_lock lock = LOCK_INIT;
	int sigfd, r;

	if (lock_take(&lock, m->c.dirfd, STATE_LOCK, LOCK_EXCLUSIVE, err) < 0)
		return -1;
	sigfd = supervise_begin(err);
	r = sigfd < 0 ? -1 : making_publish(m, (struct runtime_proc){ 0 }, err);
	if (r == 0)
		r = run_adopted(m, sigfd, &lock, ret_status, err);
	lock_release(&lock);
	supervise_cancel(sigfd);
	if (r == 0 && m->c.rec.proc.pid != 0 && m->options->keep)
		return 0;
	if (m->published && !(r == 0 && m->owes_nothing) && delegate_is_owed(&m->c))
		forget(&m->c);
	m->retire = true;
	making_undo(m);
	return r;
}

/* ---- the other verbs ---- */

/* rootfd: a descriptor of its root, by which it shall name it; or -1. */
static int words_below(const struct instance *c, int rootfd, const struct strv *before,
	const struct strv *after, struct err **err)
{
	const int keep[] = { rootfd, -1 };
	auto_strv argv = STRV_INIT;
	struct proc_spawn s = PROC_SPAWN_INIT;
	int status;
	pid_t pid = 0;

	if (instance_is_foreign(c) || c->rec.prefix.n == 0)
		return err_make(err, ERR_DENIED, "container '%s' belongs to uid %lu, who has to do this",
			c->id, (unsigned long)c->owner);
	strv_dup(&argv, &c->rec.prefix);
	if (rootfd >= 0) { /* the last one counts */
		strv_add(&argv, "--root");
		strv_addf(&argv, "/proc/self/fd/%d", rootfd);
	}
	delegate_add_globals(&argv, c->globals);
	strv_add_all(&argv, (const char *const *)strv_argv(before));
	strv_add(&argv, c->id);
	strv_add_all(&argv, (const char *const *)strv_argv(after));
	s.path = argv.v[0];
	s.argv = strv_argv(&argv);
	s.keep = keep;
	s.keep_all = true;
	/* Later it would make its directory again, in a container that has been deleted meanwhile. */
	s.ends_with_us = SIGKILL;
	if (proc_spawn(&s, &pid, err) < 0 || proc_wait(pid, &status, err) < 0)
		return -1;
	return status;
}

int delegate_words(
	const struct instance *c, const struct strv *before, const struct strv *after, struct err **err)
{
	return words_below(c, -1, before, after, err);
}

int delegate_begin(const struct instance *c, struct err **err)
{
	auto_strv before = STRV_INIT, after = STRV_INIT;
	autoclose int rootfd = -1;

	if (is_too_deep(c)) {
		rootfd = openat(c->dirfd, STATE_DELEGATE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (rootfd < 0)
			return err_sys(err, errno, "container '%s': " STATE_DELEGATE, c->id);
	}
	strv_add(&before, "start");
	return words_below(c, rootfd, &before, &after, err);
}

int delegate_verb(const struct instance *c, const char *const *words, const char *more, struct err **err)
{
	auto_strv before = STRV_INIT, after = STRV_INIT;

	strv_add_all(&before, words);
	if (more)
		strv_add(&after, more);
	return delegate_words(c, &before, &after, err);
}
