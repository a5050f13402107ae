/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, ending and recognising processes. The programs started are this one again, with a word for what to do. */
#include "pkg/base/proc.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"

static const int no_pidfd[] = { SYS_pidfd_open, -1 };
static const int no_close_range[] = { SYS_close_range, -1 };
static char self[256];

/* What a started program does; the status is its answer. */
static int play(int argc, char **argv)
{
	const char *what = argv[1];

	if (strcmp(what, "exit") == 0)
		return argv[2][0] - '0';
	if (strcmp(what, "say") == 0)
		return fd_write_all(STDOUT_FILENO, argv[2], strlen(argv[2])) < 0;
	if (strcmp(what, "signal") == 0)
		return raise(SIGTERM);
	if (strcmp(what, "flood") == 0)
		while (fd_write_all(STDOUT_FILENO, "0123456789abcdef", 16) == 0)
			;
	if (strcmp(what, "sleep") == 0)
		sleep(60);
	if (strcmp(what, "close-and-sleep") == 0) {
		fd_close_from(1);
		sleep(60);
	}
	if (strcmp(what, "fds") == 0) {
		for (int i = 0; i < 64; i++)
			putchar(fcntl(i, F_GETFD) >= 0 ? '1' : '0');
		return 0;
	}
	if (strcmp(what, "cat") == 0)
		return fd_copy(STDIN_FILENO, STDOUT_FILENO, UINT64_MAX, NULL) < 0;
	if (strcmp(what, "both") == 0)
		return fd_write_all(1, "out", 3) < 0 || fd_write_all(2, "err", 3) < 0;
	if (strcmp(what, "env") == 0) {
		printf("%s", environ[0] ? environ[0] : "(none)");
		return 0;
	}
	if (strcmp(what, "pwd") == 0) {
		char buf[512];

		printf("%s", getcwd(buf, sizeof(buf)) ? buf : "");
		return 0;
	}
	if (strcmp(what, "limits") == 0) {
		struct rlimit files, length;

		getrlimit(RLIMIT_NOFILE, &files);
		getrlimit(RLIMIT_FSIZE, &length);
		printf("%d %d", (int)files.rlim_cur, (int)length.rlim_cur);
		return 0;
	}
	if (strcmp(what, "state") == 0) {
		struct sigaction sa;
		sigset_t set;

		sigprocmask(SIG_BLOCK, NULL, &set);
		sigaction(SIGINT, NULL, &sa);
		printf("%d %d %d", sigismember(&set, SIGUSR1), sa.sa_handler == SIG_DFL,
			getpgrp() == getpid());
		return 0;
	}
	return argc + 90;
}

/* Run ourselves with a word and an argument; the output is in `out`. */
static int run(struct proc_spawn s, const char *what, const char *arg, struct str *out)
{
	char *argv[] = { self, (char *)(uintptr_t)what, (char *)(uintptr_t)arg, NULL };
	auto_err *err = NULL;
	int status = -1;

	s.path = self;
	s.argv = argv;
	if (proc_capture(&s, 1000, 20000, out, &status, &err) < 0)
		printf("# %s\n", err_text(err));
	return status;
}

static void is_output(struct proc_spawn s, const char *what, const char *arg, const char *want)
{
	auto_str out = STR_INIT;

	is_int(run(s, what, arg, &out), 0, what);
	is_str(str_text(&out), want, "its output");
}

static void test_status(void)
{
	const struct proc_spawn s = PROC_SPAWN_INIT;
	auto_str out = STR_INIT;

	is_int(run(s, "exit", "0", &out), 0, "success");
	is_int(run(s, "exit", "7", &out), 7, "an exit status");
	is_int(run(s, "signal", NULL, &out), 128 + SIGTERM, "a signal is 128 + its number");
	is_output(s, "say", "hello", "hello");
}

static void test_failures(void)
{
	char *argv[] = { self, NULL };
	auto_err *missing = NULL, *denied = NULL, *keep = NULL;
	struct proc_spawn s = PROC_SPAWN_INIT;
	const int closed[] = { 399, -1 };
	pid_t pid = 0;

	s.argv = argv;
	s.path = "/no/such/program";
	ok(proc_spawn(&s, &pid, &missing) < 0 && err_is(missing, ERR_NOT_FOUND),
		"a missing program is not found");
	ok(strstr(err_text(missing), "/no/such/program") != NULL, "and named");
	s.path = "/etc/passwd";
	ok(proc_spawn(&s, &pid, &denied) < 0 && err_is(denied, ERR_DENIED),
		"a file that is no program is denied");
	s.path = self;
	s.keep = closed;
	ok(proc_spawn(&s, &pid, &keep) < 0 && keep, "a descriptor to keep that is closed");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no failed child is left behind");
	is_int(pid, 0, "nor a pid given out");
}

static void test_fds(void *arg)
{
	struct proc_spawn s = PROC_SPAWN_INIT;
	const int keep[] = { 30, 20, -1 };

	for (int i = 3; i < 64; i++) /* what we were started with */
		(void)fd_set_cloexec(i, true);
	if (arg)
		deny_calls(arg, ENOSYS);
	dup3(1, 20, O_CLOEXEC);
	dup2(1, 25);
	dup2(1, 30);
	dup3(1, 31, O_CLOEXEC);
	s.keep = keep;
	is_output(s, "fds", NULL, "1110000000000000000010000000001000000000000000000000000000000000");
	s.keep_all = true;
	is_output(s, "fds", NULL, "1110000000000000000010000100001000000000000000000000000000000000");
}

static void test_std(int dir)
{
	struct proc_spawn s = PROC_SPAWN_INIT;
	int in;

	put(dir, "in", "from a file");
	in = openat(dir, "in", O_RDONLY | O_CLOEXEC);
	s.fd_in = in;
	is_output(s, "cat", NULL, "from a file");
	s.fd_in = PROC_NULL;
	is_output(s, "cat", NULL, "");
	close(in);
}

/* stdout and stderr exchanged: each is the other's source. */
static void test_swap(void *arg)
{
	int dir = *(int *)arg, status = -1;
	int one = openat(dir, "one", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int two = openat(dir, "two", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *argv[] = { self, (char[]){ "both" }, NULL };
	struct proc_spawn s = PROC_SPAWN_INIT;
	int saved = dup(1);
	pid_t pid;

	s.path = self;
	s.argv = argv;
	s.fd_out = 2;
	s.fd_err = 1;
	fflush(stdout);
	dup2(one, 1);
	dup2(two, 2);
	if (proc_spawn(&s, &pid, NULL) == 0)
		proc_wait(pid, &status, NULL);
	dup2(saved, 1);
	is_int(status, 0, "output and errors exchanged");
	char a[4] = "", b[4] = "";
	fd_pread_full(one, a, 3, 0);
	fd_pread_full(two, b, 3, 0);
	is_str(a, "err", "errors went to the old output");
	is_str(b, "out", "output to the old errors");
}

/* Nothing open at 0, 1, 2: the pipe that reports failures must not get in the way. */
static void test_bare(void *arg)
{
	struct proc_spawn s = PROC_SPAWN_INIT;
	char *argv[] = { self, (char[]){ "exit" }, (char[]){ "3" }, NULL };
	int out = fcntl(1, F_DUPFD_CLOEXEC, 50), status = -1;
	pid_t pid;

	(void)arg;
	close(0);
	close(1);
	close(2);
	s.path = self;
	s.argv = argv;
	s.fd_in = s.fd_out = s.fd_err = PROC_NULL;
	if (proc_spawn(&s, &pid, NULL) == 0)
		proc_wait(pid, &status, NULL);
	s.path = "/no/such/program";
	int failed = proc_spawn(&s, &pid, NULL);
	dup2(out, 1);
	is_int(status, 3, "started with nothing open");
	is_int(failed, -1, "and a failure is still reported");
}

static void on_signal(int sig)
{
	(void)sig;
}

static void test_limits(void)
{
	const struct proc_limit limits[] = { { RLIMIT_NOFILE, 50 }, { RLIMIT_FSIZE, 4096 } };
	const struct proc_limit higher[] = { { RLIMIT_NOFILE, 1000 } };
	struct proc_spawn s = PROC_SPAWN_INIT;
	struct rlimit before, after, low;

	getrlimit(RLIMIT_NOFILE, &before);
	s.limits = limits;
	s.n_limits = ARRAY_LEN(limits);
	is_output(s, "limits", NULL, "50 4096");
	getrlimit(RLIMIT_NOFILE, &after);
	ok(before.rlim_cur == after.rlim_cur, "ours are as they were");
	low = before;
	low.rlim_cur = 60;
	setrlimit(RLIMIT_NOFILE, &low);
	s.limits = higher;
	s.n_limits = ARRAY_LEN(higher);
	is_output(s, "limits", NULL, "60 -1");
	setrlimit(RLIMIT_NOFILE, &before);
}

static void test_child_state(const char *path, int dir)
{
	char *env[] = { (char[]){ "ONLY=this" }, NULL };
	struct proc_spawn s = PROC_SPAWN_INIT;
	autofree char *real = fs_fd_path(dir);
	sigset_t set;

	s.env = env;
	is_output(s, "env", NULL, "ONLY=this");
	s = PROC_SPAWN_INIT;
	s.dirfd = dir;
	is_output(s, "pwd", NULL, real ? real : path);
	s = PROC_SPAWN_INIT;
	s.new_group = true;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGUSR2, on_signal);
	is_output(s, "state", NULL, "0 1 1");
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_BLOCK, NULL, &set);
	ok(sigismember(&set, SIGUSR1), "our own mask is as it was");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void test_capture_limits(void)
{
	char *flood[] = { self, (char[]){ "flood" }, NULL }, *slow[] = { self, (char[]){ "sleep" }, NULL };
	char *quiet[] = { self, (char[]){ "close-and-sleep" }, NULL };
	auto_err *much = NULL, *late = NULL, *later = NULL;
	struct proc_spawn s = PROC_SPAWN_INIT;
	auto_str out = STR_INIT;
	int status;

	s.path = self;
	s.argv = flood;
	ok(proc_capture(&s, 10000, 0, &out, &status, &much) < 0 && err_is(much, ERR_ENGINE),
		"endless output is ended");
	ok(out.len <= 10000, "with no more than was allowed");
	s.argv = slow;
	ok(proc_capture(&s, 10000, 100, &out, &status, &late) < 0 && err_is(late, ERR_ENGINE),
		"one that says nothing is ended");
	s.argv = quiet;
	ok(proc_capture(&s, 10000, 100, &out, &status, &later) < 0 && err_is(later, ERR_ENGINE),
		"one that closes its output and stays is ended");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "all were reaped");
}

static void test_identity(void *arg)
{
	char *argv[] = { self, (char[]){ "sleep" }, NULL };
	struct proc_spawn s = PROC_SPAWN_INIT;
	uint64_t start = 0, mine = 0, ticks = 1;
	bool zombie = true;
	int status = 0;
	pid_t pid;

	if (arg)
		deny_calls(arg, ENOSYS);
	s.path = self;
	s.argv = argv;
	ok(proc_spawn(&s, &pid, NULL) == 0, "a process that stays");
	ok(proc_start_time(pid, &start, &zombie) == 0 && start > 0 && !zombie, "its start time");
	ok(proc_start_time(getpid(), &mine, NULL) == 0 && mine <= start, "ours is not later");
	ok(proc_kill(pid, start + 1, SIGKILL) < 0 && errno == ESRCH, "another start time: no signal");
	is_int(waitpid(pid, NULL, WNOHANG), 0, "it lives");
	ok(proc_kill(pid, start, 0) == 0, "the right one: signal 0");
	ok(proc_kill(pid, start, SIGTERM) == 0, "and a real one");
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	ok(proc_start_time(pid, &ticks, &zombie) == 0 && zombie && ticks == start,
		"until it is reaped it is a zombie");
	ok(proc_kill(pid, start, SIGTERM) < 0 && errno == ESRCH, "which counts as gone");
	ok(proc_wait(pid, &status, NULL) == 0 && status == 128 + SIGTERM, "reap it");
	ok(proc_start_time(pid, &ticks, &zombie) < 0 && ticks == 0, "then it has no start time");
	ok(proc_kill(pid, 0, SIGTERM) < 0 && errno == ESRCH, "and gets no signal");
	ok(proc_kill(-1, 0, 0) < 0 && proc_kill(0, 0, 0) < 0, "groups and everyone are not meant");
	ok(proc_wait(pid, &status, NULL) < 0, "a stranger cannot be waited for");
}

static void is_found(const char *name, const char *path, const char *want, const char *what)
{
	autofree char *got = proc_find(name, path);

	is_str(got, want, what);
}

static void test_find(const char *path, int dir)
{
	autofree char *here = NULL, *beside = NULL, *libexec = NULL, *library = NULL, *none = NULL;
	auto_str want = STR_INIT, list = STR_INIT;
	auto_err *err = NULL, *unlike = NULL;

	put(dir, "tool", "#!/bin/sh\n");
	put(dir, "plain", "");
	mkdirat(dir, "folder", 0755);
	fchmod(dir, 0755);
	ok(fchmodat(dir, "tool", 0755, 0) == 0, "an executable");
	str_addf(&want, "%s/tool", path);
	str_addf(&list, "/nonexistent:.::%s", path);
	is_found("tool", str_text(&list), str_text(&want), "through PATH");
	is_found(str_text(&want), NULL, str_text(&want), "by path");
	is_found("plain", str_text(&list), NULL, "not executable");
	is_found("folder", str_text(&list), NULL, "a directory");
	is_found("", str_text(&list), NULL, "no name");
	is_found("tool", "", NULL, "no PATH");

	setenv("UDOCKER_EXEC_DIR", path, 1);
	ok(proc_sibling("tool", &here, NULL) == 0, "a sibling in $UDOCKER_EXEC_DIR");
	is_str(here, str_text(&want), "is there");
	ok(proc_sibling("plain", &library, &unlike) < 0, "what cannot be executed is no program");
	ok(proc_sibling_library("plain", &library, NULL) == 0, "but may be a library");
	ok(fchmodat(dir, "plain", 0, 0) == 0, "which nobody may read");
	ok(getuid() == 0 || proc_sibling_library("plain", &none, NULL) < 0, "is none");
	unsetenv("UDOCKER_EXEC_DIR");
	ok(proc_sibling("test_proc", &beside, NULL) == 0, "a sibling beside us");
	is_str(beside, self, "is beside us");
	ok(proc_sibling("no-such-sibling", &libexec, &err) < 0 && err_is(err, ERR_NOT_FOUND),
		"a missing one");
	ok(strstr(err_text(err), UDOCKER_LIBEXECDIR) != NULL, "the message says where it was looked for");
	ok(strstr(err_hint_text(err), "UDOCKER_EXEC_DIR") != NULL, "and the hint what to do");
}

int main(int argc, char **argv)
{
	char path[64];
	ssize_t n;
	int dir;

	if (argc > 1)
		return play(argc, argv);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 99;
	self[n] = '\0';
	dir = scratch_open(path);
	test_status();
	test_failures();
	in_child(test_fds, NULL);
	in_child(test_fds, (void *)(uintptr_t)no_close_range);
	test_std(dir);
	in_child(test_swap, &dir);
	in_child(test_bare, NULL);
	test_limits();
	test_child_state(path, dir);
	test_capture_limits();
	test_identity(NULL);
	in_child(test_identity, (void *)(uintptr_t)no_pidfd);
	test_find(path, dir);
	scratch_close(dir, path);
	return tap_done();
}
