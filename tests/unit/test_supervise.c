/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor with stand-ins for an engine and its program: true statuses, signals passed on, what the program leaves is
 * ended, also when it has taken a session of its own. And marks, by which the same is found from outside.
 */
#include "pkg/runtime/supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/state.h"
#include "pkg/runtime/tree.h"
#include "tests/unit/scratch.h"

/* A child that is engine and program in one. */
static struct launched start(void (*program)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		program();
		_exit(0);
	}
	return (struct launched){ .engine = pid, .program = pid };
}

static int status_of(void (*program)(void), void (*meanwhile)(pid_t))
{
	struct supervise s = { .tty = -1 };
	int status;

	s.sigfd = supervise_begin(NULL);
	s.run = start(program);
	if (meanwhile)
		meanwhile(s.run.program);
	status = supervise(&s);
	supervise_cancel(s.sigfd);
	return status;
}

static void exits(void)
{
	_exit(7);
}

static void dies(void)
{
	(void)raise(SIGTERM);
}

static void waits_for_usr1(void)
{
	sigset_t set;
	int sig;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	_exit(sigwait(&set, &sig) == 0 && sig == SIGUSR1 ? 9 : 1);
}

static void signal_us(pid_t program)
{
	(void)program;
	(void)poll(NULL, 0, 50); /* it has blocked the signal by then */
	(void)kill(getpid(), SIGUSR1);
}

static int left[2];

/* Leaves two children behind, one of them out of our session; both hold the pipe. */
static void leaves(void)
{
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			if (i == 0)
				(void)setsid();
			(void)poll(NULL, 0, 60000);
			_exit(0);
		}
	_exit(3);
}

static void statuses(void *arg)
{
	int status;
	char byte;

	(void)arg;
	status = status_of(exits, NULL);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7, "an exit status comes back");
	status = status_of(dies, NULL);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "and a signal");
	status = status_of(waits_for_usr1, signal_us);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 9, "a signal to us reaches the program");
	ok(pipe(left) == 0, "a pipe");
	status = status_of(leaves, NULL);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 3, "the status of a program that leaves children");
	close(left[1]);
	ok(read(left[0], &byte, 1) == 0, "which are gone when it is told");
	ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "and reaped");
}

static void removes_slowly(void)
{
	(void)poll(NULL, 0, 300);
	_exit(write(left[1], "x", 1) == 1 ? 0 : 1);
}

static void sleeps(void)
{
	(void)poll(NULL, 0, 60000);
}

static void late(void *arg)
{
	struct supervise s = { .tty = -1, .deaf = true, .timeout = 1 };
	int status;

	(void)arg;
	s.sigfd = supervise_begin(NULL);
	s.run = start(sleeps);
	(void)kill(getpid(), SIGUSR1);
	status = supervise(&s);
	ok(s.late && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		"a program that takes too long is killed");
	ok(poll(&(struct pollfd){ .fd = s.sigfd, .events = POLLIN }, 1, 0) == 1,
		"and the signal waits for the next");
}

/* A tracer that outlives the program, as one does that is given no time to remove its files. */
static void slow_tracer(void *arg)
{
	struct supervise s = { .tty = -1 };
	struct launched tracer;
	char byte;

	(void)arg;
	ok(pipe(left) == 0, "a pipe");
	s.sigfd = supervise_begin(NULL);
	tracer = start(removes_slowly);
	s.run = start(exits);
	s.run.engine = tracer.engine;
	ok(WEXITSTATUS(supervise(&s)) == 7, "the status of a program whose tracer takes its time");
	supervise_cancel(s.sigfd);
	close(left[1]);
	ok(read(left[0], &byte, 1) == 1, "the tracer could remove its files");
}

static void dies_as(void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (pid == 0)
		supervise_exit(SIGSEGV); /* a status of death by it */
	(void)waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status),
		"we end as the program did, without a core file");
	pid = fork();
	if (pid == 0)
		supervise_exit(5 << 8);
	(void)waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 5, "or with its status");
}

static void marks(void *arg)
{
	uint64_t mark = mark_new(), inner;
	struct rlimit limit = { mark, mark };
	auto_json *config = json_new_object();
	auto_tree t = { 0 };
	int status;
	pid_t pid;

	(void)arg;
	ok(mark > 0 && mark < (uint64_t)1 << 53, "a mark survives any JSON parser");
	ok(mark_of(getpid()) != mark, "and is new");
	(void)json_need_object(config, "process");
	mark_config(config, mark);
	mark_config(config, mark + 1);
	is_int(json_len(json_path(config, "process", "rlimits", NULL)), 1, "a configuration is marked once");
	pid = fork();
	if (pid == 0) {
		if (setrlimit(RLIMIT_RTTIME, &limit) < 0)
			_exit(1);
		inner = mark_new();
		if (inner == 0 || inner >= mark)
			_exit(2);
		if (fork() == 0)
			(void)setsid();
		(void)execl("/bin/sleep", "sleep", "60", (char *)NULL);
		_exit(3);
	}
	for (int i = 0; i < 200 && t.n < 2; i++) {
		size_t n = 0;

		tree_free(&t);
		(void)poll(NULL, 0, 10);
		tree_read(&t);
		tree_choose_marked(&t, mark, (uid_t)-1);
		for (size_t k = 0; k < t.n; k++)
			n += t.v[k].chosen;
		if (n == 2)
			break;
	}
	ok(mark_of(pid) == mark, "it is still there after exec");
	is_int(tree_signal(&t, SIGKILL, 0), 2, "who bears it is found, whatever the session");
	(void)waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status), "and ended (status %x)", (unsigned)status);
}

/* Starts a child of its own, which bears the mark no more, and a run-away, which has it. */
static NORETURN void be_container(uint64_t mark)
{
	struct rlimit limit = { mark, mark };

	mark_ourselves(mark);
	if (fork() == 0) {
		if (fork() == 0)
			(void)poll(NULL, 0, 60000);
		_exit(0);
	}
	if (fork() == 0) {
		limit.rlim_cur = limit.rlim_max = mark - 1;
		(void)setrlimit(RLIMIT_RTTIME, &limit);
		(void)poll(NULL, 0, 60000);
		_exit(0);
	}
	(void)poll(NULL, 0, 60000);
	_exit(0);
}

static size_t chosen(const struct tree *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->v[i].chosen && !t->v[i].zombie;
	return n;
}

static void finds(void *arg)
{
	uint64_t mark = mark_new();
	auto_tree t = { 0 };
	pid_t pid, other = fork();

	(void)arg;
	if (other == 0) {
		(void)poll(NULL, 0, 60000);
		_exit(0);
	}
	pid = fork();
	if (pid == 0)
		be_container(mark);
	for (int i = 0; i < 200 && chosen(&t) < 3; i++) {
		tree_free(&t);
		(void)poll(NULL, 0, 10);
		tree_find(&t, 0, mark, (uid_t)-1);
	}
	is_int((long)chosen(&t), 3, "the first process, its child without a mark, what ran away: no other");
	tree_free(&t);
	tree_find(&t, 0, mark, getuid() + 1);
	is_int((long)chosen(&t), 0, "nobody else's");
	tree_free(&t);
	tree_find(&t, getpid(), mark + 1, (uid_t)-1);
	ok(chosen(&t) >= 3, "what descends from the given one, whatever its mark");
	tree_free(&t);
	tree_find(&t, getpid(), 0, (uid_t)-1);
	ok(chosen(&t) >= 3, "and without a mark to look for");
	tree_free(&t);
	tree_find(&t, 0, mark, (uid_t)-1);
	is_int((long)tree_signal(&t, SIGKILL, 0), 3, "signals reach them");
	(void)kill(other, SIGKILL);
	while (wait(NULL) > 0)
		;
}

static void trees(void *arg)
{
	auto_tree t = { 0 };
	bool self = false, child = false;
	pid_t pid = fork();

	(void)arg;
	if (pid == 0) {
		(void)poll(NULL, 0, 60000);
		_exit(0);
	}
	tree_read(&t);
	tree_choose_below(&t, getpid());
	for (size_t i = 0; i < t.n; i++) {
		self |= t.v[i].chosen && t.v[i].pid == getpid();
		child |= t.v[i].chosen && t.v[i].pid == pid;
	}
	ok(child && !self, "what descends from us, not ourselves");
	is_int(tree_signal(&t, SIGKILL, pid), 0, "all but one");
	is_int(tree_signal(&t, SIGKILL, 0), 1, "all");
	(void)waitpid(pid, NULL, 0);
}

int main(void)
{
	in_child(statuses, NULL);
	in_child(slow_tracer, NULL);
	in_child(late, NULL);
	in_child(dies_as, NULL);
	in_child(marks, NULL);
	in_child(trees, NULL);
	in_child(finds, NULL);
	return tap_done();
}
