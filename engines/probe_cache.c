/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the probe cache: one JSON object each, replaced by rename. */
#include "engines/probe_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/engine.h"
#include "engines/oci_host.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define CACHE_FORMAT 4 /* raised whenever flags change their meaning */
#define CACHE_MAX_BYTES 4096
#define STATUS_MAX ((size_t)64 << 10)

static char *cache_dir;

/* What this process has found itself, so that the second mode of an engine costs nothing without a directory. */
#define MEMO_ROWS 16
static pthread_mutex_t memo_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char *name, *key;
	struct probe_facts facts;
} memo[MEMO_ROWS];

static struct probe_facts copy_facts(const struct probe_facts *f)
{
	return (struct probe_facts){ xstrdup_null(f->version), xstrdup_null(f->detail), f->flags };
}

static bool memo_load(const char *name, const char *key, struct probe_facts *ret)
{
	bool found = false;

	(void)pthread_mutex_lock(&memo_lock); /* cannot fail */
	for (size_t i = 0; i < MEMO_ROWS && memo[i].name && !found; i++)
		if (str_eq(memo[i].name, name) && str_eq(memo[i].key, key)) {
			*ret = copy_facts(&memo[i].facts);
			found = true;
		}
	(void)pthread_mutex_unlock(&memo_lock);
	return found;
}

static void memo_save(const char *name, const char *key, const struct probe_facts *facts)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&memo_lock);
	while (i < MEMO_ROWS && memo[i].name && !str_eq(memo[i].name, name))
		i++;
	if (i < MEMO_ROWS) {
		free(memo[i].name);
		free(memo[i].key);
		probe_facts_free(&memo[i].facts);
		memo[i].name = xstrdup(name);
		memo[i].key = xstrdup(key);
		memo[i].facts = copy_facts(facts);
	}
	(void)pthread_mutex_unlock(&memo_lock);
}

void engine_set_cache_dir(const char *dir)
{
	free(cache_dir);
	cache_dir = xstrdup_null(dir);
}

void probe_facts_free(struct probe_facts *f)
{
	free(f->version);
	free(f->detail);
	*f = (struct probe_facts){ 0 };
}

long probe_sysctl(const char *path, long missing)
{
	auto_str text = STR_INIT;
	int64_t n;

	/* Not fs_read(): these say that their size is 0, and they are no path from outside. */
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char buf[32];
	ssize_t got = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (got <= 0)
		return missing;
	(void)str_add_mem(&text, buf, (size_t)got); /* cannot reach the ceiling */
	str_trim(&text);
	return num_parse_i64(str_text(&text), -1, INT32_MAX, &n) < 0 ? missing : (long)n;
}

/*
 * What a filter lets us do: "t" to be traced, "n" to make a user namespace. Tried, since filters cannot be read. Who is traced already is not to
 * try that: PRoot feigns it for its programs, and waits for ever when several threads do it.
 */
static const char *allowed_by_filter(bool traced)
{
	static const char *const said[] = { "", " t", " n", " t n" };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit((!traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 1 : 0) |
			(unshare(CLONE_NEWUSER) == 0 ? 2 : 0));
	if (pid < 0 || proc_wait(pid, &status, NULL) < 0 || status < 0 || status > 3)
		return "";
	return said[status];
}

/*
 * What a container around us takes away or feigns: a tracer, filters, capabilities, ids. Those inside and outside may share a home, and
 * with it this cache. "" without /proc.
 */
static char *surroundings(void)
{
	static const char *const names[] = { "TracerPid:", "CapEff:", "Seccomp:", "NoNewPrivs:" };
	auto_str text = STR_INIT, ret = STR_INIT;
	auto_strv lines = STRV_INIT;
	autoclose int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool traced = false;

	if (fd < 0 || fd_read_text(fd, STATUS_MAX, &text, "status", NULL) < 0)
		return xstrdup("");
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			const char *value = lines.v[i] + strlen(names[k]);

			if (!str_starts(lines.v[i], names[k]))
				continue;
			value += strspn(value, " \t");
			/* Which tracer it is changes with each run. */
			traced |= k == 0 && !str_eq(value, "0");
			str_add_char(&ret, ' ');
			str_add(&ret, k == 0 ? (traced ? "1" : "0") : value);
			if (k == 2 && !str_eq(value, "0"))
				str_add(&ret, allowed_by_filter(traced));
		}
	return str_steal(&ret);
}

/* The same for all engines that this process looks at. */
static pthread_once_t looked = PTHREAD_ONCE_INIT;
static char *around;

static void look_around(void)
{
	around = surroundings();
}

char *probe_cache_key(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return NULL;
	(void)pthread_once(&looked, look_around); /* cannot fail */
	return xasprintf("%d %llx %llx %lld %lld.%09ld %lld.%09ld %s %u %ld %ld %ld %ld%s%s", CACHE_FORMAT,
		(unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)st.st_size,
		(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec,
		st.st_ctim.tv_nsec, host_kernel_release(), (unsigned)geteuid(),
		probe_sysctl("/proc/sys/kernel/yama/ptrace_scope", 0),
		probe_sysctl("/proc/sys/user/max_user_namespaces", -1),
		probe_sysctl("/proc/sys/kernel/unprivileged_userns_clone", 1),
		probe_sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0), around,
		oci_host_is_inner() ? " inner" : "");
}

/* The directory, ours alone, or -1. */
static int open_dir(bool make)
{
	struct stat st;
	autoclose int fd = -1;

	if (!cache_dir)
		return -1;
	/* Its parent is the state root, which has been checked by its owner; a failure shows in open(). */
	if (make)
		(void)mkdir(cache_dir, 0700);
	fd = open(cache_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return -1;
	return steal_fd(&fd);
}

bool probe_cache_load(const char *name, const char *key, struct probe_facts *ret)
{
	static const struct json_limits limits = { .bytes = CACHE_MAX_BYTES, .depth = 2, .nodes = 16 };
	autoclose int dirfd = -1;
	auto_json *j = NULL;
	const char *got_key = NULL, *version = NULL, *detail = NULL;
	int64_t flags = 0;

	if (!key)
		return false;
	if (!cache_dir && memo_load(name, key, ret))
		return true;
	dirfd = open_dir(false);
	if (dirfd < 0 || json_read(dirfd, name, &limits, &j, NULL) < 0)
		return false;
	if (json_get_str(j, name, "key", &got_key, NULL) != 1 || !str_eq(got_key, key) ||
		json_get_str(j, name, "version", &version, NULL) != 1 ||
		json_get_str(j, name, "detail", &detail, NULL) != 1 ||
		json_get_i64(j, name, "flags", 0, UINT32_MAX, &flags, NULL) != 1)
		return false;
	*ret = (struct probe_facts){ xstrdup(version), xstrdup(detail), (unsigned)flags };
	return true;
}

void probe_cache_save(const char *name, const char *key, const struct probe_facts *facts)
{
	autoclose int dirfd = key ? open_dir(true) : -1;
	auto_json *j = json_new_object();
	auto_str text = STR_INIT;

	if (key)
		memo_save(name, key, facts);
	if (dirfd < 0)
		return;
	json_set_str(j, "key", key);
	json_set_str(j, "version", facts->version);
	json_set_str(j, "detail", facts->detail ? facts->detail : "");
	json_set_i64(j, "flags", facts->flags);
	json_write(j, JSON_PRETTY, &text);
	/* Losing it costs a probe, no more. */
	(void)atomic_write(dirfd, name, str_text(&text), text.len, 0600, 0, NULL);
}

static bool has_bytes(int dirfd, const char *name, const void *bytes, size_t n)
{
	autoclose int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autofree char *there = xmalloc(n + 1);

	return fd >= 0 && read(fd, there, n + 1) == (ssize_t)n && memcmp(there, bytes, n) == 0;
}

bool probe_cache_put(const char *name, const void *bytes, size_t n)
{
	autoclose int dirfd = open_dir(true);

	if (dirfd < 0)
		return false;
	/* One that is replaced cannot be mounted any more by a container that is just starting with it. */
	if (atomic_write(dirfd, name, bytes, n, 0755, ATOMIC_DURABLE | ATOMIC_PROGRAM | ATOMIC_EXCL, NULL) ==
		0)
		return true;
	return (has_bytes(dirfd, name, bytes, n) && faccessat(dirfd, name, X_OK, 0) == 0) ||
	       atomic_write(dirfd, name, bytes, n, 0755, ATOMIC_DURABLE | ATOMIC_PROGRAM, NULL) == 0;
}

char *probe_cache_path(const char *name)
{
	autoclose int dirfd = open_dir(false);

	return dirfd >= 0 && *cache_dir == '/' ? path_join(cache_dir, name) : NULL;
}
