/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and probes as values, and asking executables about themselves. */
#include "engines/common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/compat_filter.h"
#include "engines/find.h"
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

#define ASK_MAX_BYTES (64 << 10)
#define ASK_TIMEOUT_MS 10000

extern char **environ;

void engine_probe_free(struct engine_probe *p)
{
	if (!p)
		return;
	free(p->path);
	free(p->version);
	free(p->reason);
	free(p->remedy);
	if (p->inside)
		engine_probe_free(p->inside);
	free(p->inside);
	*p = (struct engine_probe){ 0 };
}

void engine_plan_free(struct engine_plan *p)
{
	if (!p)
		return;
	strv_free(&p->argv);
	strv_free(&p->env);
	free(p->cwd);
	free(p->init_path);
	free(p->filter);
	for (size_t i = 0; i < p->n_makes; i++) {
		free(p->makes[i].path);
		free(p->makes[i].target);
	}
	free(p->makes);
	strv_free(&p->sources);
	strv_free(&p->writable);
	strv_free(&p->readonly_sources);
	strv_free(&p->readonly_targets);
	json_free(p->config);
	strv_free(&p->prefix);
	strv_free(&p->tracer);
	strv_free(&p->tracer_ids);
	strv_free(&p->notes);
	if (p->entry)
		p->entry->free(p->entry);
	*p = (struct engine_plan){ 0 };
}

static int make_file(const char *path, const char *content)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 || fd_write_all(fd, content, strlen(content)) < 0 ? -1 : 0;
}

static int make_one(const struct engine_make *m)
{
	if (m->content)
		return make_file(m->path, m->content);
	return m->target ? symlink(m->target, m->path) : mkdir(m->path, 0755);
}

const char *engine_plan_add_make(struct engine_plan *plan, const char *state_dir, const char *target)
{
	char *path = xasprintf("%s/stand-in/%zu", state_dir, plan->n_makes);

	plan->makes = mem_grow(plan->makes, &plan->makes_cap, plan->n_makes + 1, sizeof(*plan->makes));
	plan->makes[plan->n_makes++] = (struct engine_make){ .path = path, .target = xstrdup_null(target) };
	return path;
}

int engine_plan_make(const struct engine_plan *plan, struct err **err)
{
	for (size_t i = 0; i < plan->n_makes; i++) {
		const struct engine_make *m = &plan->makes[i];
		autofree char *dir = path_dir(m->path);

		/* The directory that holds it is one below the state directory, which the caller owns alone. */
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create %s", dir);
		if (make_one(m) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create %s", m->path);
	}
	for (size_t i = 0; i < plan->sources.n; i++)
		if (access(plan->sources.v[i], F_OK) < 0)
			return err_make(
				err, ERR_ENGINE, "bind mount: %s: %s", plan->sources.v[i], strerror(errno));
	return plan->entry && plan->entry->make ? plan->entry->make(plan->entry, err) : 0;
}

void engine_collect_env(struct strv *ret)
{
	static const char *const wanted[] = { "LD_LIBRARY_PATH", "TMPDIR" };
	autofree char *path = find_path();

	strv_env_set(ret, "PATH", path);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const char *value = host_env(wanted[i]);

		if (value)
			strv_env_set(ret, wanted[i], value);
	}
	for (char **e = environ; e && *e; e++)
		if (str_starts(*e, "PROOT_") && strchr(*e, '='))
			strv_env_put(ret, *e);
}

static int ask(const char *const *argv, const char *const *env, const struct sock_fprog *filter,
	struct str *ret_out, int *ret_status, struct err **err)
{
	auto_strv args = STRV_INIT, vars = STRV_INIT;
	struct proc_spawn s = PROC_SPAWN_INIT;

	strv_add_all(&args, argv);
	engine_collect_env(&vars);
	strv_env_set(&vars, "LC_ALL", "C");
	for (; env && *env; env++)
		strv_env_put(&vars, *env);
	s.path = argv[0];
	s.argv = strv_argv(&args);
	s.env = strv_argv(&vars);
	s.fd_in = s.fd_err = PROC_NULL;
	s.filter = filter;
	return proc_capture(&s, ASK_MAX_BYTES, ASK_TIMEOUT_MS, ret_out, ret_status, err);
}

int engine_ask(const char *const *argv, const char *const *env, struct str *ret_out, int *ret_status,
	struct err **err)
{
	return ask(argv, env, NULL, ret_out, ret_status, err);
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#define OUR_ARCH 0 /* that of no program */
#endif

int engine_ask_without(
	const char *const *argv, long call, struct str *ret_out, int *ret_status, struct err **err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { .len = ARRAY_LEN(code), .filter = code };

	return ask(argv, NULL, &filter, ret_out, ret_status, err);
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

char *engine_find_version(const char *text, const char *mark)
{
	const char *p = strstr(text, mark);

	for (p = p ? p + strlen(mark) : ""; *p && *p != '\n'; p++) {
		size_t a = digits(p), b = a && p[a] == '.' ? digits(p + a + 1) : 0, n = a + 1 + b, c;

		if (b == 0) {
			p += a > 0 ? a - 1 : 0;
			continue;
		}
		/* "0.0~20221219": a day of a program that has no versions. */
		c = p[n] == '.' || p[n] == '~' ? digits(p + n + 1) : 0;
		return xstrndup(p, c ? n + 1 + c : n);
	}
	return NULL;
}

unsigned engine_version_number(const char *version)
{
	auto_strv parts = STRV_INIT;
	int major, minor;

	strv_split(&parts, version, ".");
	if (parts.n < 2 || num_parse_int(parts.v[0], 0, 9999, &major) < 0 ||
		num_parse_int(parts.v[1], 0, 9999, &minor) < 0)
		return 0;
	return COMPAT_VERSION(major, minor);
}

const char *engine_kernel_place(const char *type)
{
	static const struct {
		const char *type, *host;
	} places[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "devpts", "/dev/pts" },
		{ "mqueue", "/dev/mqueue" },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (str_eq(type, places[i].type))
			return places[i].host;
	return NULL;
}
