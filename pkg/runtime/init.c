/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of the wait between create and start: the waiting process, and start's end of the fifo. */
#include "pkg/runtime/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/runtime/execs.h"
#include "pkg/runtime/fds.h"
#include "pkg/runtime/namespaces.h"
#include "pkg/runtime/report.h"
#include "pkg/runtime/state.h"
#include "pkg/runtime/supervise.h"

#define READY 'R'
#define COMMIT 'C'
#define START 'S'
#define FAILURE_MAX 256
#define POLL_MS 50 /* how often start looks whether the process still lives */

/* ---- the waiting process ---- */

/* Opened before create returns, so that start finds a reader, or nobody. */
static int open_fifo(int dirfd)
{
	int fd = fs_open(dirfd, STATE_FIFO, O_RDONLY | O_NONBLOCK, 0, FS_BENEATH);

	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, O_RDONLY);
	return fd;
}

/* Until a byte has come. The fifo has had no writer before, so that its end is no event. */
static void wait_for_start(int fifo)
{
	char byte;

	for (;;) {
		struct pollfd p = { .fd = fifo, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			_exit(125);
		n = read(fifo, &byte, 1);
		if (n == 1)
			return;
		if (n == 0)
			(void)usleep(10000); /* a start that opened it and died: its end stays readable */
	}
}

static int exit_status_of(const struct err *e)
{
	return err_is(e, ERR_NOT_FOUND) ? 127 : err_is(e, ERR_DENIED) ? 126 : 125;
}

static void write_program(const struct launched *run, void *arg)
{
	const struct init *init = arg;

	/* Without it `kill` goes by way of us. */
	(void)instance_write_program(
		init->dirfd, run->program, run->engine == run->program ? 0 : run->engine);
}

/* Returns with what kept us from it. */
static void become_program(struct init *init, int reply, struct err **err)
{
	autoclose int null = reply < 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	(void)instance_write_program(init->dirfd, getpid(), 0);
	(void)runtime_become(&init->launch, reply < 0 ? null : reply, err);
}

static NORETURN void run_program(struct init *init, int reply)
{
	struct supervise s = { .tty = -1 };
	auto_err *e = NULL;
	int status;

	s.sigfd = supervise_begin(&e);
	if (s.sigfd >= 0 && !init->launch.plan)
		(void)err_make(
			&e, ERR_UNSUPPORTED, "container '%s': config.json has no process to start", init->id);
	init->hooks.pid = getpid();
	if (!e)
		(void)hooks_run_inside(&init->hooks, &init->launch, s.sigfd, &e);
	if (!e && runtime_launch_is_alone(&init->launch))
		become_program(init, reply, &e);
	if (e || runtime_launch(&init->launch, write_program, init, &s.run, &e) < 0) {
		report_write(reply, e);
		_exit(exit_status_of(e));
	}
	runtime_fds_drop(init->fds, false);
	report_write(reply, NULL);
	if (reply >= 0)
		close(reply);
	status = supervise(&s);
	execs_end(init->dirfd);
	supervise_exit(status);
}

/* What keeps the process from being ready, for create to tell. */
static NORETURN void not_ready(int control, const char *what)
{
	const char *why = strerror(errno);
	char text[FAILURE_MAX];

	(void)snprintf(text, sizeof(text), "%s: %s", what, why);
	(void)fd_write_all(control, text, strlen(text));
	_exit(125);
}

/*
 * Others take the container's namespaces from this process. In a user namespace it would lose what it needs outside of it: then
 * only the engine enters them.
 */
static void enter_namespaces(struct namespaces *ns, int control)
{
	const char *what;

	if (ns->n == 0 || namespaces_have_user(ns))
		return;
	what = namespaces_enter(ns);
	if (what)
		not_ready(control, what);
	namespaces_close(ns);
}

static NORETURN void init_main(struct init *init, int control)
{
	struct namespaces *ns = init->launch.namespaces;
	int keep[NAMESPACES_MAX + 3] = { init->dirfd, control };
	int fifo, reply;
	char byte = READY;

	(void)setsid();
	sig_reset_all();
	/* Nothing of the caller's may be held: its pipes would not end, its bundle could not be unmounted. */
	log_set_file(-1, LOG_TEXT);
	log_set_level(LOG_LEVEL_ERROR);
	namespaces_keep(ns, keep + 2);
	runtime_fds_close_others(init->fds, keep);
	enter_namespaces(ns, control);
	runtime_fds_drop_replaced(init->fds);
	if (chdir("/") < 0)
		_exit(125);
	fifo = open_fifo(init->dirfd);
	if (fifo < 0 || fd_write_all(control, &byte, 1) < 0)
		_exit(125);
	/* Nobody has promised this container to anybody yet: without a maker it must not stay. */
	if (fd_read_full(control, &byte, 1) != 1 || byte != COMMIT)
		_exit(125);
	close(control);
	wait_for_start(fifo);
	reply = fs_open(init->dirfd, STATE_ANSWER, O_WRONLY | O_NONBLOCK, 0, FS_BENEATH);
	(void)unlinkat(init->dirfd, STATE_FIFO, 0); /* from here on it is running, whoever is killed next */
	close(fifo);
	run_program(init, reply);
}

int init_fork(struct init *init, pid_t *ret_pid, int *ret_control, struct err **err)
{
	autoclose int near = -1;
	int pair[2];
	char text[FAILURE_MAX] = "";
	ssize_t n;
	pid_t pid;

	if (mkfifoat(init->dirfd, STATE_FIFO, 0600) < 0 || mkfifoat(init->dirfd, STATE_ANSWER, 0600) < 0)
		return err_sys(err, errno, "container '%s': fifo", init->id);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "container '%s': socket", init->id);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		init_main(init, pair[1]);
	}
	near = pair[0];
	close(pair[1]);
	if (pid < 0)
		return err_sys(err, errno, "container '%s': fork", init->id);
	do
		n = read(near, text, sizeof(text) - 1);
	while (n < 0 && errno == EINTR);
	if (n < 1 || text[0] != READY) {
		(void)waitpid(pid, NULL, 0);
		return err_make(err, ERR_SYSTEM, "container '%s': %s", init->id,
			n > 0 ? text : "its first process ended before it was ready");
	}
	*ret_pid = pid;
	*ret_control = steal_fd(&near);
	return 0;
}

int init_commit(int control, struct err **err)
{
	char byte = COMMIT;

	if (send(control, &byte, 1, MSG_NOSIGNAL) != 1)
		return err_sys(err, errno, "the first process of the container ended");
	return 0;
}

/* ---- start ---- */

static int not_created(const struct instance *c, struct err **err)
{
	return err_make(err, ERR_BUSY, "container '%s': cannot start a container in the %s state", c->id,
		runtime_status_name(instance_status(c)));
}

static int read_answer(const struct instance *c, int fd, struct err **err)
{
	autofree char *what = xasprintf("container '%s': its first process", c->id);
	auto_json *config = NULL;
	char text[REPORT_MAX + 1];
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		bool alive = runtime_proc_alive(&c->rec.proc, instance_trusted_owner(c));
		ssize_t r;

		if (poll(&p, 1, POLL_MS) < 0 && errno != EINTR)
			return err_sys(err, errno, "container '%s'", c->id);
		if (!p.revents && alive)
			continue;
		r = read(fd, text + n, sizeof(text) - 1 - n);
		if (r < 0 && errno == EAGAIN && alive)
			continue;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	if (n > 2)
		(void)instance_config(c, &config, NULL); /* for a name in a message */
	return report_parse_start(
		text, n, json_str(json_at(json_path(config, "process", "args", NULL), 0)), what, err);
}

int init_start(const struct instance *c, struct err **err)
{
	autoclose int reply = -1;
	autoclose int fifo = -1;
	char byte = START;

	if (instance_status(c) != STATUS_CREATED)
		return not_created(c, err);
	/* The answer's reader first: the other side gives up where there is none. */
	reply = fs_open(c->dirfd, STATE_ANSWER, O_RDONLY | O_NONBLOCK, 0, FS_BENEATH);
	fifo = fs_open(c->dirfd, STATE_FIFO, O_WRONLY | O_NONBLOCK, 0, FS_BENEATH);
	if (reply < 0 || fifo < 0)
		return errno == ENXIO || errno == ENOENT ? not_created(c, err)
							 : err_sys(err, errno, "container '%s'", c->id);
	if (fd_write_all(fifo, &byte, 1) < 0)
		return err_sys(err, errno, "container '%s': start", c->id);
	return read_answer(c, reply, err);
}
