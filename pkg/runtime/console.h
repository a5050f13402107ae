/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals for containers and their hand-over to a caller by --console-socket. */
#ifndef UDOCKER_RUNTIME_CONSOLE_H
#define UDOCKER_RUNTIME_CONSOLE_H

#include "pkg/base/base.h"

struct err;
struct json;
struct runtime_process;

struct console {
	int master, slave; /* owned, close-on-exec */
};
#define CONSOLE_INIT ((struct console){ -1, -1 })

/* A new terminal of the size that the process asks for, with the group and mode of the configuration's devpts where we may. */
int console_open(const struct runtime_process *process, const struct json *config, struct console *ret,
	struct err **err);
void console_close(struct console *c);
#define auto_console CLEANUP(console_close) struct console

/*
 * Connect to a Unix socket and send one message whose ancillary data is the master. A listener that does not answer within
 * some seconds is an error.
 */
int console_send(const struct console *c, const char *socket_path, struct err **err);
/* The same for any descriptor and message; `what` begins the errors. */
struct iovec;
int console_pass(
	const char *socket_path, const char *what, const struct iovec *message, int fd, struct err **err);

/*
 * The other side, for a delegate's container whose terminal we carry: a socket in `dir`, or in /tmp when that path is too long for an
 * address. *ret_path (owned by the caller, who unlinks it) is what the delegate is to be given.
 */
int console_listen(const char *dir, char **ret_path, int *ret_fd, struct err **err);
/* The master that was sent, or that comes within some seconds. */
int console_receive(int listen_fd, int *ret_master, struct err **err);

/*
 * The rule of oci-runtime.md: a terminal without a foreground needs --console-socket, and it is refused for anything else.
 * ERR_USAGE.
 */
int console_check(bool terminal, bool foreground, const char *socket_path, struct err **err);

#endif
