/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the listener of a filter from the process that installed it, and passing it on. */
#include "pkg/runtime/listener.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "engines/guest_init.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/seccomp.h"
#include "pkg/runtime/state.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#define LOOK_MS 1

int listener_open(struct listener *l, struct err **err)
{
	void *at;

	l->fd = fd_anon("listener");
	if (l->fd < 0 || ftruncate(l->fd, sizeof(*l->shared)) < 0)
		return err_sys(err, errno, "temporary file");
	at = mmap(NULL, sizeof(*l->shared), PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	if (at == MAP_FAILED)
		return err_sys(err, errno, "shared memory");
	l->shared = at;
	return 0;
}

void listener_close(struct listener *l)
{
	if (l->shared)
		(void)munmap((void *)(uintptr_t)l->shared, sizeof(*l->shared));
	if (l->fd >= 0)
		close(l->fd);
	*l = LISTENER_INIT;
}

static int take(pid_t program, int number, struct err **err)
{
	autoclose int pidfd = (int)syscall(SYS_pidfd_open, program, 0);
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

	if (fd < 0 && errno == ENOSYS)
		return err_make(err, ERR_UNSUPPORTED, "linux.seccomp: SCMP_ACT_NOTIFY needs Linux 5.6");
	if (fd < 0)
		return err_sys(err, errno, "linux.seccomp: take the listener from the program");
	return fd;
}

/* The container process state of the specification. */
static char *process_state(const struct seccomp_program *p, const struct instance *c, pid_t program)
{
	auto_runtime_state state = RUNTIME_STATE_INIT;
	auto_json *j = json_new_object();
	struct json *fds;

	instance_state(c, STATUS_CREATING, &state);
	state.pid = getpid(); /* who supervises the program stands for it */
	json_set_str(j, "ociVersion", state.oci_version);
	fds = json_need_array(j, "fds");
	json_append(fds, json_new_str("seccompFd"));
	json_set_i64(j, "pid", program);
	if (p->listener_metadata)
		json_set_str(j, "metadata", p->listener_metadata);
	json_set(j, "state", runtime_state_to_json(&state));
	return json_text(j, 0);
}

int listener_hand_over(struct listener *l, const struct seccomp_program *p, const struct instance *c,
	pid_t program, int status, struct err **err)
{
	struct pollfd end = { .fd = status, .events = POLLIN };
	autofree char *text = NULL;
	struct iovec message;
	autoclose int fd = -1;

	while (!l->shared->listener)
		if (poll(&end, 1, LOOK_MS) > 0)
			return 0;
	fd = take(program, l->shared->listener - 1, err);
	if (fd < 0)
		return -1;
	text = process_state(p, c, program);
	message = (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
	if (console_pass(p->listener_path, "linux.seccomp.listenerPath", &message, fd, err) < 0)
		return -1;
	l->shared->go = 1;
	return 0;
}
