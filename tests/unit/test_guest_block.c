/* SPDX-License-Identifier: Apache-2.0 */
/* The launch block as bytes, the answers as guest_init gives them, and guest_init itself where it has been built. */
#include "engines/guest_init.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char *env_none[] = { NULL };

/* The block with '|' for NUL. */
static char *block_text(const struct guest_init_launch *l)
{
	auto_str s = STR_INIT;

	if (guest_init_block_build(l, &s, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < s.len; i++)
		if (!s.data[i])
			s.data[i] = '|';
	return str_steal(&s);
}

static void test_block(void)
{
	static const gid_t groups[] = { 4, 24 };
	static const struct guest_init_rlimit limits[] = { { 7, 10, UINT64_MAX } };
	char *argv[] = { (char[]){ "sh" }, (char[]){ "" }, NULL }, *env[] = { (char[]){ "A=b c" }, NULL };
	static const int fds[] = { 0, 9 };
	static const uint64_t cpus[] = { UINT64_MAX, 3 }, filter[] = { UINT64_C(0x8000000000000006) };
	struct guest_init_launch full = { .flags = GUEST_INIT_SET_UMASK | GUEST_INIT_SET_IDS,
		.fds = fds,
		.n_fds = 2,
		.file = "/bin/sh",
		.parent = 77,
		.cpus = cpus,
		.n_cpus = 2,
		.umask = 022,
		.uid = 4294967294u,
		.gid = 6,
		.groups = groups,
		.n_groups = 2,
		.rlimits = limits,
		.n_rlimits = 1,
		.filter = filter,
		.n_filter = 1,
		.filter_flags = 2,
		.has_listener = true,
		.cwd = "/w d",
		.argv = argv,
		.env = env };
	struct guest_init_launch bare = { .cwd = "/", .argv = argv, .env = env_none };
	autofree char *a = block_text(&full), *b = block_text(&bare);

	is_str(a,
		"udocker-init 4|1|2|0|9|18|4294967294|6|/w "
		"d|77|/bin/sh|2|18446744073709551615|3|2|4|24|1|7|10|18446744073709551615|"
		"2|1|9223372036854775814|2|sh||1|A=b c|end|",
		"every field");
	is_str(b, "udocker-init 4|0|0|0|0|0|/|0||0|0|0|0|0|2|sh||0|end|", "and none");
}

static void test_refusals(void)
{
	char *argv[] = { (char[]){ "x" }, NULL, NULL };
	struct guest_init_launch l = { .cwd = "/", .argv = env_none, .env = env_none };
	auto_err *none = NULL, *relative = NULL, *large = NULL;
	auto_str s = STR_INIT;

	is_int(guest_init_block_build(&l, &s, &none), -1, "no program");
	ok(err_is(none, ERR_USAGE), "is a wrong call");
	l.argv = argv;
	l.cwd = "w";
	is_int(guest_init_block_build(&l, &s, &relative), -1, "a relative directory");
	ok(err_is(relative, ERR_USAGE), "is one, too");
	l.cwd = "/";
	argv[1] = xmalloc(GUEST_INIT_BLOCK_MAX);
	memset(argv[1], 'a', GUEST_INIT_BLOCK_MAX);
	argv[1][GUEST_INIT_BLOCK_MAX - 1] = '\0';
	is_int(guest_init_block_build(&l, &s, &large), -1, "too much");
	ok(err_is(large, ERR_UNSUPPORTED), "is not supported");
	free(argv[1]);
}

static int result_of(const void *p, size_t n, struct guest_init_status *s, struct err **err)
{
	int ends[2], r;

	if (fd_pipe(ends) < 0 || fd_write_all(ends[1], p, n) < 0)
		exit(99);
	close(ends[1]);
	r = guest_init_result(ends[0], s, err);
	close(ends[0]);
	return r;
}

static void open_socket(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		exit(99);
}

static void test_answers(void)
{
	struct guest_init_status want = { GUEST_INIT_STAGE_CWD, ENOENT }, got = { 0, 0 };
	auto_err *cut = NULL, *gone = NULL, *lies = NULL;
	int ends[2], on = 1;
	pid_t pid = 0;

	is_int(result_of(NULL, 0, &got, NULL), 0, "the end of the pipe: running");
	is_int(result_of(&want, sizeof(want), &got, NULL), 1, "a status: failed");
	ok(got.stage == want.stage && got.error == want.error, "where and why");
	is_int(result_of(&want, 3, &got, &cut), -1, "half a status");
	ok(err_is(cut, ERR_ENGINE), "is none");
	is_str(guest_init_stage_name(GUEST_INIT_STAGE_CWD), "working directory", "a stage's name");
	is_str(guest_init_stage_name(99), "unknown step", "of none");

	open_socket(ends);
	close(ends[1]);
	is_int(guest_init_hello(ends[0], &pid, &gone), -1, "the socket ends without a word");
	ok(err_is(gone, ERR_ENGINE), "the engine ended");
	close(ends[0]);
	open_socket(ends);
	ok(fd_write_all(ends[1], "X", 1) == 0, "another word");
	is_int(guest_init_hello(ends[0], &pid, &lies), -1, "than hello");
	ok(err_is(lies, ERR_ENGINE), "is malformed");
	ok(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
			fd_write_all(ends[1], "I", 1) == 0 && guest_init_hello(ends[0], &pid, NULL) == 0,
		"hello");
	is_int(pid, getpid(), "is from us");
	close(ends[0]);
	close(ends[1]);
}

/* ---- the real one ---- */
static char *find_init(void)
{
	autofree char *self = fs_readlink(AT_FDCWD, "/proc/self/exe");
	autofree char *dir = self ? path_dir(self) : NULL, *up = dir ? path_dir(dir) : NULL;
	autofree char *init = up ? path_join(up, "bin/udocker-guest-init") : NULL;

	return init && access(init, X_OK) == 0 ? steal_ptr(&init) : NULL;
}

struct run {
	int result, status;
	struct guest_init_status why;
	char out[512];
};

/* Become guest_init, with our end of the socket where it looks for it. */
static void become_init(const char *init, unsigned flags, int sock)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", flags);
	if (dup2(sock, 0) == 0)
		execl(init, "guest-init", text, (char *)NULL);
	_exit(99);
}

/* Start guest_init with these bytes, and these descriptors, and wait for the end. */
static struct run run_bytes(
	const char *init, unsigned flags, const struct str *block, const int *fds, size_t n, int out)
{
	struct run run = { -2, -1, { 0, 0 }, "" };
	int ends[2], status[2];
	pid_t pid, says;

	open_socket(ends);
	if (fd_pipe(status) < 0)
		exit(99);
	pid = fork();
	if (pid == 0)
		become_init(init, flags, ends[1]);
	close(ends[1]);
	if (guest_init_hello(ends[0], &says, NULL) == 0 &&
		guest_init_send(ends[0], block, status[1], fds, n, NULL) == 0) {
		close(status[1]);
		close(ends[0]);
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		run.result = guest_init_result(status[0], &run.why, NULL);
		(void)fd_read_full(out, run.out, sizeof(run.out) - 1);
	}
	(void)waitpid(pid, &run.status, 0);
	close(status[0]);
	close(out);
	return run;
}

/* The same with what these words mean; the program's output goes to us, and to the first number that is not 0 to 2. */
static struct run run_init(const char *init, struct guest_init_launch *l)
{
	static const int numbers[] = { 0, 1, 2, 5 };
	auto_str block = STR_INIT;
	int out[2], fds[4];

	l->fds = numbers;
	l->n_fds = 4;
	if (fd_pipe(out) < 0 || guest_init_block_build(l, &block, NULL) < 0)
		exit(99);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = out[1];
	fds[2] = fd_dup(2);
	fds[3] = fd_dup(out[1]);
	return run_bytes(init, l->flags, &block, fds, 4, out[0]);
}

static void is_failure(const char *init, struct guest_init_launch l, int stage, int error, const char *name)
{
	struct run r = run_init(init, &l);

	is_int(r.result, 1, name);
	is_int(r.why.stage, stage, "at this step");
	is_int(r.why.error, error, "for this reason");
	is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, GUEST_INIT_FAILED, "and guest_init ends");
}

static void test_program(const char *init)
{
	static const struct guest_init_rlimit limits[] = { { RLIMIT_NOFILE, 77, 78 } };
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
		(char[]){ "pwd; umask; ulimit -n; ulimit -Hn; echo \"$0 [$1] $X\"; echo five >&5; for i in 0 "
			  "1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$i ] || printf '%s ' $i; done; echo; "
			  "exit 5" },
		(char[]){ "zero" }, (char[]){ "" }, NULL };
	char *env[] = { (char[]){ "X=a b" }, (char[]){ "PATH=/proc/nonexistent::/etc:/bin" }, NULL };
	struct guest_init_launch l = { .flags = GUEST_INIT_SET_UMASK,
		.umask = 037,
		.rlimits = limits,
		.n_rlimits = 1,
		.cwd = "/proc",
		.argv = argv,
		.env = env };

	struct run r = run_init(init, &l);

	is_int(r.result, 0, "it became the program");
	is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, 5, "whose status it is");
	is_str(r.out, "/proc\n0037\n77\n78\nzero [] a b\nfive\n0 1 2 5 \n",
		"directory, mask, limits, words, environment, descriptors");
	l.file = "/bin/false";
	r = run_init(init, &l);
	is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, 1, "what was found is what is run");
	l.file = "/nonexistent/sh";
	r = run_init(init, &l);
	is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, 5, "if it is there");
}

static void test_failures(const char *init, const char *top)
{
	autofree char *path = xasprintf("PATH=/proc/nonexistent:%s", top),
		      *script = xasprintf("%s/script", top);
	char *argv[] = { (char[]){ "nosuch" }, NULL }, *empty[] = { (char[]){ "" }, NULL },
	     *locked[] = { (char[]){ "locked" }, NULL };
	char *dir[] = { (char[]){ "/proc" }, NULL }, *text[] = { script, NULL }, *env[] = { path, NULL };
	static const struct guest_init_rlimit odd[] = { { 99, 1, 1 } };
	struct guest_init_launch l = { .cwd = "/", .argv = argv, .env = env };

	is_failure(init, l, GUEST_INIT_STAGE_EXEC, ENOENT, "not in PATH");
	l.argv = empty;
	is_failure(init, l, GUEST_INIT_STAGE_EXEC, ENOENT, "an empty name");
	l.argv = locked;
	is_failure(init, l, GUEST_INIT_STAGE_EXEC, EACCES, "there, but not executable");
	l.argv = dir;
	is_failure(init, l, GUEST_INIT_STAGE_EXEC, EACCES, "a directory");
	l.argv = text;
	is_failure(init, l, GUEST_INIT_STAGE_EXEC, ENOEXEC, "a script without #! is not given to a shell");
	l.argv = argv;
	l.cwd = "/proc/nonexistent";
	is_failure(init, l, GUEST_INIT_STAGE_CWD, ENOENT, "no such directory");
	l.cwd = "/";
	l.rlimits = odd;
	l.n_rlimits = 1;
	is_failure(init, l, GUEST_INIT_STAGE_RLIMIT, EINVAL, "no such limit");
}

static void test_large(const char *init)
{
	char *argv[402] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, (char[]){ "echo $#" } };
	struct guest_init_launch l = { .cwd = "/", .argv = argv, .env = env_none };
	struct run r;
	char *word = xmalloc(2000);

	memset(word, 'w', 1999);
	word[1999] = '\0';
	for (size_t i = 3; i < 401; i++)
		argv[i] = word;
	r = run_init(init, &l);
	is_int(r.result, 0, "a block of 800 kB");
	is_str(r.out, "397\n", "with all its words");
	free(word);
}

static void test_broken(const char *init)
{
	static const struct {
		const char *bytes;
		size_t n;
	} blocks[] = { { "", 0 }, { "udocker-init 3", 14 }, { "udocker-init 1\0000\0", 17 },
		{ "udocker-init 3\0000\0000\0", 19 }, { "udocker-init 3\0009\0", 17 },
		{ "garbage without an end", 22 } };

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		auto_str block = STR_INIT;
		int out[2];
		struct run r;

		if (fd_pipe(out) < 0)
			exit(99);
		close(out[1]);
		(void)str_add_mem(&block, blocks[i].bytes, blocks[i].n);
		r = run_bytes(init, 0, &block, NULL, 0, out[0]);
		is_int(r.result, 1, "a broken block");
		is_int(r.why.stage, GUEST_INIT_STAGE_BLOCK, "is seen as such");
	}
}

/* More descriptors than one message takes. */
static void test_many(const char *init)
{
	enum { MANY = 600 };
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" },
		(char[]){ "echo $(ls /proc/self/fd | wc -l) && exit 3" }, NULL };
	struct guest_init_launch l = { .cwd = "/", .argv = argv, .env = env_none, .n_fds = MANY };
	struct rlimit limit = { 4096, 4096 };
	auto_str block = STR_INIT;
	int numbers[MANY], fds[MANY], out[2];
	struct run r;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * MANY + 100) {
		printf("# too few descriptors allowed: skipped\n");
		return;
	}
	if (fd_pipe(out) < 0)
		exit(99);
	for (int i = 0; i < MANY; i++) {
		numbers[i] = i;
		fds[i] = i == 1 ? out[1] : open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	l.fds = numbers;
	ok(guest_init_block_build(&l, &block, NULL) == 0, "a block for many");
	r = run_bytes(init, 0, &block, fds, MANY, out[0]);
	is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, 3, "many descriptors arrive");
	ok(strcmp(r.out, "601\n") == 0 || strcmp(r.out, "600\n") == 0, "all of them: %s", r.out);
}

/* The program leaves its first parent for the nearest subreaper. */
static void test_detach(void *arg)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "kill -TERM $$" }, NULL };
	char *env[] = { (char[]){ "PATH=/bin" }, NULL };
	struct guest_init_launch l = { .cwd = "/", .argv = argv, .env = env };
	auto_str block = STR_INIT;
	int ends[2], pipe_ends[2], on = 1, status;
	struct guest_init_status why;
	pid_t pid, program = 0;

	open_socket(ends);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || fd_pipe(pipe_ends) < 0 ||
		setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		exit(99);
	pid = fork();
	if (pid == 0)
		become_init(arg, GUEST_INIT_DETACH | GUEST_INIT_SESSION, ends[1]);
	close(ends[1]);
	ok(guest_init_hello(ends[0], &program, NULL) == 0 && program != pid, "another process says hello");
	ok(waitpid(pid, &status, 0) == pid && status == 0, "the first one ends");
	ok(guest_init_block_build(&l, &block, NULL) == 0 &&
			guest_init_send(ends[0], &block, pipe_ends[1], NULL, 0, NULL) == 0,
		"it is answered");
	close(pipe_ends[1]);
	is_int(guest_init_result(pipe_ends[0], &why, NULL), 0, "and becomes the program");
	ok(waitpid(program, &status, 0) == program && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
		"which is our child, with its true status");
}

/* As /proc has it. */
static char *allowed_list(void)
{
	autoclose int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[8192], *at, *end;
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);

	if (n < 0)
		exit(99);
	text[n] = '\0';
	at = strstr(text, "Cpus_allowed_list:\t");
	if (!at)
		exit(99);
	at += strlen("Cpus_allowed_list:\t");
	end = strchr(at, '\n');
	return xstrndup(at, end ? (size_t)(end - at) : strlen(at));
}

/* Started on one processor, with its answer waiting: it has a group of its own, the processors it was given, and us for a parent. */
static void test_early(void *arg)
{
	static char script[] =
		"read -r _ _ _ ppid pgrp _ </proc/$$/stat; [ $pgrp = $$ ] && [ $ppid = \"$1\" ] || exit 1; "
		"while read -r key list; do [ $key != Cpus_allowed_list: ] || [ \"$list\" = \"$2\" ] || exit "
		"2; done "
		"</proc/$$/status; exit 7";
	char us[16],
		*argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, script, (char[]){ "sh" }, us, NULL, NULL };
	char *env[] = { (char[]){ "PATH=/bin" }, NULL };
	uint64_t cpus[sizeof(cpu_set_t) / sizeof(uint64_t)];
	struct guest_init_launch l = { .cwd = "/",
		.argv = argv,
		.env = env,
		.parent = getpid(),
		.cpus = cpus,
		.n_cpus = ARRAY_LEN(cpus) };
	auto_str block = STR_INIT;
	int ends[2], pipe_ends[2], on = 1, status;
	struct guest_init_status why;
	cpu_set_t all, one;
	pid_t pid, program = 0;

	open_socket(ends);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || fd_pipe(pipe_ends) < 0 ||
		setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		sched_getaffinity(0, sizeof(all), &all) < 0)
		exit(99);
	memcpy(cpus, &all, sizeof(cpus));
	snprintf(us, sizeof(us), "%d", (int)getpid());
	argv[5] = allowed_list();
	ok(guest_init_block_build(&l, &block, NULL) == 0 &&
			guest_init_send(ends[0], &block, pipe_ends[1], NULL, 0, NULL) == 0,
		"the answer comes first");
	close(pipe_ends[1]);
	pid = fork();
	if (pid == 0) {
		CPU_ZERO(&one);
		for (size_t i = 0; i < (size_t)HOST_CPUS_MAX && CPU_COUNT(&one) == 0; i++)
			if (CPU_ISSET(i, &all))
				CPU_SET(i, &one);
		(void)sched_setaffinity(0, sizeof(one), &one);
		become_init(arg,
			GUEST_INIT_DETACH | GUEST_INIT_EARLY | GUEST_INIT_GROUP | GUEST_INIT_PDEATHSIG,
			ends[1]);
	}
	close(ends[1]);
	is_int(guest_init_result(pipe_ends[0], &why, NULL), 0, "nobody has to say anything more");
	ok(guest_init_hello(ends[0], &program, NULL) == 0 && program != pid, "it has said who it is");
	ok(waitpid(pid, &status, 0) == pid && status == 0, "the first one has ended");
	ok(waitpid(program, &status, 0) == program && WIFEXITED(status), "the second is our child");
	is_int(WEXITSTATUS(status), 7, "with its group, its parent and its processors");
	free(argv[5]);
}

/* A supervisor that is not the one it was started for. */
static void test_orphan(const char *init)
{
	char *argv[] = { (char[]){ "/bin/true" }, NULL };
	struct guest_init_launch l = {
		.flags = GUEST_INIT_PDEATHSIG, .cwd = "/", .argv = argv, .env = env_none, .parent = getppid()
	};

	is_failure(init, l, GUEST_INIT_STAGE_SESSION, ESRCH, "its supervisor has gone");
	l.parent = getpid();
	is_int(run_init(init, &l).result, 0, "or is there");
}

int main(void)
{
	autofree char *init = find_init();
	char top[64];
	int fd = scratch_open(top);

	test_block();
	test_refusals();
	test_answers();
	put(fd, "locked", "#!/bin/sh\n");
	put(fd, "script", "exit 0\n");
	if (fchmodat(fd, "script", 0755, 0) < 0)
		return 99;
	if (init) {
		test_program(init);
		test_failures(init, top);
		test_large(init);
		test_broken(init);
		test_many(init);
		in_child(test_detach, init);
		in_child(test_early, init);
		test_orphan(init);
	} else {
		printf("# udocker-guest-init is not built: skipped\n");
	}
	scratch_close(fd, top);
	return tap_done();
}
