/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces as descriptors: opened by path, made by a short-lived process, entered. */
#include "pkg/runtime/namespaces.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engines/ability.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* Linux 5.6 */
#endif

static const struct kind {
	const char *name; /* in config.json */
	const char *entry; /* what fails */
	const char *file; /* in /proc/PID/ns */
	int type;
	bool made; /* where no path is given: else it is emulated, or ignored */
} kinds[NAMESPACES_MAX] = {
	{ "user", "join user namespace", "user", CLONE_NEWUSER, false },
	{ "cgroup", "join cgroup namespace", "cgroup", CLONE_NEWCGROUP, true },
	{ "ipc", "join ipc namespace", "ipc", CLONE_NEWIPC, true },
	{ "uts", "join uts namespace", "uts", CLONE_NEWUTS, true },
	{ "network", "join network namespace", "net", CLONE_NEWNET, true },
	{ "time", "join time namespace", "time", CLONE_NEWTIME, false },
};

static const struct kind *kind_of(int type)
{
	const struct kind *k = kinds;

	while (k->type != type)
		k++;
	return k;
}

void namespaces_close(struct namespaces *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		close(ns->v[i].fd);
	*ns = NAMESPACES_INIT;
}

void namespaces_keep(const struct namespaces *ns, int *at)
{
	for (size_t i = 0; i < ns->n; i++)
		*at++ = ns->v[i].fd;
	*at = -1;
}

bool namespaces_have_user(const struct namespaces *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		if (ns->v[i].type == CLONE_NEWUSER)
			return true;
	return false;
}

/* ---- by path ---- */

static bool is_ours(const struct kind *k, int fd)
{
	autofree char *own = xasprintf("/proc/self/ns/%s", k->file);
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(own, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void add(struct namespaces *ns, const struct kind *k, int *fd)
{
	if (is_ours(k, *fd))
		return;
	ns->v[ns->n].type = k->type;
	ns->v[ns->n++].fd = steal_fd(fd);
}

static int open_path(struct namespaces *ns, const struct kind *k, const char *path, struct err **err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int type;

	if (fd < 0)
		return err_sys(err, errno, "%s namespace '%s'", k->name, path);
	type = ioctl(fd, NS_GET_NSTYPE);
	/* EINVAL is that of a kernel before 4.11, which says at the entry what it is. */
	if (type < 0 && errno != EINVAL)
		return err_make(err, ERR_USAGE, "%s namespace '%s': is no namespace", k->name, path);
	if (type >= 0 && type != k->type)
		return err_make(
			err, ERR_USAGE, "%s namespace '%s': is a namespace of another type", k->name, path);
	add(ns, k, &fd);
	return 0;
}

/* ---- making them ---- */

/* The loopback interface of a new network namespace is down. */
static void raise_loopback(void)
{
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_name = "lo" };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		return;
	req.ifr_flags |= IFF_UP;
	(void)ioctl(fd, SIOCSIFFLAGS, &req); /* without addresses all the same */
}

static void set_names(const struct json *config)
{
	const char *host = runtime_hostname(config), *domain = json_str(json_get(config, "domainname"));

	if (host && *host)
		(void)!sethostname(host, strlen(host));
	if (domain && *domain)
		(void)!setdomainname(domain, strlen(domain));
}

/* In a process of its own: says when they are there, and stays until they have been opened. */
static NORETURN void make_all(int types, const struct json *config, int sock)
{
	char made[NAMESPACES_MAX] = { 0 };
	char byte;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		made[i] = (types & kinds[i].type) ? (char)(unshare(kinds[i].type) == 0 ? 0 : errno) : 0;
	if (types & CLONE_NEWNET)
		raise_loopback();
	if (types & CLONE_NEWUTS)
		set_names(config);
	if (fd_write_all(sock, made, sizeof(made)) == 0)
		(void)fd_read_full(sock, &byte, 1);
	_exit(0);
}

static int open_made(
	const struct kind *k, pid_t maker, int error, bool strict, struct namespaces *ns, struct err **err)
{
	autofree char *path = xasprintf("/proc/%d/ns/%s", (int)maker, k->file);
	autoclose int fd = error ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		add(ns, k, &fd);
		return 0;
	}
	error = error ? error : errno;
	if (strict)
		return err_sys(err, error, "make a %s namespace", k->name);
	log_verbose("linux.namespaces.%s: cannot be made (%s), using the caller's", k->name, strerror(error));
	return 0;
}

static int make(const struct json *config, int types, bool strict, struct namespaces *ns, struct err **err)
{
	char made[NAMESPACES_MAX] = { 0 };
	int pair[2], r = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "make namespaces: socket");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		make_all(types, config, pair[1]);
	}
	close(pair[1]);
	if (pid < 0)
		r = err_sys(err, errno, "make namespaces: fork");
	else if (fd_read_full(pair[0], made, sizeof(made)) != (ssize_t)sizeof(made))
		r = err_make(err, ERR_SYSTEM, "make namespaces: their maker ended");
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(kinds); i++)
		if (types & kinds[i].type)
			r = open_made(&kinds[i], pid, made[i], strict, ns, err);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int namespaces_open(const struct json *config, bool strict, struct namespaces *ret, struct err **err)
{
	CLEANUP(namespaces_close) struct namespaces ns = NAMESPACES_INIT;
	int types = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *path = NULL;

		if (!runtime_namespace(config, kinds[i].name, &path))
			continue;
		if (path && *path) {
			if (open_path(&ns, &kinds[i], path, err) < 0)
				return -1;
		} else if (kinds[i].made) {
			types |= kinds[i].type;
		}
	}
	if (types && ability_namespaces() && make(config, types, strict, &ns, err) < 0)
		return -1;
	*ret = ns;
	ns = NAMESPACES_INIT;
	return 0;
}

int namespaces_open_of(const struct json *config, pid_t program, struct namespaces *ret, struct err **err)
{
	CLEANUP(namespaces_close) struct namespaces ns = NAMESPACES_INIT;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		autofree char *own = xasprintf("/proc/%d/ns/%s", (int)program, k->file);
		const char *path = NULL;
		autoclose int fd = -1;

		if (!runtime_namespace(config, k->name, &path))
			continue;
		fd = open(own, O_RDONLY | O_CLOEXEC);
		/* One in another user namespace may not be looked at. */
		if (fd < 0 && path && *path) {
			if (open_path(&ns, k, path, err) < 0)
				return -1;
		} else if (fd >= 0 && (k->made || (path && *path))) {
			add(&ns, k, &fd);
		} else if (fd < 0 && k->made && ability_namespaces()) {
			return err_sys(err, errno, "%s namespace of the container", k->name);
		}
	}
	*ret = ns;
	ns = NAMESPACES_INIT;
	return 0;
}

/* ---- entering ---- */

/* The caller may enter some by its own privilege, others by that which a user namespace gives: these come after it. */
const char *namespaces_enter(const struct namespaces *ns)
{
	bool done[NAMESPACES_MAX] = { false };

	for (size_t i = 0; i < ns->n; i++)
		done[i] = ns->v[i].type != CLONE_NEWUSER && setns(ns->v[i].fd, ns->v[i].type) == 0;
	for (size_t i = 0; i < ns->n; i++) /* the user namespace is the first */
		if (!done[i] && setns(ns->v[i].fd, ns->v[i].type) < 0)
			return kind_of(ns->v[i].type)->entry;
	return NULL;
}
