/* SPDX-License-Identifier: Apache-2.0 */
/* Names of unix sockets through the engine's handlers, in a root of our own; and what no sane program passes. */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "tests/unit/tap.h"
#include "tests/unit/trap_guest.h"

static char top[] = "/tmp/udocker-sock-XXXXXX";
static char far_away[64]; /* a folder of the root with a long name */

static long ask(
	call_handler handler, long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	struct call call = { .nr = nr, .arg = { a, b, c, d } };

	return handler(&call);
}

static struct sockaddr_un address(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, name, strnlen(name, sizeof(a.sun_path)));
	return a;
}

static long bind_name(int s, const char *name)
{
	struct sockaddr_un a = address(name);

	return ask(call_bind, SYS_bind, (unsigned long)s, (unsigned long)&a, sizeof(a), 0);
}

static long connect_name(int s, const char *name)
{
	struct sockaddr_un a = address(name);

	return ask(call_connect, SYS_connect, (unsigned long)s, (unsigned long)&a, sizeof(a), 0);
}

static const char *name_of(call_handler handler, long nr, int s)
{
	static struct sockaddr_un a;
	socklen_t n = sizeof(a);

	memset(&a, 0, sizeof(a));
	if (ask(handler, nr, (unsigned long)s, (unsigned long)&a, (unsigned long)&n, 0))
		return "?";
	return n == offsetof(struct sockaddr_un, sun_path) + strlen(a.sun_path) + 1 ? a.sun_path : "(length)";
}

/* One side binds `name`, the other reaches it by `by`. */
static void meet(const char *name, const char *by, const char *what)
{
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char label[200];

	snprintf(label, sizeof(label), "%s: bound", what);
	is_int(bind_name(s, name), 0, label);
	snprintf(label, sizeof(label), "%s: its name is the one it was given", what);
	is_str(name_of(call_getsockname, SYS_getsockname, s), name, label);
	listen(s, 1);
	snprintf(label, sizeof(label), "%s: reached", what);
	is_int(connect_name(c, by), 0, label);
	close(s);
	close(c);
}

static void test_names(void)
{
	char path[200], name[200];
	int a, b;

	meet("/s1", "/s1", "at the root");
	snprintf(path, sizeof(path), "%s/s1", top);
	ok(access(path, F_OK) == 0, "it lies in the guest's root");
	mkdir("sub", 0755);
	meet("sub/s2", "./sub/../sub/s2", "relative");
	meet("s3", "/s3", "plain");
	if (symlink("/s3", "link"))
		ok(false, "symlink");
	a = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_int(connect_name(a, "link"), -ECONNREFUSED,
		"a link leads into the root, to a socket that nobody listens at");
	is_int(bind_name(a, "/s3"), -EADDRINUSE, "a name is taken once");
	is_int(bind_name(a, "/none/s"), -ENOENT, "no such folder");
	is_int(connect_name(a, "/none"), -ENOENT, "no such name");
	close(a);
	snprintf(name, sizeof(name), "/%s/%s", far_away, "0123456789012345678901234567890123456789");
	mkdir(far_away, 0755);
	meet(name, name, "a name that fits only without a prefix");
	a = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	b = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is_int(bind_name(a, "/d1"), 0, "a datagram socket");
	is_int(connect_name(b, "/d1"), 0, "and who talks to it");
	is_str(name_of(call_getpeername, SYS_getpeername, b), "/d1", "knows whom");
	close(a);
	close(b);
}

static void test_others(void)
{
	static const char abstract[] = "\0udocker-trap-test";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    i = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, abstract, sizeof(abstract));
	is_int(ask(call_bind, SYS_bind, (unsigned long)s, (unsigned long)&a, 2 + sizeof(abstract), 0), 0,
		"an abstract name is the kernel's");
	is_int(ask(call_bind, SYS_bind, (unsigned long)i, (unsigned long)&in, sizeof(in), 0), 0,
		"so is another family");
	a = address("/x");
	is_int(ask(call_bind, SYS_bind, (unsigned long)i, (unsigned long)&a, sizeof(a), 0), -EAFNOSUPPORT,
		"a unix name for another socket");
	is_int(ask(call_bind, SYS_bind, 9999, (unsigned long)&a, sizeof(a), 0), -EBADF, "for no descriptor");
	is_int(ask(call_bind, SYS_bind, (unsigned long)s, 8, sizeof(a), 0), -EFAULT, "a name nowhere");
	is_int(ask(call_bind, SYS_bind, (unsigned long)s, (unsigned long)&a, sizeof(a) + 1, 0), -EINVAL,
		"too long a name");
	is_int(ask(call_connect, SYS_connect, (unsigned long)s, (unsigned long)&a, (unsigned long)-1, 0),
		-EINVAL, "a length of -1");
	is_int(ask(call_getsockname, SYS_getsockname, (unsigned long)s, (unsigned long)&a, 8, 0), -EFAULT,
		"a length nowhere");
	close(s);
	close(i);
}

/* ---- messages ---- */
struct credentials {
	struct cmsghdr h;
	struct ucred u;
};

static long send_as(int s, uint32_t uid, void *control, size_t n)
{
	char byte = 'x';
	struct iovec v = { &byte, 1 };
	struct credentials c = { { .cmsg_len = CMSG_LEN(sizeof(struct ucred)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_CREDENTIALS },
		{ getpid(), uid, 0 } };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control ? control : &c,
		.msg_controllen = control ? n : sizeof(c) };

	return ask(call_sendmsg, SYS_sendmsg, (unsigned long)s, (unsigned long)&m, 0, 0);
}

static void test_credentials(void)
{
	int pair[2], n = sizeof(struct ucred);
	struct ucred u = { 0 };

	ids_start();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		return;
	is_int(send_as(pair[0], 0, NULL, 0), 1, "root may say that it is root");
	ids_own()->uid[0] = ids_own()->uid[1] = ids_own()->uid[2] = 7;
	ids_own()->cap[IDS_EFFECTIVE] = 0;
	is_int(send_as(pair[0], 7, NULL, 0), 1, "and somebody else that it is who it is");
	if (getuid())
		is_int(send_as(pair[0], 8, NULL, 0), -EPERM, "but not another");
	is_int(ask(call_getsockopt, SYS_getsockopt, (unsigned long)pair[0], SOL_SOCKET, SO_PEERCRED, 8),
		-EFAULT, "credentials into nowhere");
	{
		struct call c = { SYS_getsockopt,
			{ (unsigned long)pair[0], SOL_SOCKET, SO_PEERCRED, (unsigned long)&u,
				(unsigned long)&n },
			NULL };

		is_int(call_getsockopt(&c), 0, "who is there?");
		is_int(u.uid, 7, "who it is told that it is");
	}
	close(pair[0]);
	close(pair[1]);
}

/* Bytes at random where a message is expected: an errno or a message, never a crash. */
static void test_hostile(void)
{
	uint32_t seed = 1;
	int pair[2], bad = 0;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return;
	mprotect(page + 4096, 4096, PROT_NONE);
	for (int round = 0; round < 20000; round++) {
		struct msghdr m;
		unsigned char raw[sizeof(m)];
		size_t n;
		long r;

		for (size_t i = 0; i < sizeof(raw); i++)
			raw[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
		for (size_t i = 0; i < 64; i++)
			page[4032 + i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24 & 31);
		memcpy(&m, raw, sizeof(m));
		/* Near the end of what can be read. */
		n = seed >> 8 & 63;
		if (round & 1) {
			m.msg_control = page + 4096 - n;
			m.msg_controllen = seed >> 16 & 127;
		}
		if (round & 2) {
			m.msg_name = page + 4096 - n;
			m.msg_namelen = seed >> 4 & 127;
			page[4096 - n - (n == 0)] = AF_UNIX;
		}
		if (round & 4)
			m.msg_iovlen = 0;
		r = ask(call_sendmsg, SYS_sendmsg, (unsigned long)pair[0], (unsigned long)&m, 0, 0);
		bad += r > 0 && r > 65536;
		ask(call_sendmmsg, SYS_sendmmsg, (unsigned long)pair[0], (unsigned long)(page + 4096 - n),
			round & 7, 0);
		while (recv(pair[1], raw, sizeof(raw), MSG_DONTWAIT) >= 0)
			;
	}
	is_int(bad, 0, "20000 messages of random bytes");
	is_int(ask(call_sendmsg, SYS_sendmsg, (unsigned long)pair[0], 8, 0, 0), -EFAULT, "a message nowhere");
	is_int(ask(call_sendmmsg, SYS_sendmmsg, (unsigned long)pair[0], 8, 2, 0), -EFAULT,
		"many messages nowhere");
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	char command[200];

	if (!mkdtemp(top) || chdir(top))
		return 1;
	memset(far_away, 'f', 58);
	trap_state = trap_guest(top, TRAP_IDS, false);
	test_names();
	test_others();
	test_credentials();
	test_hostile();
	for (const char *const *p = (const char *const[]){ "s1", "sub/s2", "sub", "s3", "link", "d1", NULL };
		*p; p++)
		remove(*p);
	snprintf(command, sizeof(command), "%s/%s", far_away, "0123456789012345678901234567890123456789");
	remove(command);
	remove(far_away);
	remove(top);
	return tap_done();
}
