/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that take or give names of sockets and credentials. What receives is left alone: such calls are many, and wait. */
#include <sys/socket.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/sock.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define MESSAGES_MAX 1024 /* the kernel's own limit */

struct message {
	struct msghdr header;
	unsigned int len;
};

/* bind() and connect(). */
static long with_name(struct call *c, bool made)
{
	struct sock_name n;
	long r = sock_name_in(&n, (int)c->arg[0], (const void *)c->arg[1], (unsigned)c->arg[2], made);

	if (r < 0)
		return r;
	r = n.len ? sys_call(c->nr, (int)c->arg[0], (long)&n.addr, n.len, 0, 0, 0) : call_pass(c);
	if (n.last)
		r = sock_name_settle(&n, r);
	sock_name_free(&n);
	return r;
}

long call_bind(struct call *c)
{
	return with_name(c, true);
}

long call_connect(struct call *c)
{
	return with_name(c, false);
}

long call_sendto(struct call *c)
{
	struct sock_name n;
	long r;

	if (!c->arg[4])
		return call_pass(c);
	r = sock_name_in(&n, (int)c->arg[0], (const void *)c->arg[4], (unsigned)c->arg[5], false);
	if (r < 0)
		return r;
	r = n.len ? SYS(sendto, c->arg[0], c->arg[1], c->arg[2], c->arg[3], &n.addr, n.len) : call_pass(c);
	sock_name_free(&n);
	return r;
}

/* ---- names that come back ---- */
static long give_name(struct call *c)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr_un un;
	} addr;
	int room, len = sizeof(addr);
	long r;

	/* A bad descriptor counts before a bad address. */
	r = sys_call(c->nr, (int)c->arg[0], (long)&addr, (long)&len, 0, 0, 0);
	if (r < 0)
		return r;
	if (guest_read(&room, (const void *)c->arg[2], sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	len = (int)sock_name_out(&addr.un, (unsigned)len, c->nr == SYS_getsockname ? (int)c->arg[0] : -1);
	if (guest_write((void *)c->arg[1], &addr, (size_t)(room < len ? room : len)))
		return -EFAULT;
	return guest_write((void *)c->arg[2], &len, sizeof(len));
}

long call_getsockname(struct call *c)
{
	return give_name(c);
}

long call_getpeername(struct call *c)
{
	return give_name(c);
}

/* Who runs in this engine is known by what it is told itself, others by their real ids. */
static void show_peer(struct ucred *u)
{
	struct ids e;

	if (u->pid > 0 && u->uid == trap_state->real_uid && ids_peek(u->pid, &e)) {
		u->uid = e.uid[1];
		u->gid = e.gid[1];
		return;
	}
	u->uid = ids_show_uid(u->uid);
	u->gid = ids_show_gid(u->gid);
}

long call_getsockopt(struct call *c)
{
	struct ucred peer;
	int room, len = sizeof(peer);
	long r;

	if ((int)c->arg[1] != SOL_SOCKET || (int)c->arg[2] != SO_PEERCRED || !trap_has(TRAP_IDS))
		return call_pass(c);
	r = SYS(getsockopt, (int)c->arg[0], SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (r < 0)
		return r;
	if (guest_read(&room, (const void *)c->arg[4], sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	len = room < len ? room : len;
	show_peer(&peer);
	if (guest_write((void *)c->arg[3], &peer, (size_t)len))
		return -EFAULT;
	return guest_write((void *)c->arg[4], &len, sizeof(len));
}

/* ---- messages ---- */

/* Ids in control data become those that the kernel lets us claim. True if there are any. */
static bool put_real_ids(char *control, size_t n)
{
	struct cmsghdr h;
	struct ucred u;
	bool any = false;

	for (size_t at = 0; at <= n && n - at >= sizeof(h); at += CMSG_ALIGN(h.cmsg_len)) {
		memcpy(&h, control + at, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > n - at)
			break;
		if (h.cmsg_level != SOL_SOCKET || h.cmsg_type != SCM_CREDENTIALS ||
			h.cmsg_len < CMSG_LEN(sizeof(u)))
			continue;
		memcpy(&u, control + at + CMSG_LEN(0), sizeof(u));
		u.uid = ids_real_uid(u.uid);
		u.gid = ids_real_gid(u.gid);
		memcpy(control + at + CMSG_LEN(0), &u, sizeof(u));
		any = true;
	}
	return any;
}

/* Takes a buffer if the control data has to be others. Longer data than it holds have no credentials that anybody sends. */
static long control_in(struct msghdr *m, char **ret_buffer)
{
	*ret_buffer = NULL;
	if (!trap_has(TRAP_IDS) || !m->msg_control || m->msg_controllen < CMSG_LEN(sizeof(struct ucred)) ||
		m->msg_controllen > TRAP_PATH_ROOM)
		return 0;
	*ret_buffer = buffer_take();
	if (guest_read(*ret_buffer, m->msg_control, m->msg_controllen))
		return -EFAULT;
	if (put_real_ids(*ret_buffer, m->msg_controllen))
		m->msg_control = *ret_buffer;
	return 0;
}

static long send_message(int sock, const void *guest, unsigned flags)
{
	struct sock_name n = { .fd = -1, .last = NULL };
	char *control = NULL;
	struct msghdr m;
	long r = 0;

	if (guest_read(&m, guest, sizeof(m)))
		return SYS(sendmsg, sock, guest, flags);
	if (m.msg_name)
		r = sock_name_in(&n, sock, m.msg_name, m.msg_namelen, false);
	if (!r)
		r = control_in(&m, &control);
	if (!r && n.len) {
		m.msg_name = &n.addr;
		m.msg_namelen = (socklen_t)n.len;
	}
	/* What is ours goes in the copy; else the guest's own, as it is. */
	if (!r)
		r = SYS(sendmsg, sock,
			n.len || (control && m.msg_control == control) ? (const void *)&m : guest, flags);
	if (control)
		buffer_give(control);
	sock_name_free(&n);
	return r;
}

long call_sendmsg(struct call *c)
{
	return send_message((int)c->arg[0], (const void *)c->arg[1], (unsigned)c->arg[2]);
}

/* Has a message a name of a unix socket, or control data, that may have to be others? */
static bool is_ours(const void *guest)
{
	struct msghdr m;
	uint16_t family;

	if (guest_read(&m, guest, sizeof(m)))
		return false;
	if (m.msg_name && m.msg_namelen > sizeof(family) &&
		!guest_read(&family, m.msg_name, sizeof(family)) && family == AF_UNIX)
		return true;
	return m.msg_control && m.msg_controllen && trap_has(TRAP_IDS);
}

long call_sendmmsg(struct call *c)
{
	const char *vec = (const void *)c->arg[1]; /* may be anywhere */
	unsigned n = (unsigned)c->arg[2], i = 0;

	n = n < MESSAGES_MAX ? n : MESSAGES_MAX;
	while (i < n && !is_ours(vec + i * sizeof(struct message)))
		i++;
	if (i == n)
		return call_pass(c);
	for (i = 0; i < n; i++) {
		const char *one = vec + i * sizeof(struct message);
		long r = send_message((int)c->arg[0], one, (unsigned)c->arg[3]);
		unsigned len = (unsigned)r;

		if (r >= 0 && guest_write((void *)(uintptr_t)(one + offsetof(struct message, len)), &len,
				      sizeof(len)))
			r = -EFAULT;
		if (r < 0)
			return i ? (long)i : r;
	}
	return (long)n;
}
