/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From config.json to the command line of Singularity or Apptainer. Their own ideas of what a container should see of the host (home, /tmp, the
 * files of their configuration) are switched off as far as the version can; /proc, /sys and /dev are the host's, and the rest
 * are binds. guest_init is bound over a file of /proc that nobody reads, so that ROOT needs no place for it.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/compat_filter.h"
#include "engines/guest_machine.h"
#include "engines/singularity.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define INIT_PLACE "/proc/execdomains" /* one constant line since Linux 4.1 */
#define SPECIAL ":,\\" /* what a bind's text cannot hold */

struct planner {
	const struct engine_ctx *ctx;
	const struct engine_probe *probe;
	struct engine_plan *plan;
	struct strv shown; /* destinations of binds so far */
	unsigned version; /* COMPAT_VERSION */
};

bool singularity_is_old(const char *version, unsigned flags)
{
	return !(flags & SINGULARITY_APPTAINER) && engine_version_number(version) < COMPAT_VERSION(3, 0);
}

static bool is_old(const struct planner *p)
{
	return singularity_is_old(p->probe->version, p->probe->flags);
}

/* The host's path in words that the engine takes for nothing else: by way of a link if need be. NULL: that has such a name, too. */
static const char *plain_name(struct planner *p, const char *host, struct err **err)
{
	if (!strpbrk(host, SPECIAL))
		return host;
	if (!strpbrk(p->ctx->state_dir, SPECIAL))
		return engine_plan_add_make(p->plan, p->ctx->state_dir, host);
	err_make(err, ERR_UNSUPPORTED, "singularity cannot use '%s': there is one of ':', ',' and '\\' in it",
		host);
	err_hint(err, "choose a state directory (--root) without");
	return NULL;
}

static int add_bind(struct planner *p, const char *host, const char *guest, bool readonly, struct err **err)
{
	const char *name = plain_name(p, host, err);

	if (!name)
		return -1;
	if (strpbrk(guest, SPECIAL))
		return err_make(err, ERR_UNSUPPORTED,
			"singularity cannot mount anything at '%s': there is one of ':', ',' and '\\' in it",
			guest);
	if (readonly && is_old(p)) {
		strv_addf(&p->plan->notes, "mounts.readonly: singularity %s leaves %s writable",
			p->probe->version, guest);
		readonly = false;
	}
	strv_add(&p->plan->argv, "-B");
	strv_addf(&p->plan->argv, "%s:%s%s", name, guest, readonly ? ":ro" : "");
	strv_add(&p->shown, guest);
	return 0;
}

static bool is_kernels(const char *path)
{
	return path_is_below(path, "/proc") || path_is_below(path, "/sys") || path_is_below(path, "/dev");
}

/* Has a bind put something else there? */
static bool is_covered(const struct planner *p, const char *guest)
{
	for (size_t i = 0; i < p->shown.n; i++)
		if (path_is_below(guest, p->shown.v[i]))
			return true;
	return false;
}

static int add_mount(struct planner *p, const struct runtime_mount *m, struct err **err)
{
	const char *at = m->destination;

	if (str_eq(at, "/"))
		return err_make(err, ERR_UNSUPPORTED, "singularity cannot mount anything at /");
	if (m->bind) {
		autofree char *host =
			*m->source == '/' ? path_clean(m->source) : path_join(p->ctx->bundle, m->source);

		strv_add(&p->plan->sources, host);
		/* There already, with all that is mounted below. */
		if (is_kernels(at) && str_eq(host, at) && !m->readonly && !is_covered(p, at))
			return 0;
		return add_bind(p, host, at, m->readonly, err);
	}
	if (str_eq(m->type, "tmpfs") && !is_kernels(at))
		return add_bind(
			p, engine_plan_add_make(p->plan, p->ctx->state_dir, NULL), at, m->readonly, err);
	/* What is left are the kernel's, which are where they are on the host, and control groups: other types were refused by the answers. */
	return 0;
}

/* S_IFDIR, S_IFREG …, 0 if it is not there or under a bind. */
static mode_t type_inside(const struct planner *p, int rootfd, const char *path)
{
	struct stat st;

	if (is_covered(p, path))
		return 0;
	if (is_kernels(path))
		return stat(path, &st) < 0 ? 0 : st.st_mode & S_IFMT;
	return fs_lstat(rootfd, path, &st, FS_IN_ROOT) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* Each masked path that is there is covered; one empty directory serves all. */
static int add_masks(struct planner *p, struct err **err)
{
	const struct json *list = json_path(p->ctx->config, "linux", "maskedPaths", NULL);
	autoclose int rootfd = json_len(list) ? open(p->ctx->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	const char *empty = NULL;

	for (size_t i = 0; i < json_len(list); i++) {
		const char *text = json_str(json_at(list, i));
		autofree char *path = text && *text == '/' ? path_clean(text) : NULL;
		mode_t type = path && !str_eq(path, "/") ? type_inside(p, rootfd, path) : 0;

		if (type != S_IFDIR && type != S_IFREG)
			continue;
		if (type == S_IFDIR && !empty)
			empty = engine_plan_add_make(p->plan, p->ctx->state_dir, NULL);
		if (add_bind(p, type == S_IFDIR ? empty : "/dev/null", path, false, err) < 0)
			return -1;
	}
	return 0;
}

/* Its own mounts of the host's /tmp and /var/tmp, where nothing but another mount keeps it from them. */
static int cover_tmp(struct planner *p, struct err **err)
{
	static const char *const places[] = { "/tmp", "/var/tmp" };

	for (size_t i = 0; i < ARRAY_LEN(places) && !(p->probe->flags & SINGULARITY_NO_MOUNT); i++) {
		autofree char *own = path_join(p->ctx->rootfs, places[i] + 1);
		struct stat st;

		if (lstat(own, &st) == 0 && S_ISDIR(st.st_mode) &&
			add_bind(p, own, places[i], false, err) < 0)
			return -1;
	}
	return 0;
}

static int add_binds(struct planner *p, struct err **err)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;

	if (runtime_mounts_read(p->ctx->config, &mounts, err) < 0 || cover_tmp(p, err) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n; i++)
		if (add_mount(p, &mounts.items[i], err) < 0)
			return -1;
	if (add_masks(p, err) < 0)
		return -1;
	if (is_covered(p, INIT_PLACE))
		return err_make(err, ERR_UNSUPPORTED, "singularity needs the host's /proc at /proc");
	return add_bind(p, p->ctx->guest_init, INIT_PLACE, false, err);
}

/* ---- options ---- */

/* Root, if it is to be had, is the caller's only other id. */
static void add_ids(struct planner *p)
{
	const struct json *user = json_path(p->ctx->config, "process", "user", NULL);
	struct strv *argv = &p->plan->argv;
	unsigned flags = p->probe->flags;
	bool mapped = (flags & SINGULARITY_APPTAINER) && p->version >= COMPAT_VERSION(1, 1);
	int64_t uid = 0, gid = 0;

	/* Checked by runtime_config_check(); absent is root. */
	(void)json_to_i64(json_get(user, "uid"), &uid);
	(void)json_to_i64(json_get(user, "gid"), &gid);
	if (uid == (int64_t)p->ctx->uid && gid == (int64_t)p->ctx->gid)
		return;
	if (uid == 0 && p->ctx->uid != 0 && (flags & SINGULARITY_FAKEROOT) &&
		(mapped || (flags & SINGULARITY_SUBIDS))) {
		strv_add(argv, "--fakeroot");
		/* It would preload the host's libfakeroot, which need not fit the container's C library. */
		if (mapped)
			strv_add(argv, "--ignore-fakeroot-command");
		return;
	}
	strv_addf(&p->plan->notes, "process.user: the program runs as %u:%u", (unsigned)p->ctx->uid,
		(unsigned)p->ctx->gid);
}

/* Those of the setting that this version knows; -w follows from root.readonly. */
static void add_configured(struct planner *p)
{
	static const struct {
		const char *word;
		unsigned flag;
	} known[] = { { "--nv", SINGULARITY_NV }, { "--rocm", SINGULARITY_ROCM } };
	const struct strv *words = conf_list(CONF_SINGULARITY_OPTIONS);

	for (size_t i = 0; i < words->n; i++) {
		const char *word = words->v[i];
		bool taken = !str_eq(word, "-w") && !str_eq(word, "--writable");

		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			if (str_eq(word, known[k].word) && !(p->probe->flags & known[k].flag)) {
				strv_addf(
					&p->plan->notes, "singularity %s has no %s", p->probe->version, word);
				taken = false;
			}
		if (taken)
			strv_add(&p->plan->argv, word);
	}
}

static void add_options(struct planner *p)
{
	struct strv *argv = &p->plan->argv;
	unsigned flags = p->probe->flags;
	bool readonly = runtime_root_readonly(p->ctx->config);

	strv_add(argv, p->probe->path);
	strv_add(argv, log_level() >= LOG_LEVEL_DEBUG ? "--debug" : "--quiet");
	strv_add(argv, "exec");
	if (readonly && is_old(p))
		strv_addf(&p->plan->notes, "root.readonly: singularity %s leaves it writable",
			p->probe->version);
	if (!readonly || is_old(p))
		strv_add(argv, "-w");
	else if (flags & SINGULARITY_UNDERLAY)
		strv_add(argv, "--underlay"); /* the other way may take a FUSE process */
	if (flags & SINGULARITY_USERNS)
		strv_add(argv, "-u");
	add_ids(p);
	if (flags & SINGULARITY_NO_HOME)
		strv_add(argv, "--no-home");
	if (flags & SINGULARITY_NO_MOUNT) {
		strv_add(argv, "--no-mount");
		strv_addf(argv, "home,tmp,cwd,hostfs%s", flags & SINGULARITY_BIND_PATHS ? ",bind-paths" : "");
	}
	add_configured(p);
	strv_add(argv, "--pwd");
	strv_add(argv, "/"); /* guest_init goes where the program is to be */
}

/* Nothing of the caller's SINGULARITY_* and APPTAINER_*: they are options. The program's environment is guest_init's business. */
static void add_env(struct planner *p)
{
	static const char *const wanted[] = { "PATH", "LD_LIBRARY_PATH", "TMPDIR" };

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const char *value = strv_env_get(&p->ctx->env, wanted[i]);

		if (value)
			strv_env_set(&p->plan->env, wanted[i], value);
	}
	strv_env_set(&p->plan->env, "HOME", "/");
	strv_env_set(&p->plan->env, "LC_ALL", "C");
}

static int fill(struct planner *p, struct err **err)
{
	const char *root;

	add_env(p);
	add_options(p);
	if (add_binds(p, err) < 0)
		return -1;
	root = plain_name(p, p->ctx->rootfs, err);
	if (!root)
		return -1;
	guest_machine_note(p->ctx->rootfs, false, &p->plan->notes);
	strv_add(&p->plan->argv, root);
	strv_add(&p->plan->argv, INIT_PLACE);
	p->plan->init_path = xstrdup(INIT_PLACE);
	p->plan->cwd = xstrdup("/");
	p->plan->supervise = p->plan->leaves = p->plan->helpers = p->plan->mount_points = true;
	return 0;
}

int singularity_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	struct engine_plan plan = { 0 };
	struct planner p = {
		.ctx = ctx, .probe = probe, .plan = &plan, .version = engine_version_number(probe->version)
	};
	int r = engine_check_answers(&engine_singularity, ctx, &plan, err);

	if (r == 0)
		r = fill(&p, err);
	strv_free(&p.shown);
	if (r < 0) {
		engine_plan_free(&plan);
		return -1;
	}
	*ret = plan;
	return 0;
}
