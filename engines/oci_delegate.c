/* SPDX-License-Identifier: Apache-2.0 */
/* Probe and plan of the engines that are OCI runtimes themselves. */
#include "engines/oci_delegate.h"

#include <linux/capability.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/fake_root.h"
#include "engines/guest_machine.h"
#include "engines/oci_host.h"
#include "engines/oci_quirks.h"
#include "engines/oci_rewrite.h"
#include "engines/probe_cache.h"
#include "engines/proot_inside.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

static int ask_how(const struct oci_delegate *d, const char *const *argv, struct str *out, int *ret_status,
	struct err **err)
{
	if (d->slow_call && engine_ask_without(argv, d->slow_call, out, ret_status, NULL) == 0 &&
		*ret_status == 0)
		return 0;
	str_truncate(out, 0);
	return engine_ask(argv, NULL, out, ret_status, err);
}

/* "runc version 1.1.5+ds1", "spec: 1.0.2-dev". */
static int ask_version(
	const struct oci_delegate *d, const char *path, struct probe_facts *facts, struct err **err)
{
	const char *argv[] = { path, "--version", NULL };
	autofree char *spec = NULL;
	auto_str out = STR_INIT;
	int status;

	if (ask_how(d, argv, &out, &status, err) < 0)
		return -1;
	facts->version = status == 0 ? engine_find_version(str_text(&out), d->version_mark) : NULL;
	if (!facts->version)
		return err_make(err, ERR_ENGINE, "%s does not look like %s", path, d->engine->name);
	spec = engine_find_version(str_text(&out), "spec: ");
	facts->flags = spec ? engine_version_number(spec) & OCI_SPEC_MINOR_MASK : 0;
	/* runc says "libseccomp: 2.5.4", crun "+SYSTEMD +SELINUX +SECCOMP". */
	if (strstr(str_text(&out), "libseccomp: ") || strstr(str_text(&out), "+SECCOMP"))
		facts->flags |= OCI_SECCOMP;
	return 0;
}

/*
 * *flags gains OCI_USERNS when that was tried and works. Root of the host may do without, and be asked for bundles that have none; who is root for a
 * tracer alone, or of a container, may not.
 */
static bool has_userns(struct engine_probe *p, unsigned *flags)
{
	if (oci_host_capable(CAP_SYS_ADMIN) || (*flags & OCI_USERNS))
		return true;
	if (!oci_userns_works(path_base(p->path), &p->reason, &p->remedy))
		return false;
	*flags |= OCI_USERNS;
	return true;
}

/* What the machine says no to in this version. */
static bool host_allows(const struct oci_delegate *d, const char *version, struct engine_probe *p)
{
	unsigned quirks = oci_quirk_flags(d->engine->name, version);

	if ((quirks & QUIRK_REFUSES_HYBRID) && oci_host_is_hybrid()) {
		p->reason =
			xstrdup("refuses hosts with hybrid cgroups (/sys/fs/cgroup/unified has controllers)");
		p->remedy = xstrdup("use runc, or P1");
		return false;
	}
	if (d->host_allows && !d->host_allows(&p->reason, &p->remedy))
		return false;
	if ((quirks & QUIRK_JOINS_MOUNTS) && geteuid() == 0 && !oci_host_has(CAP_SYS_ADMIN)) {
		p->reason = xstrdup("needs CAP_SYS_ADMIN as root of a container, which this one lacks");
		p->remedy = xstrdup("use crun, or P1");
		return false;
	}
	return true;
}

static char *remedy_find(const struct oci_delegate *d)
{
	return xasprintf(
		"install %s (Debian: apt install %s), or set UDOCKER_USE_RUNC_EXECUTABLE to its path",
		d->engine->name, d->package);
}

/* The executable is asked once; the machine each time, unless its answer was yes and nothing that matters has changed since. */
static void probe_found(const struct oci_delegate *d, struct engine_probe *p)
{
	autofree char *key = probe_cache_key(p->path);
	struct probe_facts facts = { 0 };
	auto_err *why = NULL;
	bool known = probe_cache_load(d->engine->name, key, &facts);
	unsigned before = facts.flags;
	bool userns = has_userns(p, &facts.flags);
	unsigned found = facts.flags & OCI_USERNS;

	if (!known && ask_version(d, p->path, &facts, &why) < 0) {
		if (userns) {
			p->reason = xstrdup(err_text(why));
			p->remedy = remedy_find(d);
		}
	} else {
		facts.flags |= found;
		p->available = userns && host_allows(d, facts.version, p);
		if (!known || facts.flags != before)
			probe_cache_save(d->engine->name, key, &facts);
	}
	p->version = steal_ptr(&facts.version);
	p->flags = facts.flags;
	if (oci_cgroups_writable())
		p->flags |= OCI_CGROUPS;
	probe_facts_free(&facts);
}

int oci_delegate_probe(
	const struct oci_delegate *d, const char *mode, struct engine_probe *ret, struct err **err)
{
	struct engine_probe p = { 0 };

	(void)err; /* everything that can go wrong here is an answer */
	p.path = find_executable(d->rule, &p.reason);
	if (p.path)
		probe_found(d, &p);
	else
		p.remedy = remedy_find(d);
	if (p.available && proot_inside_mode(mode))
		proot_inside_probe(mode, &p);
	*ret = p;
	return 0;
}

static struct oci_facts collect_facts(const struct oci_delegate *d, const struct engine_probe *probe)
{
	unsigned quirks = oci_quirk_flags(d->engine->name, probe->version);

	return (struct oci_facts){
		.engine = d->engine->name,
		.version = probe->version,
		.quirks = quirks,
		.spec_minor = (int)(probe->flags & OCI_SPEC_MINOR_MASK),
		.inner = oci_host_is_inner(),
		.single_id = geteuid() == 0 && oci_host_maps_one(),
		.cgroups = probe->flags & OCI_CGROUPS,
		.fake_root = (probe->flags & OCI_SECCOMP) && !(quirks & QUIRK_NO_ERRNO),
		.may_raise = oci_host_capable(CAP_SYS_RESOURCE),
		.host_mqueue = access("/dev/mqueue", F_OK) == 0,
		.no_mqueue = conf_is_default(CONF_RUNC_NOMQUEUE) ? !host_kernel_at_least(4, 8)
								 : conf_bool(CONF_RUNC_NOMQUEUE),
		.tracer_version = probe->inside ? engine_version_number(probe->inside->version) : 0,
		.traced = probe->inside != NULL,
		.shows_ids = proot_inside_shows_ids(probe),
		.oom_score_adj = (int)probe_sysctl("/proc/self/oom_score_adj", 0),
	};
}

/* apt looks whether its change of user has happened. */
static void tell_apt(const struct engine_ctx *ctx, struct engine_plan *plan)
{
	static const char *const options[] = { "bind", "ro", "nosuid", "nodev", NULL };
	char *path;

	if (!fake_root_apt(plan->config, ctx->rootfs))
		return;
	path = path_join(ctx->state_dir, FAKE_ROOT_DIR "/apt.conf");
	runtime_add_mount(plan->config, FAKE_ROOT_APT_FILE, "bind", path, options);
	plan->makes = xcalloc(1, sizeof(*plan->makes));
	plan->makes[plan->n_makes++] = (struct engine_make){ .path = path, .content = FAKE_ROOT_APT_TEXT };
}

/* The first row of a list of maps is all, and the caller's own id for the program's. */
static bool maps_own(const struct json *maps, const char *id_of, const struct json *user, uint64_t own)
{
	const struct json *map = json_at(maps, 0);
	int64_t inside, outside, size, program = 0;

	(void)json_to_i64(json_get(user, id_of), &program);
	return json_len(maps) == 1 && json_to_i64(json_get(map, "containerID"), &inside) == 0 &&
	       json_to_i64(json_get(map, "hostID"), &outside) == 0 &&
	       json_to_i64(json_get(map, "size"), &size) == 0 && size == 1 && inside == program &&
	       outside == (int64_t)own;
}

/*
 * Two set-uid programs less to start, a third of a container's start. Hooks may count on our PATH, and where the program has none of its
 * own, it may be looked for in ours.
 */
static bool needs_no_path(const struct engine_ctx *ctx, const struct json *config)
{
	const struct json *user = json_path(config, "process", "user", NULL);
	const struct json *lin = json_get(config, "linux");
	auto_strv env = STRV_INIT;

	if (ctx->uid == 0 || json_get(config, "hooks") ||
		json_get_strv(json_get(config, "process"), "process", "env", &env, NULL) < 0 ||
		!strv_env_get(&env, "PATH"))
		return false;
	return maps_own(json_get(lin, "uidMappings"), "uid", user, ctx->uid) &&
	       maps_own(json_get(lin, "gidMappings"), "gid", user, ctx->gid);
}

int oci_delegate_plan(const struct oci_delegate *d, const struct engine_ctx *ctx,
	const struct engine_probe *probe, struct engine_plan *ret, struct err **err)
{
	auto_engine_plan plan = { 0 };
	struct oci_facts facts = collect_facts(d, probe);
	struct oci_result result = { 0 };
	autofree char *root = path_join(ctx->state_dir, "delegate"), *filter = NULL;
	size_t before;

	if (engine_check_answers(d->engine, ctx, &plan, err) < 0)
		return -1;
	before = plan.notes.n;
	if (oci_rewrite(ctx, &facts, &plan.notes, &result, err) < 0)
		return -1;
	plan.config = result.config;
	filter = result.filter;
	if (ctx->strict && plan.notes.n > before)
		return err_make(err, ERR_UNSUPPORTED, "%s", plan.notes.v[before]);
	/* A tracer remembers the change of user that apt looks for. */
	if (result.fake_root && !facts.traced)
		tell_apt(ctx, &plan);
	if (facts.traced && proot_inside_plan(ctx, probe, plan.config, filter, &plan, err) < 0)
		return -1;
	guest_machine_note(ctx->rootfs, facts.traced, &plan.notes);
	plan.cgroups = facts.cgroups;
	plan.guard_devices = (facts.quirks & QUIRK_CHOWNS_DEVICES) && ctx->uid == 0;
	plan.own_kernel = facts.quirks & QUIRK_OWN_KERNEL;
	plan.userns = plan.own_kernel && ctx->uid != 0;
	plan.config_in_bundle = facts.quirks & QUIRK_CONFIG_IN_BUNDLE;
	plan.no_path = (facts.quirks & QUIRK_MAPS_ALONE) && needs_no_path(ctx, plan.config);
	plan.fd_gaps = !(facts.quirks & QUIRK_NO_FD_GAPS);
	strv_add(&plan.prefix, probe->path);
	if (!facts.cgroups)
		strv_add_all(&plan.prefix, d->no_cgroups);
	if (d->add_options)
		d->add_options(ctx->config, &plan.prefix);
	strv_add(&plan.prefix, "--root");
	strv_add(&plan.prefix, root);
	*ret = plan;
	plan = (struct engine_plan){ 0 };
	return 0;
}
