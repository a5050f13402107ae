/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals and console sockets. */
#include "pkg/runtime/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/id.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"

#define SEND_TIMEOUT_S 10
#define RETRY_MS 5

/* The options gid= and mode= of the configuration's devpts. */
static bool read_access(const struct json *config, int *ret_gid, unsigned *ret_mode)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;
	bool gid = false, mode = false;

	if (runtime_mounts_read(config, &mounts, NULL) < 0)
		return false;
	for (size_t i = 0; i < mounts.n; i++) {
		const struct runtime_mount *m = &mounts.items[i];

		for (size_t k = 0; str_eq(m->type, "devpts") && k < m->options.n; k++) {
			const char *option = m->options.v[k];

			if (str_starts(option, "gid="))
				gid = num_parse_int(option + strlen("gid="), 0, INT32_MAX, ret_gid) == 0;
			else if (str_starts(option, "mode="))
				mode = num_parse_octal(option + strlen("mode="), 0777, ret_mode) == 0;
		}
	}
	return gid && mode;
}

/* A container without a devpts of its own has a terminal of the host's, with the access that it would have in its own. */
static void give_access(int slave, const struct json *config)
{
	unsigned mode = 0;
	int gid = 0;

	/* Without the group its right to write would be another's. */
	if (read_access(config, &gid, &mode) && fchown(slave, (uid_t)-1, (gid_t)gid) == 0)
		(void)fchmod(slave, (mode_t)mode);
}

int console_open(const struct runtime_process *process, const struct json *config, struct console *ret,
	struct err **err)
{
	auto_console c = CONSOLE_INIT;
	char name[64];

	c.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.master < 0 || grantpt(c.master) < 0 || unlockpt(c.master) < 0 ||
		ptsname_r(c.master, name, sizeof(name)) != 0)
		return err_sys(err, errno, "allocate a terminal");
	c.slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.slave < 0)
		return err_sys(err, errno, "open terminal '%s'", name);
	give_access(c.slave, config);
	if (process->has_console_size) {
		struct winsize ws = {
			.ws_row = (unsigned short)process->console_height,
			.ws_col = (unsigned short)process->console_width,
		};

		(void)ioctl(c.master, TIOCSWINSZ, &ws); /* a wish, not a need */
	}
	*ret = c;
	c = CONSOLE_INIT;
	return 0;
}

void console_close(struct console *c)
{
	if (c->master >= 0)
		close(c->master);
	if (c->slave >= 0)
		close(c->slave);
	*c = CONSOLE_INIT;
}

/* A path longer than an address can hold goes through its directory's descriptor. *ret_dirfd keeps that open. */
static int make_address(
	const char *path, const char *what, struct sockaddr_un *ret, int *ret_dirfd, struct err **err)
{
	autofree char *dir = path_dir(path);
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(ret->sun_path)) {
		memcpy(ret->sun_path, path, strlen(path) + 1);
		return 0;
	}
	*ret_dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dirfd < 0)
		return err_sys(err, errno, "%s '%s'", what, path);
	n = snprintf(
		ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dirfd, path_base(path));
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		return err_sys(err, ENAMETOOLONG, "%s '%s'", what, path);
	return 0;
}

/* Signals wait while a container is started, for its sake: one that is to end us must not wait for somebody who does not read. */
static bool is_told_to_end(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t waiting;

	if (sigpending(&waiting) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (sigismember(&waiting, ends[i]) == 1)
			return true;
	return false;
}

/* A call on a socket has failed: pause, and 0 if it is worth another try; else -1 with errno. */
static int wait_to_retry(int64_t deadline)
{
	if (errno != EAGAIN && errno != EINTR)
		return -1;
	if (is_told_to_end() || time_monotonic_ns() > deadline) {
		errno = is_told_to_end() ? EINTR : ETIMEDOUT;
		return -1;
	}
	(void)poll(NULL, 0, RETRY_MS);
	return 0;
}

int console_pass(
	const char *socket_path, const char *what, const struct iovec *message, int fd, struct err **err)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = *message;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int64_t deadline = time_monotonic_ns() + (int64_t)SEND_TIMEOUT_S * 1000000000;
	struct sockaddr_un address;
	autoclose int dirfd = -1;
	autoclose int sock = -1;
	ssize_t n, more;

	if (make_address(socket_path, what, &address, &dirfd, err) < 0)
		return -1;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return err_sys(err, errno, "%s", what);
	while (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (wait_to_retry(deadline) < 0)
			return err_sys(err, errno, "%s '%s'", what, socket_path);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	while ((n = sendmsg(sock, &msg, MSG_NOSIGNAL)) < 0)
		if (wait_to_retry(deadline) < 0)
			return err_sys(err, errno, "%s '%s'", what, socket_path);
	while ((size_t)n < iov.iov_len) {
		more = send(sock, (const char *)iov.iov_base + n, iov.iov_len - (size_t)n, MSG_NOSIGNAL);
		if (more < 0 && wait_to_retry(deadline) < 0)
			return err_sys(err, errno, "%s '%s'", what, socket_path);
		n += more > 0 ? more : 0;
	}
	return 0;
}

int console_send(const struct console *c, const char *socket_path, struct err **err)
{
	char text[] = "/dev/ptmx"; /* runc sends the name too */
	struct iovec message = { .iov_base = text, .iov_len = sizeof(text) - 1 };

	return console_pass(socket_path, "console socket", &message, c->master, err);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclose int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	mask = umask(0077);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)); /* never replaces what is there */
	(void)umask(mask);
	return r < 0 || listen(fd, 1) < 0 ? -1 : steal_fd(&fd);
}

int console_listen(const char *dir, char **ret_path, int *ret_fd, struct err **err)
{
	autofree char *path = path_join(dir, "console.sock");
	char random[17];
	int fd = listen_at(path);

	if (fd < 0 && errno == ENAMETOOLONG) {
		id_random_hex(random, sizeof(random) - 1);
		free(path);
		path = xasprintf("/tmp/udocker-console-%s", random);
		fd = listen_at(path);
	}
	if (fd < 0)
		return err_sys(err, errno, "console socket '%s'", path);
	*ret_path = steal_ptr(&path);
	*ret_fd = fd;
	return 0;
}

int console_receive(int listen_fd, int *ret_master, struct err **err)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char text[4096];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct pollfd p = { .fd = listen_fd, .events = POLLIN };
	autoclose int sock = -1;
	ssize_t n = -1;

	if (poll(&p, 1, SEND_TIMEOUT_S * 1000) == 1)
		sock = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (sock >= 0)
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n <= 0 || msg.msg_controllen < CMSG_LEN(sizeof(int)) || control.head.cmsg_level != SOL_SOCKET ||
		control.head.cmsg_type != SCM_RIGHTS)
		return err_make(err, ERR_ENGINE, "the container's terminal did not arrive");
	memcpy(ret_master, CMSG_DATA(&control.head), sizeof(int));
	return 0;
}

int console_check(bool terminal, bool foreground, const char *socket_path, struct err **err)
{
	bool given = socket_path && *socket_path;

	if (terminal && !foreground && !given)
		return err_make(err, ERR_USAGE,
			"process.terminal is true: --console-socket is needed when the container does not "
			"run in the foreground");
	if (!terminal && given)
		return err_make(err, ERR_USAGE, "--console-socket was given, but process.terminal is false");
	if (foreground && given)
		return err_make(err, ERR_USAGE, "--console-socket is for create and for run --detach");
	return 0;
}
