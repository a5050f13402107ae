/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the caller's descriptors a container gets, and that no other stays open. */
#include "pkg/runtime/fds.h"

#include <errno.h>
#include <stdlib.h>

#include "pkg/base/err.h"
#include "tests/unit/scratch.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* An inherited one, at this number. */
static void open_at(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null != fd) {
		(void)dup2(null, fd);
		close(null);
	} else {
		(void)fcntl(fd, F_SETFD, 0);
	}
}

/* The numbers below 60 are ours to play with: what the tests' own machinery opens comes after them. */
static void occupy(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd < 59);
	for (fd = 3; fd < 1024; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void forget_all(void)
{
	for (int fd = 3; fd < 60; fd++)
		(void)close(fd);
}

static void test_preserve(void *arg)
{
	struct runtime_fds_options o = { .preserve = 2, .except = -1 };
	auto_runtime_fds f = RUNTIME_FDS_INIT;
	auto_err *e = NULL;
	int keep[] = { -1, 60, 61, -1 }; /* the last two: in_child() reports there */

	(void)arg;
	forget_all();
	open_at(3);
	open_at(4);
	open_at(9);
	keep[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	ok(runtime_fds_collect(&o, &f, NULL) == 0, "3 and 4 are there");
	ok(f.n == 5 && f.to[4] == 4, "and chosen, after 0, 1, 2");
	is_int(f.n_inherited, 3, "what we opened ourselves is not the caller's");
	ok(fcntl(9, F_GETFD) & FD_CLOEXEC, "nothing of the caller's is handed on by accident");
	runtime_fds_close_others(&f, keep);
	ok(is_open(3) && is_open(4) && is_open(keep[0]) && !is_open(9), "what is not to be kept is closed");
	open_at(9);
	runtime_fds_drop(&f, true);
	ok(!is_open(3) && !is_open(4), "what the program has is closed too");
	ok(is_open(9), "but not what took a number since");
	runtime_fds_free(&f);
	o.preserve = 1;
	ok(runtime_fds_collect(&o, &f, NULL) == 0 && runtime_fds_check(&f, &e) < 0 && err_is(e, ERR_USAGE),
		"one that is not open is an error");
	f.gaps = true;
	ok(runtime_fds_check(&f, NULL) == 0, "but to who fills gaps it is none");
}

static void test_all(void *arg)
{
	const struct runtime_fds_options o = { .preserve_all = true, .except = 5 };
	auto_runtime_fds f = RUNTIME_FDS_INIT;

	(void)arg;
	forget_all();
	open_at(5);
	open_at(7);
	open_at(50);
	ok(runtime_fds_collect(&o, &f, NULL) == 0 && f.n == 5, "all but the configuration's");
	ok(f.to[3] == 7 && f.to[4] == 50, "at their numbers");
	is_int(f.n_inherited, 2, "whose number may be another's soon");
}

static void test_listen(void *arg)
{
	const struct runtime_fds_options o = { .preserve = 1, .except = -1 };
	auto_runtime_fds f = RUNTIME_FDS_INIT;
	char pid[16];

	(void)arg;
	forget_all();
	open_at(3);
	open_at(4);
	open_at(5);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("LISTEN_FDS", "2", 1);
	(void)setenv("LISTEN_PID", pid, 1);
	ok(runtime_fds_collect(&o, &f, NULL) == 0 && f.n == 6 && f.listen == 2, "LISTEN_FDS come on top");
	runtime_fds_free(&f);
	for (int fd = 3; fd < 6; fd++)
		(void)fcntl(fd, F_SETFD, 0);
	(void)setenv("LISTEN_PID", "1", 1);
	ok(runtime_fds_collect(&o, &f, NULL) == 0 && f.n == 4 && f.listen == 0,
		"unless they are for somebody else");
}

static void test_launchers(void *arg)
{
	const struct runtime_fds_options o = { .preserve_all = true, .except = -1 };
	auto_runtime_fds f = RUNTIME_FDS_INIT;

	(void)arg;
	forget_all();
	open_at(6);
	open_at(7);
	(void)setenv("PMI_FD", "7", 1);
	ok(runtime_fds_collect(&o, &f, NULL) == 0 && f.n == 5, "the launcher's passes to the rank as well");
	runtime_fds_drop(&f, true);
	ok(!is_open(6) && is_open(7), "and ends with who tells the rank's status");
	open_at(6);
	runtime_fds_drop(&f, false);
	ok(!is_open(6) && !is_open(7), "who stays beside the rank has none of it");
}

int main(void)
{
	occupy();
	in_child(test_preserve, NULL);
	in_child(test_all, NULL);
	in_child(test_listen, NULL);
	in_child(test_launchers, NULL);
	return tap_done();
}
