/* SPDX-License-Identifier: Apache-2.0 */
/* The making of a container's directory. */
#include "pkg/runtime/making.h"

#include <errno.h>

#include "engines/mountpoints.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/time.h"
#include "pkg/runtime/delegate.h"
#include "pkg/runtime/hook_relay.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/tidy.h"

static const char bundle_config[] = STATE_BUNDLE "/config.json";

void making_free(struct making *m)
{
	runtime_root_close(&m->root);
	runtime_fds_free(&m->fds);
	prepared_free(&m->p);
	instance_free(&m->c);
	free(m->staged);
	*m = MAKING_INIT;
}

static int open_root(struct making *m, struct err **err)
{
	const char *id = m->options->id;

	if (!id_is_runtime_id(id))
		return err_make(err, ERR_USAGE, "'%s' is not a container id (letters, digits, _ + - .)", id);
	if (runtime_root_open(m->globals->root, true, &m->root, err) < 0)
		return -1;
	if (m->root.own) {
		autofree char *probes = path_join(m->root.path, RUNTIME_PROBE_DIR);

		engine_set_cache_dir(probes);
	}
	if (fs_exists(m->root.fd, id))
		return err_make(err, ERR_EXISTS, "container '%s' exists already", id);
	return 0;
}

static int write_json(int dirfd, const char *name, const struct json *j, struct err **err)
{
	autofree char *text = json_text(j, 0);
	autoclose int fd = fs_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600, FS_BENEATH);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		return err_sys(err, errno, "write '%s'", name);
	return 0;
}

static void fill_record(struct making *m)
{
	struct runtime_record *r = &m->c.rec;
	const struct json *config = m->p.bundle.config;
	char now[TIME_RFC3339_LEN];
	const struct json *annotations = json_get(config, "annotations");

	*r = (struct runtime_record){
		.oci_version = xstrdup(runtime_oci_version(config)),
		.bundle = xstrdup(m->p.bundle.path),
		.rootfs = xstrdup(m->p.bundle.rootfs),
		.created = xstrdup(time_format_rfc3339(time_now_ns(), now)),
		.engine = xstrdup(m->p.choice.engine->name),
		.mode = xstrdup(m->p.choice.mode),
		.delegate = m->p.choice.engine->kind == ENGINE_DELEGATE,
		.foreground = m->foreground,
		.mark = r->mark,
		.annotations = json_len(annotations) ? json_clone(annotations) : NULL,
	};
	if (r->delegate) {
		strv_dup(&r->prefix, &m->p.plan.prefix);
		strv_dup(&r->tracer, &m->p.plan.tracer);
		strv_dup(&r->tracer_ids, &m->p.plan.tracer_ids);
		r->guard_devices = m->fds.guard_devices = m->p.plan.guard_devices;
		m->fds.gaps = m->p.plan.fd_gaps;
		m->fds.userns = m->p.plan.userns;
	}
}

static int mount_points(const struct making *m, struct err **err)
{
	const struct mountpoints_at at = { m->p.bundle.rootfs_fd, m->p.bundle.fd, m->c.dirfd, m->c.path };

	return mountpoints_make(&at, m->p.bundle.config, err);
}

static bool is_anothers(const struct making *m)
{
	struct stat st;

	return fstat(m->p.bundle.rootfs_fd, &st) == 0 && st.st_uid != geteuid();
}

/* Delegates read their own copy; mount points of a container of the store are made and recorded as 1.3.x does. */
static int write_delegate_bundle(struct making *m, struct err **err)
{
	auto_err *e = NULL;

	if (mkdirat(m->c.dirfd, STATE_BUNDLE, 0700) < 0)
		return err_sys(err, errno, "container '%s'", m->c.id);
	if (runtime_annotation(m->p.bundle.config, ANNOTATION_CONTAINER) && mount_points(m, &e) < 0) {
		/* In a ROOT of our own they may, for they give themselves the power; in another user's nobody does. */
		if (err_is(e, ERR_DENIED) && geteuid() != 0 && is_anothers(m)) {
			err_move(err, &e);
			return err_hint(
				err, "have the container's owner run it once in this mode, or choose P1");
		}
		log_verbose("mount points: %s, leaving them to %s", err_text(e), m->p.choice.engine->name);
	}
	/* Those who know crun look for ROOT/ID/status, and can live without. */
	if (str_eq(m->p.choice.engine->name, "crun")) {
		autofree char *target = xasprintf(STATE_DELEGATE "/%s/status", m->c.id);

		(void)!symlinkat(target, m->c.dirfd, "status");
	}
	return write_json(m->c.dirfd, bundle_config, m->p.plan.config, err);
}

/*
 * What an engine can do without. PRoot's are of a container of the store, which may run many times at once: where nothing can be made it keeps
 * a tree of its own for each run.
 */
static void keep_mount_points(const struct making *m)
{
	const struct mountpoints_at at = { m->p.bundle.rootfs_fd, m->p.bundle.fd, m->c.dirfd, m->c.path };
	auto_err *e = NULL;

	if (m->p.plan.try_mount_points) {
		/* Its owner could not remove what root makes there. */
		if (!is_anothers(m) && mountpoints_make(&at, m->p.bundle.config, &e) < 0)
			log_verbose("%s: it is in no list of files", err_text(e));
		return;
	}
	if (!str_eq(m->p.choice.engine->name, "proot") ||
		!runtime_annotation(m->p.bundle.config, ANNOTATION_CONTAINER))
		return;
	if (mountpoints_make_parents(&at, m->p.bundle.config, &e) < 0)
		log_verbose("%s, leaving it to PRoot", err_text(e));
}

static int fill_directory(struct making *m, struct err **err)
{
	if (write_json(m->c.dirfd, STATE_CONFIG, m->p.bundle.config, err) < 0)
		return -1;
	return m->c.rec.delegate ? write_delegate_bundle(m, err) : 0;
}

static int plan(struct making *m, struct err **err)
{
	if (prepare_plan(m->globals, &m->p, m->c.dirfd, m->c.path, m->foreground, err) < 0)
		return -1;
	fill_record(m);
	if (runtime_fds_check(&m->fds, err) < 0 || delegate_check_fds(&m->c, &m->fds, err) < 0)
		return -1;
	keep_mount_points(m);
	if (m->p.plan.own_kernel)
		m->maker_mark = m->c.rec.mark; /* who makes it are all whom the host knows */
	else if (m->c.rec.delegate && mark_config(m->p.plan.config, m->c.rec.mark))
		m->maker_mark = mark_of_maker(m->c.rec.mark);
	if (m->p.plan.config_in_bundle)
		hook_relay_wrap(m->p.plan.config, m->c.rec.bundle,
			m->c.owner == 0 && runtime_namespace(m->p.plan.config, "user", NULL));
	return 0;
}

/* Nobody may have to be told of the container before the program runs. */
static bool may_be_early(const struct making *m)
{
	const struct json *config = m->p.bundle.config;

	return m->foreground && m->p.choice.engine->kind == ENGINE_DIRECT && !m->options->pid_file &&
	       json_len(json_get(config, "hooks")) == 0 &&
	       !json_get(json_get(config, "annotations"), ANNOTATION_PREPARE);
}

/* Nothing that the plan names may lie in the directory, either. */
static bool may_be_late(const struct making *m)
{
	const struct json *annotations = json_get(m->p.bundle.config, "annotations");

	for (size_t i = 0; i < json_len(annotations); i++)
		if (str_starts(json_key_at(annotations, i), ANNOTATION_FILE))
			return false;
	return m->early;
}

static int stage(struct making *m, struct err **err)
{
	m->c.dirfd = runtime_root_stage(&m->root, m->c.rec.mark, &m->staged, err);
	return m->c.dirfd < 0 ? -1 : 0;
}

int making_stage(struct making *m, struct err **err)
{
	if (!m->late)
		return 0;
	m->late = false;
	if (prepare_check(m->globals, &m->p, err) < 0 || fill_directory(m, err) < 0) {
		making_undo(m);
		return -1;
	}
	return 0;
}

int making_begin(struct making *m, struct err **err)
{
	const struct runtime_create_options *o = m->options;
	const struct runtime_fds_options fds = {
		.preserve = o->preserve_fds,
		.preserve_all = o->preserve_all,
		.except = o->bundle.config_fd,
	};

	if (runtime_fds_collect(&fds, &m->fds, err) < 0 || open_root(m, err) < 0 ||
		prepare_load(m->globals, o, m->foreground, &m->p, err) < 0 ||
		process_pin(m->p.bundle.config, err) < 0)
		return -1;
	if (!m->foreground)
		(void)runtime_root_clean(&m->root); /* runs are many, and what a crash leaves is rare */
	m->c.id = xstrdup(o->id);
	m->c.path = path_join(m->root.path, o->id);
	m->c.owner = geteuid();
	m->c.globals = m->globals;
	m->early = may_be_early(m);
	m->late = may_be_late(m);
	m->c.rec.mark = mark_new();
	if (!m->late && (prepare_check(m->globals, &m->p, err) < 0 || stage(m, err) < 0))
		return -1;
	if (plan(m, err) < 0) {
		making_undo(m);
		return -1;
	}
	m->retire = m->early && m->p.plan.n_makes == 0 && !m->p.plan.mount_points;
	/* The name of its directory is the first that is known of it: before anything is started. */
	if (m->late && stage(m, err) < 0)
		return -1;
	if (m->late && m->retire)
		return 0;
	if (m->late)
		return making_stage(m, err);
	if (fill_directory(m, err) < 0) {
		making_undo(m);
		return -1;
	}
	return 0;
}

int making_publish(struct making *m, struct runtime_proc proc, struct err **err)
{
	m->c.rec.proc = proc;
	if (instance_write(&m->c, true, err) < 0 ||
		runtime_root_publish(&m->root, m->staged, m->c.id, err) < 0)
		return -1;
	m->published = true;
	/* Below the directory's final name. */
	if (m->p.plan.mount_points && mount_points(m, err) < 0)
		return -1;
	return engine_plan_make(&m->p.plan, err);
}

int making_write_pid_file(const struct making *m, pid_t pid, struct err **err)
{
	return pid_file_write(m->options->pid_file, pid, err);
}

int pid_file_write(const char *path, pid_t pid, struct err **err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid);

	if (!path || !*path)
		return 0;
	if (atomic_write_path(path, text, (size_t)n, 0644, err) < 0)
		return err_add(err, "pid file '%s'", path);
	return 0;
}

/* Its files by name, those of delegates too: they hold the program's environment. Folders may wait. */
static int retire(const struct making *m, struct err **err)
{
	static const char *const ours[] = { STATE_CONFIG, STATE_PROGRAM, STATE_RECORD, bundle_config,
		STATE_PIDFILE, STATE_LOCK, "status" };
	static const char *const generated[] = { "0", "1" }; /* passwd and group; the sweep finds more */
	static const char *const theirs[] = { "state.json", "config.json", "status" };
	size_t n = m->c.rec.delegate ? ARRAY_LEN(ours) : 3;
	auto_strv names = STRV_INIT;

	for (size_t i = 0; i < n; i++)
		strv_add(&names, ours[i]);
	for (size_t i = 0; i < ARRAY_LEN(generated); i++)
		strv_addf(&names, STATE_FILES "/%s", generated[i]);
	for (size_t i = 0; m->c.rec.delegate && i < ARRAY_LEN(theirs); i++)
		strv_addf(&names, STATE_DELEGATE "/%s/%s", m->c.id, theirs[i]);
	if (m->p.plan.own_kernel)
		strv_add_owned(&names, instance_delegate_name(&m->c));
	return runtime_root_retire(
		&m->root, m->c.id, m->c.dirfd, (const char *const *)strv_argv(&names), err);
}

void making_undo(struct making *m)
{
	auto_err *e = NULL;

	if (m->published)
		tidy_rootfs(&m->root, &m->c);
	if (m->published && (m->retire ? retire(m, &e) : runtime_root_remove(&m->root, m->c.id, &e)) < 0)
		log_debug("%s", err_text(e));
	else if (!m->published && m->staged)
		runtime_root_discard(&m->root, m->staged);
	m->published = false;
}

int instance_find(const struct runtime_globals *g, const char *id, struct runtime_root *root,
	struct instance *c, struct err **err)
{
	c->globals = g;
	if (runtime_root_open(g->root, false, root, err) < 0)
		return -1;
	return instance_open(root, id, c, err);
}
