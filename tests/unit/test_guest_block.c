/* SPDX-License-Identifier: Apache-2.0 */
/* The launch block as bytes, the answers as guest_init gives them, and guest_init itself where it has been built. */
#include "engines/guest_init.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char *env_none[] = { NULL };

/* The block with '|' for NUL. */
static char *block_text(const struct guest_init_launch *l)
{
	autoclose int fd = -1;
	auto_str s = STR_INIT;

	if (guest_init_block_build(l, &fd, NULL) < 0)
		return NULL;
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "the descriptor is close-on-exec");
	if (lseek(fd, 0, SEEK_CUR) != 0)
		return NULL;
	for (;;) {
		char buf[512];
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			break;
		(void)str_add_mem(&s, buf, (size_t)n);
	}
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
	struct guest_init_launch full = { .flags = GUEST_INIT_SET_UMASK | GUEST_INIT_SET_IDS,
		.umask = 022,
		.uid = 4294967294u,
		.gid = 6,
		.groups = groups,
		.n_groups = 2,
		.rlimits = limits,
		.n_rlimits = 1,
		.cwd = "/w d",
		.argv = argv,
		.env = env };
	struct guest_init_launch bare = { .cwd = "/", .argv = argv, .env = env_none };
	autofree char *a = block_text(&full), *b = block_text(&bare);

	is_str(a,
		"udocker-init 1|5|0|18|4294967294|6|/w d|2|4|24|1|7|10|18446744073709551615|2|sh||1|A=b "
		"c|end|",
		"every field");
	is_str(b, "udocker-init 1|0|0|0|0|0|/|0|0|2|sh||0|end|", "and none");
}

static void test_refusals(void)
{
	char *argv[] = { (char[]){ "x" }, NULL, NULL };
	struct guest_init_launch l = { .cwd = "/", .argv = env_none, .env = env_none };
	auto_err *none = NULL, *relative = NULL, *large = NULL;
	int fd = -1;

	is_int(guest_init_block_build(&l, &fd, &none), -1, "no program");
	ok(err_is(none, ERR_USAGE), "is a wrong call");
	l.argv = argv;
	l.cwd = "w";
	is_int(guest_init_block_build(&l, &fd, &relative), -1, "a relative directory");
	ok(err_is(relative, ERR_USAGE), "is one, too");
	l.cwd = "/";
	argv[1] = xmalloc(GUEST_INIT_BLOCK_MAX);
	memset(argv[1], 'a', GUEST_INIT_BLOCK_MAX);
	argv[1][GUEST_INIT_BLOCK_MAX - 1] = '\0';
	is_int(guest_init_block_build(&l, &fd, &large), -1, "too much");
	ok(err_is(large, ERR_UNSUPPORTED), "is not supported");
	is_int(fd, -1, "no descriptor is left");
	free(argv[1]);
}

static int await_bytes(const void *p, size_t n, struct guest_init_status *s, struct err **err)
{
	int ends[2], r;

	if (fd_pipe(ends) < 0 || fd_write_all(ends[1], p, n) < 0)
		exit(99);
	close(ends[1]);
	r = guest_init_await(ends[0], s, err);
	close(ends[0]);
	return r;
}

static void test_await(void)
{
	struct guest_init_status want = { GUEST_INIT_STAGE_CWD, ENOENT }, got = { 0, 0 };
	auto_err *cut = NULL, *gone = NULL, *lies = NULL;
	int ends[2];

	is_int(await_bytes(NULL, 0, &got, NULL), 0, "the end of the pipe: running");
	is_int(await_bytes(&want, sizeof(want), &got, NULL), 1, "a status: failed");
	ok(got.stage == want.stage && got.error == want.error, "where and why");
	is_int(await_bytes(&want, 3, &got, &cut), -1, "half a status");
	ok(err_is(cut, ERR_ENGINE), "is none");
	is_str(guest_init_stage_name(GUEST_INIT_STAGE_CWD), "working directory", "a stage's name");
	is_str(guest_init_stage_name(99), "unknown step", "of none");

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		exit(99);
	close(ends[1]);
	is_int(guest_init_await(ends[0], &got, &gone), -1, "the socket ends without a word");
	ok(err_is(gone, ERR_ENGINE), "the engine ended");
	close(ends[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 || fd_write_all(ends[1], "I", 1) < 0)
		exit(99);
	is_int(guest_init_await(ends[0], &got, &lies), -1, "a word without a descriptor");
	ok(err_is(lies, ERR_ENGINE), "is malformed");
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
	int await, status;
	struct guest_init_status why;
	char out[512];
};

/* Start guest_init with this block (its status on a socket, or on a pipe) and wait for the end. */
static struct run run_init(const char *init, const struct guest_init_launch *l, bool socket)
{
	struct run run = { -2, -1, { 0, 0 }, "" };
	int block = -1, ends[2], out[2];
	pid_t pid;

	if (guest_init_block_build(l, &block, NULL) < 0 || fd_pipe(out) < 0 ||
		(socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : fd_pipe(ends)) < 0)
		exit(99);
	pid = fork();
	if (pid == 0) {
		char b[12], s[12];

		fd_set_cloexec(block, false);
		fd_set_cloexec(ends[1], false);
		snprintf(b, sizeof(b), "%d", block);
		snprintf(s, sizeof(s), "%d", ends[1]);
		dup2(out[1], 1);
		execl(init, "guest-init", b, s, (char *)NULL);
		_exit(99);
	}
	close(block);
	close(ends[1]);
	close(out[1]);
	run.await = guest_init_await(ends[0], &run.why, NULL);
	(void)fd_read_full(out[0], run.out, sizeof(run.out) - 1);
	(void)waitpid(pid, &run.status, 0);
	close(ends[0]);
	close(out[0]);
	return run;
}

static void is_failure(const char *init, struct guest_init_launch l, int stage, int error, const char *name)
{
	struct run r = run_init(init, &l, true);

	is_int(r.await, 1, name);
	is_int(r.why.stage, stage, "at this step");
	is_int(r.why.error, error, "for this reason");
	is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, GUEST_INIT_FAILED, "and guest_init ends");
}

static void test_program(const char *init)
{
	static const struct guest_init_rlimit limits[] = { { RLIMIT_NOFILE, 77, 78 } };
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
		(char[]){ "pwd; umask; ulimit -n; ulimit -Hn; echo \"$0 [$1] $X\"; exit 5" },
		(char[]){ "zero" }, (char[]){ "" }, NULL };
	char *env[] = { (char[]){ "X=a b" }, (char[]){ "PATH=/proc/nonexistent::/etc:/bin" }, NULL };
	struct guest_init_launch l = { .flags = GUEST_INIT_SET_UMASK,
		.umask = 037,
		.rlimits = limits,
		.n_rlimits = 1,
		.cwd = "/proc",
		.argv = argv,
		.env = env };

	for (int socket = 0; socket < 2; socket++) {
		struct run r = run_init(init, &l, socket);

		is_int(r.await, 0, "it became the program");
		is_int(WIFEXITED(r.status) ? WEXITSTATUS(r.status) : -1, 5, "whose status it is");
		is_str(r.out, "/proc\n0037\n77\n78\nzero [] a b\n",
			"directory, mask, limits, words, environment");
	}
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
	r = run_init(init, &l, true);
	is_int(r.await, 0, "a block of 800 kB");
	is_str(r.out, "397\n", "with all its words");
	free(word);
}

static void test_broken(const char *init)
{
	static const char *const blocks[] = { "", "udocker-init 1", "udocker-init 2\0000\0",
		"garbage without an end" };

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		struct guest_init_status why = { 0, 0 };
		int block[2], ends[2];
		pid_t pid;

		if (fd_pipe(block) < 0 || fd_pipe(ends) < 0 ||
			fd_write_all(block[1], blocks[i], i == 2 ? 17 : strlen(blocks[i])) < 0)
			exit(99);
		pid = fork();
		if (pid == 0) {
			char b[12], s[12];

			fd_set_cloexec(block[0], false);
			fd_set_cloexec(ends[1], false);
			snprintf(b, sizeof(b), "%d", block[0]);
			snprintf(s, sizeof(s), "%d", ends[1]);
			execl(init, "guest-init", b, s, (char *)NULL);
			_exit(99);
		}
		close(block[0]);
		close(block[1]);
		close(ends[1]);
		is_int(guest_init_await(ends[0], &why, NULL), 1, "a broken block");
		is_int(why.stage, GUEST_INIT_STAGE_BLOCK, "is seen as such");
		(void)waitpid(pid, NULL, 0);
		close(ends[0]);
	}
}

int main(void)
{
	autofree char *init = find_init();
	char top[64];
	int fd = scratch_open(top);

	test_block();
	test_refusals();
	test_await();
	put(fd, "locked", "#!/bin/sh\n");
	put(fd, "script", "exit 0\n");
	if (fchmodat(fd, "script", 0755, 0) < 0)
		return 99;
	if (init) {
		test_program(init);
		test_failures(init, top);
		test_large(init);
		test_broken(init);
	} else {
		printf("# udocker-guest-init is not built: skipped\n");
	}
	scratch_close(fd, top);
	return tap_done();
}
