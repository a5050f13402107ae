/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From config.json to the command line of udocker-trap. It only shows files elsewhere: kernel file systems are the host's, a tmpfs is an
 * empty directory of the run, a masked path is /dev/null or an empty directory. What is read-only the engine keeps so itself. guest_init is the
 * first program it becomes, given as a path of the host.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/trap/state.h"
#include "engines/trap/trap.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

struct shown {
	char *host, *guest;
	bool readonly;
};

struct planner {
	const struct engine_ctx *ctx;
	const struct engine_probe *probe;
	struct engine_plan *plan;
	struct shown *shown; /* none lies below a later one */
	size_t n, cap;
};

static void shown_free(struct shown *s)
{
	free(s->host);
	free(s->guest);
}

static void planner_free(struct planner *p)
{
	for (size_t i = 0; i < p->n; i++)
		shown_free(&p->shown[i]);
	free(p->shown);
}

/* ---- what is shown where ---- */

/* What was shown there and below is covered, as by a mount. */
static void show(struct planner *p, const char *host, const char *guest, bool readonly)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (path_is_below(p->shown[i].guest, guest))
			shown_free(&p->shown[i]);
		else
			p->shown[kept++] = p->shown[i];
	}
	p->n = kept;
	p->shown = mem_grow(p->shown, &p->cap, p->n + 1, sizeof(*p->shown));
	p->shown[p->n++] =
		(struct shown){ .host = xstrdup(host), .guest = xstrdup(guest), .readonly = readonly };
}

/* The deepest that covers it; NULL: ROOT's own. */
static const struct shown *covering(const struct planner *p, const char *guest)
{
	const struct shown *best = NULL;

	for (size_t i = 0; i < p->n; i++)
		if (path_is_below(guest, p->shown[i].guest) &&
			(!best || strlen(p->shown[i].guest) > strlen(best->guest)))
			best = &p->shown[i];
	return best;
}

/* Is it there already, as the host's /dev has /dev/shm? A link is not: shown, it is what it leads to on the host. */
static bool is_shown_already(const struct planner *p, const char *host, const char *guest)
{
	const struct shown *around = covering(p, guest);
	autofree char *there = around ? path_join(around->host, guest + strlen(around->guest)) : NULL;
	struct stat st;

	return around && !around->readonly && str_eq(there, host) && lstat(host, &st) == 0 &&
	       !S_ISLNK(st.st_mode);
}

static bool in_host_dev(const struct planner *p, const char *guest)
{
	const struct shown *s = covering(p, guest);

	return s && path_is_below(s->host, "/dev") && !str_eq(s->guest, guest);
}

/* The kernel's file systems are where the host has them; one that it has not is not there. */
static bool show_kernels(struct planner *p, const struct runtime_mount *m)
{
	const char *host = engine_kernel_place(m->type);

	if (host && !in_host_dev(p, m->destination) && access(host, F_OK) == 0)
		show(p, host, m->destination, m->readonly);
	return host;
}

static int add_mount(struct planner *p, const struct runtime_mount *m, struct err **err)
{
	const char *at = m->destination;

	if (str_eq(at, "/"))
		return err_make(err, ERR_UNSUPPORTED, "the trap engine cannot mount anything at /");
	if (m->bind) {
		autofree char *host =
			*m->source == '/' ? path_clean(m->source) : path_join(p->ctx->bundle, m->source);

		strv_add(&p->plan->sources, host);
		if (m->readonly || !is_shown_already(p, host, at))
			show(p, host, at, m->readonly);
		return 0;
	}
	if (show_kernels(p, m) || !str_eq(m->type, "tmpfs") || in_host_dev(p, at))
		return 0; /* what is left besides are control groups: other types were refused by the answers */
	show(p, str_eq(at, "/dev") ? "/dev" : engine_plan_add_make(p->plan, p->ctx->state_dir, NULL), at,
		m->readonly && !str_eq(at, "/dev"));
	return 0;
}

/* What `path` is inside, opened with O_PATH, which reads nothing and opens anything; a final link is followed, in the root. -1: nothing. */
static int open_inside(const struct planner *p, int rootfd, const char *path)
{
	const struct shown *s = covering(p, path);
	autofree char *host = s ? path_join(s->host, path + strlen(s->guest)) : NULL;

	return host ? open(host, O_PATH | O_CLOEXEC) : fs_open(rootfd, path, O_PATH, 0, FS_IN_ROOT);
}

/* The paths of a list that are there, one by one: `each` gets what is there, open. */
static void for_paths(struct planner *p, const char *list_name,
	void (*each)(struct planner *p, int fd, const char *path, void *arg), void *arg)
{
	const struct json *list = json_path(p->ctx->config, "linux", list_name, NULL);
	autoclose int rootfd = json_len(list) ? open(p->ctx->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	for (size_t i = 0; i < json_len(list); i++) {
		const char *text = json_str(json_at(list, i));
		autofree char *path = text && *text == '/' ? path_clean(text) : NULL;
		autoclose int fd = path && !str_eq(path, "/") ? open_inside(p, rootfd, path) : -1;

		if (fd >= 0)
			each(p, fd, path, arg);
	}
}

static void show_readonly(struct planner *p, int fd, const char *path, void *arg)
{
	autofree char *host = fs_fd_path(fd);

	(void)arg;
	if (host)
		show(p, host, path, true);
}

/* One empty directory serves all. */
static void mask(struct planner *p, int fd, const char *path, void *arg)
{
	const char **empty = arg;
	struct stat st;
	bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

	if (is_dir && !*empty)
		*empty = engine_plan_add_make(p->plan, p->ctx->state_dir, NULL);
	show(p, is_dir ? *empty : "/dev/null", path, is_dir);
}

static int add_binds(struct planner *p, struct err **err)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;
	struct strv *argv = &p->plan->argv;
	const char *empty = NULL;

	if (runtime_mounts_read(p->ctx->config, &mounts, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n; i++)
		if (add_mount(p, &mounts.items[i], err) < 0)
			return -1;
	for_paths(p, "readonlyPaths", show_readonly, NULL);
	for_paths(p, "maskedPaths", mask, &empty);
	if (p->n > TRAP_MAX_BINDS) {
		err_make(err, ERR_UNSUPPORTED, "the trap engine shows at most %d mounts, and these are %zu",
			TRAP_MAX_BINDS, p->n);
		return err_hint(err, "leave some out, or choose P1 or R1 with udocker setup --execmode");
	}
	for (size_t i = 0; i < p->n; i++) {
		strv_add(argv, p->shown[i].readonly ? "-B" : "-b");
		strv_add(argv, p->shown[i].host);
		strv_add(argv, p->shown[i].guest);
	}
	return 0;
}

/* ---- who and where the program believes to be ---- */

/* The caller's own ids need no pretence, and cost nothing. */
static void add_ids(struct planner *p)
{
	const struct json *user = json_path(p->ctx->config, "process", "user", NULL);
	const struct engine_ctx *ctx = p->ctx;
	int64_t uid = 0, gid = 0;
	bool own;

	/* Checked by runtime_config_check(); absent is root. */
	(void)json_to_i64(json_get(user, "uid"), &uid);
	(void)json_to_i64(json_get(user, "gid"), &gid);
	own = uid == (int64_t)ctx->uid && gid == (int64_t)ctx->gid;
	if (own || ctx->no_fake_root) {
		strv_add(&p->plan->argv, "-n");
		if (!own)
			strv_addf(&p->plan->notes, "process.user: the program runs as %u:%u",
				(unsigned)ctx->uid, (unsigned)ctx->gid);
		return;
	}
	strv_add(&p->plan->argv, "-i");
	strv_addf(&p->plan->argv, "%lld:%lld", (long long)uid, (long long)gid);
}

/* A release that was asked for, and a host name that no UTS namespace gives. */
static void add_names(struct planner *p)
{
	const char *release = runtime_annotation(p->ctx->config, ANNOTATION_KERNEL);
	const char *host = runtime_hostname(p->ctx->config);
	struct utsname u;

	if (release && *release) {
		strv_add(&p->plan->argv, "-k");
		strv_add(&p->plan->argv, release);
	}
	if (!p->ctx->has_uts && host && *host && (uname(&u) < 0 || !str_eq(host, u.nodename))) {
		strv_add(&p->plan->argv, "-H");
		strv_add(&p->plan->argv, host);
	}
}

static int fill(struct planner *p, struct err **err)
{
	struct engine_plan *plan = p->plan;
	struct strv *argv = &plan->argv;

	strv_add(argv, p->probe->path);
	strv_add(argv, runtime_root_readonly(p->ctx->config) ? "-R" : "-r");
	strv_add(argv, p->ctx->rootfs);
	if (add_binds(p, err) < 0)
		return -1;
	add_ids(p);
	add_names(p);
	if (str_eq(p->ctx->mode, "T2"))
		strv_add(argv, "-2");
	if (log_level() >= LOG_LEVEL_DEBUG)
		strv_add(argv, "-d");
	/* Behind it stands a path of the host. */
	strv_add(argv, "-x");
	strv_add(argv, p->ctx->guest_init);
	plan->init_path = xstrdup(p->ctx->guest_init);
	strv_dup(&plan->env, &p->ctx->env);
	plan->cwd = xstrdup("/");
	plan->supervise = plan->in_place = plan->alone = plan->try_mount_points = true;
	return 0;
}

int trap_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	struct engine_plan plan = { 0 };
	CLEANUP(planner_free) struct planner p = { .ctx = ctx, .probe = probe, .plan = &plan };

	if (engine_check_answers(&engine_trap, ctx, &plan, err) < 0 || fill(&p, err) < 0) {
		engine_plan_free(&plan);
		return -1;
	}
	*ret = plan;
	return 0;
}
