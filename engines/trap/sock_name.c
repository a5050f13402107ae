/* SPDX-License-Identifier: Apache-2.0 */
/* See sock.h. Names are 108 bytes at most; what does not fit behind the descriptor's path goes over one of the folder or of the socket. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/root.h"
#include "engines/trap/sock.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define HEAD offsetof(struct sockaddr_un, sun_path)
#define NAME_MAX_LEN sizeof(((struct sockaddr_un *)0)->sun_path)
#define REMEMBERED 16

/* Names that the way back would not give: the last ones that this process has bound, by the socket's inode. */
static struct {
	uint64_t ino;
	char name[NAME_MAX_LEN + 1];
} remembered[REMEMBERED];
static unsigned next_remembered;

static uint64_t inode_of(int sock)
{
	struct stat st;

	return SYS(fstat, sock, &st) ? 0 : st.st_ino;
}

static void remember(int sock, const char *name)
{
	unsigned i = __atomic_fetch_add(&next_remembered, 1, __ATOMIC_RELAXED) % REMEMBERED;

	remembered[i].ino = inode_of(sock);
	memcpy(remembered[i].name, name, strlen(name) + 1);
}

static const char *recall(int sock)
{
	uint64_t ino = inode_of(sock);

	for (unsigned i = 1; i <= REMEMBERED; i++) {
		unsigned at = (next_remembered - i) % REMEMBERED;

		if (ino && remembered[at].ino == ino)
			return remembered[at].name;
	}
	return NULL;
}

/* The bind of a stored name, and what follows its descriptor: "" or "/…". */
static const struct trap_bind *stored_bind(const char *name, const char **ret_rest)
{
	static const char prefix[] = "/proc/self/fd/";
	unsigned long fd;

	if (!text_begins(name, prefix))
		return NULL;
	name += sizeof(prefix) - 1;
	if (!text_to_number(&name, TRAP_FD_TOP, &fd) || !trap_is_reserved(fd) || (*name && *name != '/'))
		return NULL;
	*ret_rest = name;
	for (unsigned i = 0; i < trap_state->n_binds; i++)
		if (trap_state->bind[i].fd == (int32_t)fd)
			return &trap_state->bind[i];
	return NULL;
}

static void set_name(struct sock_name *n, const char *name, size_t len)
{
	n->addr.sun_family = AF_UNIX;
	memset(n->addr.sun_path, 0, sizeof(n->addr.sun_path));
	memcpy(n->addr.sun_path, name, len);
	n->len = (long)(HEAD + len + (len < NAME_MAX_LEN));
}

/* "/proc/self/fd/FD/rest"; false: too long. */
static bool set_below(struct sock_name *n, long fd, const char *rest)
{
	char name[NAME_MAX_LEN + 32];
	size_t head = (size_t)(text_fd_path(name, fd) - name), len = strlen(rest);

	if (head + (len ? 1 : 0) + len > NAME_MAX_LEN)
		return false;
	if (len) {
		name[head++] = '/';
		memcpy(name + head, rest, len);
	}
	set_name(n, name, head + len);
	return true;
}

/* Does the kernel find the same by the relative name as it is: no links, dots and mount points on the way? */
static bool is_same_for_kernel(const char *name, const char *canonical)
{
	char *cwd = buffer_take();
	const char *rest;
	long n = name[0] == '/' ? -1 : path_of_fd(AT_FDCWD, cwd);
	bool same = n > 0 && text_begins(canonical, text_eq(cwd, "/") ? "" : cwd);

	if (same) {
		const char *below = canonical + (n > 1 ? n : 0);

		same = *below == '/' && text_eq(below + 1, name) &&
		       path_locate(cwd, &rest) == path_locate(canonical, &rest);
	}
	buffer_give(cwd);
	return same;
}

/* No room for the name itself: the socket gets a short one, which is changed when it is made. The kernel knows sockets by their inodes. */
static long set_short(struct sock_name *n, const struct path_parent *p)
{
	static const char prefix[] = ".trap-";
	char name[48];
	struct stat st;
	long fd;

	if (strlen(p->name) >= sizeof(n->text))
		return -ENAMETOOLONG;
	if (SYS(newfstatat, p->fd, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EADDRINUSE;
	fd = SYS(openat, p->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	memcpy(name, prefix, sizeof(prefix));
	*text_number(name + sizeof(prefix) - 1, (unsigned long)SYS(gettid)) = '\0';
	(void)SYS(unlinkat, fd, name, 0); /* of one that was killed meanwhile, of our number */
	n->fd = fd;
	n->last = n->text;
	memcpy(n->text, p->name, strlen(p->name) + 1);
	return set_below(n, fd, name) ? 0 : -ENAMETOOLONG;
}

long sock_name_settle(const struct sock_name *n, long r)
{
	const char *name = n->addr.sun_path + strlen(n->addr.sun_path);

	while (name[-1] != '/')
		name--;
	if (r == 0) {
		r = SYS(renameat2, n->fd, name, n->fd, n->last, RENAME_NOREPLACE);
		if (r == -EINVAL) /* a file system that does not know the flag */
			r = SYS(renameat, n->fd, name, n->fd, n->last);
		if (r < 0)
			(void)SYS(unlinkat, n->fd, name, 0);
	}
	return r == -EEXIST ? -EADDRINUSE : r;
}

static long name_to_bind(struct sock_name *ret, const char *name, const char *canonical)
{
	const char *rest;
	const struct trap_bind *b = path_locate(canonical, &rest);
	struct path_parent p = { .fd = -1 };
	long r = path_parent(AT_FDCWD, name, true, &p);

	if (path_making_error(&p, r) == -EEXIST)
		r = -EADDRINUSE;
	if (!r && !set_below(ret, b->fd, rest)) {
		/* The folder's descriptor may go when the name is made. */
		if (!set_below(ret, p.fd, p.name)) {
			r = set_short(ret, &p);
		} else if (p.own) {
			ret->fd = p.fd;
			p.own = false;
		}
	}
	path_parent_free(&p);
	return r;
}

static long name_to_reach(struct sock_name *ret, const char *name, const char *canonical, long kind)
{
	const char *rest;
	const struct trap_bind *b = path_locate(canonical, &rest);

	if (kind == PATH_PLAIN && set_below(ret, b->fd, rest))
		return 0;
	ret->fd = path_at(AT_FDCWD, name, true, false);
	if (ret->fd < 0)
		return ret->fd;
	return set_below(ret, ret->fd, "") ? 0 : -ENAMETOOLONG;
}

/* A descriptor that is no unix socket has a failure of its own, whatever becomes of the name. */
static bool is_unix(int sock)
{
	int domain = 0;
	socklen_t n = sizeof(domain);

	return !SYS(getsockopt, sock, SOL_SOCKET, SO_DOMAIN, &domain, &n) && domain == AF_UNIX;
}

static long name_translate(struct sock_name *ret, int sock, const char *name, bool made)
{
	char *canonical = buffer_take();
	long kind = path_canonical(AT_FDCWD, name, !made, canonical), r = kind;
	const char *rest;
	const bool same = kind == PATH_PLAIN && is_same_for_kernel(name, canonical) &&
			  !(made && path_locate(canonical, &rest)->flags & TRAP_BIND_READONLY);

	if (kind == PATH_FOREIGN || same)
		r = 0;
	else if (kind >= 0 && made)
		r = name_to_bind(ret, name, canonical);
	else if (kind >= 0)
		r = name_to_reach(ret, name, canonical, kind);
	if (r >= 0 && made && ret->len && !text_eq(name, canonical))
		remember(sock, name);
	else if (r >= 0 && made && ret->fd >= 0)
		remember(sock, name);
	buffer_give(canonical);
	return r < 0 ? r : 0;
}

long sock_name_in(struct sock_name *ret, int sock, const void *guest, unsigned long len, bool made)
{
	struct sockaddr_un from;
	char name[NAME_MAX_LEN + 1];
	const char *rest;
	long r;

	ret->len = 0;
	ret->fd = -1;
	ret->last = NULL;
	if (len <= HEAD || len > sizeof(from))
		return 0;
	memset(&from, 0, sizeof(from));
	if (guest_read(&from, guest, len))
		return -EFAULT;
	if (from.sun_family != AF_UNIX || !from.sun_path[0] || !is_unix(sock))
		return 0;
	memcpy(name, from.sun_path, NAME_MAX_LEN);
	name[NAME_MAX_LEN] = '\0';
	/* A stored name that a call gave which is not ours (recvfrom, accept). */
	if (stored_bind(name, &rest))
		return 0;
	r = name_translate(ret, sock, name, made);
	if (r < 0)
		sock_name_free(ret);
	return r;
}

void sock_name_free(const struct sock_name *n)
{
	if (n->fd >= 0)
		SYS(close, n->fd);
}

unsigned sock_name_out(struct sockaddr_un *addr, unsigned len, int sock)
{
	char name[NAME_MAX_LEN + 1];
	const struct trap_bind *b;
	const char *rest, *known;
	char *full;
	size_t n = 0;
	long r;

	if (len <= HEAD || len > sizeof(*addr) + 1 || addr->sun_family != AF_UNIX || !addr->sun_path[0])
		return len;
	memcpy(name, addr->sun_path, NAME_MAX_LEN);
	name[len - HEAD < NAME_MAX_LEN ? len - HEAD : NAME_MAX_LEN] = '\0';
	known = text_begins(name, "/proc/self/fd/") ? recall(sock) : NULL;
	b = stored_bind(name, &rest);
	if (!known && !b)
		return len;
	memset(addr->sun_path, 0, sizeof(addr->sun_path));
	if (known) {
		n = strlen(known);
		memcpy(addr->sun_path, known, n);
	} else {
		full = buffer_take();
		n = b->guest_len;
		memcpy(full, trap_bind_guest(b), n);
		memcpy(full + n, rest, strlen(rest) + 1);
		n += strlen(rest);
		r = root_show(full, n);
		n = r < 0 ? n : (size_t)r;
		n = n < NAME_MAX_LEN ? n : NAME_MAX_LEN;
		memcpy(addr->sun_path, full, n);
		buffer_give(full);
	}
	return (unsigned)(HEAD + n + 1);
}
