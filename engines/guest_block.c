/* SPDX-License-Identifier: Apache-2.0 */
/* The hosted half of guest_init.h: writes launch blocks and reads guest_init's answer. */
#include "engines/guest_init.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
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

int guest_init_block_build(const struct guest_init_launch *launch, struct str *ret, struct err **err)
{
	if (!launch->argv || !launch->argv[0])
		return err_make(err, ERR_USAGE, "no program to run");
	if (!launch->cwd || launch->cwd[0] != '/')
		return err_make(err, ERR_USAGE, "working directory '%s' is not absolute",
			launch->cwd ? launch->cwd : "");
	if (!ret->max)
		ret->max = GUEST_INIT_BLOCK_MAX;
	add_text(ret, GUEST_INIT_MAGIC);
	add_number(ret, launch->has_listener);
	add_number(ret, launch->n_fds);
	for (size_t i = 0; i < launch->n_fds; i++)
		add_number(ret, (uint64_t)launch->fds[i]);
	add_number(ret, launch->umask);
	add_number(ret, launch->uid);
	add_number(ret, launch->gid);
	add_text(ret, launch->cwd);
	add_number(ret, (uint64_t)launch->parent);
	add_text(ret, launch->file ? launch->file : "");
	add_number(ret, launch->n_cpus);
	for (size_t i = 0; i < launch->n_cpus; i++)
		add_number(ret, launch->cpus[i]);
	add_number(ret, launch->n_groups);
	for (size_t i = 0; i < launch->n_groups; i++)
		add_number(ret, launch->groups[i]);
	add_number(ret, launch->n_rlimits);
	for (size_t i = 0; i < launch->n_rlimits; i++) {
		add_number(ret, (uint64_t)launch->rlimits[i].resource);
		add_number(ret, launch->rlimits[i].soft);
		add_number(ret, launch->rlimits[i].hard);
	}
	add_number(ret, launch->filter_flags);
	add_number(ret, launch->n_filter);
	for (size_t i = 0; i < launch->n_filter; i++)
		add_number(ret, launch->filter[i]);
	add_list(ret, launch->argv);
	add_list(ret, launch->env);
	add_text(ret, "end");
	if (ret->overflow)
		return err_make(err, ERR_UNSUPPORTED, "arguments and environment exceed %u MiB",
			GUEST_INIT_BLOCK_MAX >> 20);
	return 0;
}

int guest_init_hello(int sock, pid_t *ret_pid, struct err **err)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(struct ucred))];
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
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, errno, "wait for the program to start");
	if (n <= 0)
		return err_make(err, ERR_ENGINE, "the engine ended before it ran anything");
	if (hello != GUEST_INIT_HELLO)
		return err_make(err, ERR_ENGINE, "the first program inside gave a malformed answer");
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
		c->cmsg_len == CMSG_LEN(sizeof(who)))
		memcpy(&who, CMSG_DATA(c), sizeof(who));
	*ret_pid = who.pid;
	return 0;
}

static int send_message(int sock, const struct iovec *data, size_t n_data, const int *fds, size_t n)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * GUEST_INIT_FDS_PER_MESSAGE)];
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = (struct iovec *)(uintptr_t)data,
		.msg_iovlen = n_data,
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

/* A block that does not fit into a message; its descriptor stands at its beginning. */
static int block_file(const struct str *block)
{
	autoclose int fd = fd_anon("launch");

	if (fd < 0 || fd_write_all(fd, block->data, block->len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return steal_fd(&fd);
}

int guest_init_send(int sock, const struct str *block, int status, const int *fds, size_t n, struct err **err)
{
	bool fits = block->len <= GUEST_INIT_INLINE_MAX;
	char kind = fits ? GUEST_INIT_INLINE : GUEST_INIT_FILE;
	struct iovec data[2] = { { &kind, 1 }, { block->data, block->len } };
	autofree int *all = xcalloc(n + 2, sizeof(*all));
	autoclose int file = fits ? -1 : block_file(block);
	size_t count = 0, some;

	if (!fits && file < 0)
		return err_sys(err, errno, "write the launch block");
	all[count++] = status;
	if (!fits)
		all[count++] = file;
	for (size_t i = 0; i < n; i++)
		all[count++] = fds[i];
	for (size_t at = 0; at < count; at += some) {
		some = count - at < GUEST_INIT_FDS_PER_MESSAGE ? count - at : GUEST_INIT_FDS_PER_MESSAGE;
		if (send_message(sock, data, at == 0 && fits ? 2 : 1, all + at, some) < 0)
			return err_sys(err, errno, "hand %zu descriptors to the program", some);
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

const char *guest_init_stage_name(int stage)
{
	static const char *const names[] = {
		[GUEST_INIT_STAGE_BLOCK] = "launch block",
		[GUEST_INIT_STAGE_RLIMIT] = "resource limit",
		[GUEST_INIT_STAGE_GROUPS] = "supplementary groups",
		[GUEST_INIT_STAGE_IDS] = "user and group",
		[GUEST_INIT_STAGE_CWD] = "working directory",
		[GUEST_INIT_STAGE_EXEC] = "program",
		[GUEST_INIT_STAGE_FDS] = "descriptors",
		[GUEST_INIT_STAGE_SESSION] = "session",
		[GUEST_INIT_STAGE_CPUS] = "processors",
		[GUEST_INIT_STAGE_SECCOMP] = "seccomp filter",
	};

	if (stage <= 0 || (size_t)stage >= ARRAY_LEN(names))
		return "unknown step";
	return names[stage];
}
