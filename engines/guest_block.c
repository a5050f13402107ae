/* SPDX-License-Identifier: Apache-2.0 */
/* The hosted half of guest_init.h: writes launch blocks and reads guest_init's answer. */
#include "engines/guest_init.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/str.h"

/* The NUL that ends each field is part of the block. */
static void add_text(struct str *s, const char *text)
{
	(void)str_add(s, text); /* overflow is asked for once, at the end */
	(void)str_add_char(s, '\0');
}

static void add_number(struct str *s, uint64_t n)
{
	(void)str_addf(s, "%llu", (unsigned long long)n);
	(void)str_add_char(s, '\0');
}

static void add_list(struct str *s, char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	add_number(s, n);
	for (size_t i = 0; i < n; i++)
		add_text(s, list[i]);
}

int guest_init_block_build(const struct guest_init_launch *launch, int *ret_fd, struct err **err)
{
	auto_str s = STR_INIT_MAX(GUEST_INIT_BLOCK_MAX);
	autoclose int fd = -1;

	if (!launch->argv || !launch->argv[0])
		return err_make(err, ERR_USAGE, "no program to run");
	if (!launch->cwd || launch->cwd[0] != '/')
		return err_make(err, ERR_USAGE, "working directory '%s' is not absolute",
			launch->cwd ? launch->cwd : "");
	add_text(&s, GUEST_INIT_MAGIC);
	add_number(&s, launch->flags);
	add_number(&s, launch->n_fds);
	for (size_t i = 0; i < launch->n_fds; i++)
		add_number(&s, (uint64_t)launch->fds[i]);
	add_number(&s, launch->umask);
	add_number(&s, launch->uid);
	add_number(&s, launch->gid);
	add_text(&s, launch->cwd);
	add_number(&s, launch->n_groups);
	for (size_t i = 0; i < launch->n_groups; i++)
		add_number(&s, launch->groups[i]);
	add_number(&s, launch->n_rlimits);
	for (size_t i = 0; i < launch->n_rlimits; i++) {
		add_number(&s, (uint64_t)launch->rlimits[i].resource);
		add_number(&s, launch->rlimits[i].soft);
		add_number(&s, launch->rlimits[i].hard);
	}
	add_list(&s, launch->argv);
	add_list(&s, launch->env);
	add_text(&s, "end");
	if (s.overflow)
		return err_make(err, ERR_UNSUPPORTED, "arguments and environment exceed %u MiB",
			GUEST_INIT_BLOCK_MAX >> 20);
	fd = fd_anon("launch");
	if (fd < 0)
		return err_sys(err, errno, "create the launch block");
	if (fd_write_all(fd, s.data, s.len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "write the launch block");
	*ret_fd = steal_fd(&fd);
	return 0;
}

int guest_init_hello(int sock, pid_t *ret_pid, int *ret_pipe, struct err **err)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	char hello = 0;
	struct iovec iov = { .iov_base = &hello, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct ucred who = { 0 };
	autoclose int fd = -1;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, errno, "wait for the program to start");
	if (n <= 0)
		return err_make(err, ERR_ENGINE, "the engine ended before it ran anything");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(fd)) && fd < 0)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(who)))
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	}
	if (hello != GUEST_INIT_HELLO || fd < 0)
		return err_make(err, ERR_ENGINE, "the first program inside gave a malformed answer");
	*ret_pid = who.pid;
	*ret_pipe = steal_fd(&fd);
	return 0;
}

static int send_some(int sock, const int *fds, size_t n)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * GUEST_INIT_FDS_PER_MESSAGE)];
	} control = { 0 };
	char byte = GUEST_INIT_HELLO;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n),
	};
	ssize_t r;

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n);
	do
		r = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

int guest_init_send_fds(int sock, const int *fds, size_t n, struct err **err)
{
	while (n > 0) {
		size_t some = n < GUEST_INIT_FDS_PER_MESSAGE ? n : GUEST_INIT_FDS_PER_MESSAGE;

		if (send_some(sock, fds, some) < 0)
			return err_sys(err, errno, "hand %zu descriptors to the program", some);
		fds += some;
		n -= some;
	}
	return 0;
}

int guest_init_result(int pipe_fd, struct guest_init_status *ret, struct err **err)
{
	struct guest_init_status got;
	ssize_t n = fd_read_full(pipe_fd, &got, sizeof(got));

	if (n == 0)
		return 0;
	if (n < 0)
		return err_sys(err, errno, "wait for the program to start");
	if (n != (ssize_t)sizeof(got))
		return err_make(err, ERR_ENGINE, "the first program inside gave a malformed answer");
	*ret = got;
	return 1;
}

int guest_init_await(int status_fd, struct guest_init_status *ret, struct err **err)
{
	autoclose int own = -1;
	struct stat st;
	pid_t pid;

	if (fstat(status_fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
		guest_init_hello(status_fd, &pid, &own, err) < 0)
		return -1;
	return guest_init_result(own >= 0 ? own : status_fd, ret, err);
}

const char *guest_init_stage_name(int stage)
{
	static const char *const names[] = {
		[GUEST_INIT_STAGE_BLOCK] = "launch block",
		[GUEST_INIT_STAGE_STATUS] = "status pipe",
		[GUEST_INIT_STAGE_RLIMIT] = "resource limit",
		[GUEST_INIT_STAGE_GROUPS] = "supplementary groups",
		[GUEST_INIT_STAGE_IDS] = "user and group",
		[GUEST_INIT_STAGE_CWD] = "working directory",
		[GUEST_INIT_STAGE_EXEC] = "program",
		[GUEST_INIT_STAGE_FDS] = "descriptors",
		[GUEST_INIT_STAGE_SESSION] = "session",
	};

	if (stage <= 0 || (size_t)stage >= ARRAY_LEN(names))
		return "unknown step";
	return names[stage];
}
