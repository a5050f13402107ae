/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be known and checked before a container comes into being. */
#include "pkg/runtime/prepare.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "engines/ability.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/runtime/caps.h"
#include "pkg/runtime/console.h"
#include "pkg/runtime/exec.h"
#include "pkg/runtime/launch.h"
#include "pkg/runtime/state.h"

#define GUEST_INIT_PROGRAM "udocker-guest-init"

void prepared_free(struct prepared *p)
{
	runtime_bundle_free(&p->bundle);
	engine_choice_free(&p->choice);
	if (p->has_plan)
		engine_plan_free(&p->plan);
	runtime_process_free(&p->process);
	free(p->program);
	free(p->guest_init);
	strv_free(&p->ignored);
	process_setup_free(&p->setup);
	seccomp_program_free(&p->seccomp);
	namespaces_close(&p->namespaces);
	*p = PREPARED_INIT;
}

static bool is_strict(const struct runtime_globals *g, const struct json *config)
{
	const char *annotation = runtime_annotation(config, ANNOTATION_STRICT);

	return g->strict || str_eq(annotation, "true");
}

static bool is_direct(const struct prepared *p)
{
	return p->choice.engine->kind == ENGINE_DIRECT;
}

/* Does this line of what is not applied speak of a property that the annotation names? */
static bool is_named(const struct json *config, const char *annotation, const char *line)
{
	const char *names = runtime_annotation(config, annotation);
	auto_strv list = STRV_INIT;

	if (names)
		strv_split(&list, names, ",");
	for (size_t i = 0; i < list.n; i++)
		if (strstr(line, list.v[i]))
			return true;
	return false;
}

/* What a person asked for by an option of `run`, and does not get, is not left to the log. */
static int tell_asked(const struct prepared *p, const struct strv *lines, struct err **err)
{
	const char *engine = p->choice.engine->name;
	auto_strv asked = STRV_INIT;
	autofree char *text = NULL;

	for (size_t i = 0; i < lines->n; i++) {
		if (is_named(p->bundle.config, ANNOTATION_REQUIRED, lines->v[i])) {
			(void)err_make(
				err, ERR_UNSUPPORTED, "engine %s does not apply: %s", engine, lines->v[i]);
			return err_hint(err, "choose another mode with 'udocker setup --execmode', or leave "
					     "the option out");
		}
		if (is_named(p->bundle.config, ANNOTATION_ASKED, lines->v[i]) ||
			str_starts(lines->v[i], ENGINE_NOTE_PLATFORM))
			strv_add(&asked, lines->v[i]);
	}
	if (asked.n == 0)
		return 0;
	text = strv_join(&asked, "; ");
	log_warning("engine %s does not apply: %s", engine, text);
	return 0;
}

/* What the engine leaves out is one line in the log; --strict makes it an error before anything starts. */
static int check_answers(const struct runtime_globals *g, struct prepared *p, struct err **err)
{
	auto_strv refused = STRV_INIT;
	bool strict = is_strict(g, p->bundle.config);
	autofree char *text = NULL;

	(void)engine_unmet(p->choice.engine, p->bundle.config, &p->ignored, &refused);
	if (is_direct(p))
		process_unmet(p->bundle.config, &p->process, &p->ignored);
	if (refused.n > 0) {
		text = strv_join(&refused, "; ");
		(void)err_make(err, ERR_UNSUPPORTED, "engine %s refuses: %s", p->choice.engine->name, text);
		return err_hint(err, "choose another engine with --engine or --execmode");
	}
	if (p->ignored.n == 0)
		return 0;
	text = strv_join(&p->ignored, "; ");
	if (strict)
		return err_make(err, ERR_UNSUPPORTED, "engine %s does not apply: %s (--strict)",
			p->choice.engine->name, text);
	if (tell_asked(p, &p->ignored, err) < 0)
		return -1;
	/* Every driver asks for namespaces: a person at a terminal is not to be told each time. */
	if (log_has_file())
		log_warning("engine %s does not apply: %s", p->choice.engine->name, text);
	else
		log_verbose("engine %s does not apply: %s", p->choice.engine->name, text);
	return 0;
}

static int load_process(struct prepared *p, struct err **err)
{
	const struct json *process = json_get(p->bundle.config, "process");

	if (!json_is(process, JSON_OBJECT))
		return 0;
	if (runtime_process_read(process, "config.json: process", &p->process, err) < 0)
		return -1;
	p->has_process = true;
	return 0;
}

/* The program is to see the size of the caller's terminal from its first moment, whoever makes its own. */
static void take_caller_size(struct prepared *p)
{
	struct json *size;
	struct winsize ws;

	if (!p->process.terminal || p->process.has_console_size || ioctl(0, TIOCGWINSZ, &ws) < 0 ||
		!ws.ws_row)
		return;
	p->process.has_console_size = true;
	p->process.console_height = ws.ws_row;
	p->process.console_width = ws.ws_col;
	size = json_need_object(json_get(p->bundle.config, "process"), "consoleSize");
	json_set_i64(size, "height", ws.ws_row);
	json_set_i64(size, "width", ws.ws_col);
}

/* A delegate searches too, but says 1 for what has to be 127: see oci-runtime.md. It has mounts that we do not look through. */
static bool can_look_inside(const struct runtime_bundle *b)
{
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;
	static const char *const harmless[] = { "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2",
		"bind", NULL };

	if (runtime_mounts_read(b->config, &m, NULL) < 0)
		return false;
	for (size_t i = 0; i < m.n; i++) {
		const struct runtime_mount *mount = &m.items[i];
		bool known = mount->bind || str_starts(mount->destination, "/dev");

		for (size_t k = 0; harmless[k] && !known; k++)
			known = str_eq(mount->type, harmless[k]);
		if (!known)
			return false;
	}
	return true;
}

int prepare_load(const struct runtime_globals *g, const struct runtime_create_options *o, bool foreground,
	struct prepared *ret, struct err **err)
{
	auto_prepared p = PREPARED_INIT;

	if (runtime_bundle_load(&o->bundle, &p.bundle, err) < 0 || load_process(&p, err) < 0)
		return -1;
	if (foreground)
		take_caller_size(&p);
	if (console_check(p.process.terminal, foreground, o->console_socket, err) < 0)
		return -1;
	if (engine_choose(&g->engine, p.bundle.config, p.bundle.fd, &p.choice, err) < 0)
		return -1;
	if (is_direct(&p) && (proc_sibling(GUEST_INIT_PROGRAM, &p.guest_init, err) < 0 ||
				     process_setup_read(p.bundle.config, &p.setup, err) < 0 ||
				     caps_read(p.bundle.config, &p.caps, err) < 0))
		return -1;
	/* As runc and crun do. */
	if (is_direct(&p) && p.has_process && !strv_env_get(&p.process.env, "HOME")) {
		autofree char *home = process_home(&p.bundle, p.process.uid);

		strv_env_set(&p.process.env, "HOME", home);
	}
	*ret = p;
	p = PREPARED_INIT;
	return 0;
}

int prepare_find(const struct runtime_bundle *b, const struct runtime_process *process, char **ret_path,
	struct err **err)
{
	return can_look_inside(b) ? runtime_find_program(b, process, ret_path, err) : 0;
}

int prepare_check(const struct runtime_globals *g, struct prepared *p, struct err **err)
{
	if (check_answers(g, p, err) < 0)
		return -1;
	if (is_direct(p) && seccomp_build(p->bundle.config, &p->seccomp, err) < 0)
		return -1;
	if (p->has_process && is_direct(p))
		return runtime_find_program(&p->bundle, &p->process, &p->program, err);
	return p->has_process ? prepare_find(&p->bundle, &p->process, &p->program, err) : 0;
}

/* How to keep from writing, where anything asks for it. */
static enum engine_guard guard_for(const struct json *config)
{
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;
	bool asked = runtime_root_readonly(config) ||
		     json_len(json_path(config, "linux", "readonlyPaths", NULL)) > 0;

	if (runtime_mounts_read(config, &m, NULL) < 0)
		return ENGINE_GUARD_NONE; /* the plan says what is wrong */
	for (size_t i = 0; i < m.n; i++)
		asked |= m.items[i].readonly;
	return asked ? ability_guard() : ENGINE_GUARD_NONE;
}

static bool has_uts(const struct json *config)
{
	const char *path = NULL;

	return runtime_namespace(config, "uts", &path) && !(path && *path) && ability_namespaces();
}

/* A driver's throw-away root file system may be changed for the engine; a container is, by `setup`, on request alone. */
static int prepare_rootfs(const struct prepared *p, const struct engine_ctx *ctx, struct err **err)
{
	if (!p->choice.engine->prepare ||
		!str_eq(runtime_annotation(p->bundle.config, ANNOTATION_PREPARE), "true"))
		return 0;
	return p->choice.engine->prepare(ctx, err);
}

/* What cannot be entered is refused here and not by start. */
static int try_entry(const struct prepared *p, struct err **err)
{
	struct engine_program program = { .file = xstrdup(p->program), .cwd = xstrdup(p->process.cwd) };
	int r;

	strv_dup(&program.args, &p->process.args);
	strv_dup(&program.env, &p->process.env);
	r = p->plan.entry->enter(p->plan.entry, &program, err);
	free(program.file);
	free(program.cwd);
	strv_free(&program.args);
	strv_free(&program.env);
	return r;
}

int prepare_plan(const struct runtime_globals *g, struct prepared *p, int state_dirfd, const char *state_path,
	bool foreground, struct err **err)
{
	struct engine_ctx ctx = {
		.mode = p->choice.mode,
		.bundle = p->bundle.path,
		.rootfs = p->bundle.rootfs,
		.config = p->bundle.config,
		.state_dir = state_path,
		.guest_init = p->guest_init,
		.no_fake_root = g->no_fake_root,
		.strict = is_strict(g, p->bundle.config),
		.checked = true,
		.interactive = foreground,
		.looks = state_dirfd < 0,
		.has_uts = is_direct(p) && has_uts(p->bundle.config),
		.guard = is_direct(p) ? guard_for(p->bundle.config) : ENGINE_GUARD_NONE,
		.uid = geteuid(),
		.gid = getegid(),
	};
	int r;

	if (runtime_bundle_files(p->bundle.config, state_dirfd, state_path, err) < 0)
		return -1;
	if (is_direct(p) && !p->has_process)
		return 0; /* nothing to plan: its start will say so */
	engine_collect_env(&ctx.env);
	r = state_dirfd >= 0 ? prepare_rootfs(p, &ctx, err) : 0;
	if (r == 0)
		r = p->choice.engine->plan(&ctx, &p->choice.probe, &p->plan, err);
	strv_free(&ctx.env);
	if (r < 0)
		return -1;
	p->has_plan = true;
	if (p->plan.entry && p->program && try_entry(p, err) < 0)
		return -1;
	if (p->plan.writable.n > 0 && ability_landlock() < LANDLOCK_TRUNCATE)
		strv_add(&p->plan.notes, "truncate() shortens what is read-only before Linux 6.2");
	if (is_direct(p) && ctx.strict && p->plan.notes.n > 0)
		return err_make(err, ERR_UNSUPPORTED, "engine %s: %s (--strict)", p->choice.engine->name,
			p->plan.notes.v[0]);
	if (tell_asked(p, &p->plan.notes, err) < 0)
		return -1;
	for (size_t i = 0; i < p->plan.notes.n; i++)
		log_verbose("engine %s: %s", p->choice.engine->name, p->plan.notes.v[i]);
	return 0;
}

int prepare_namespaces(const struct runtime_globals *g, struct prepared *p, struct err **err)
{
	if (!p->has_plan)
		return 0; /* nothing will run in them */
	return namespaces_open(p->bundle.config, is_strict(g, p->bundle.config), &p->namespaces, err);
}

/* ---- a further program ---- */

int prepare_recorded(const struct instance *c, struct prepared *ret, struct err **err)
{
	const struct runtime_record *r = &c->rec;
	struct runtime_bundle *b = &ret->bundle;

	if (instance_config(c, &b->config, err) < 0 || process_pin(b->config, err) < 0)
		return -1;
	b->path = xstrdup(r->bundle);
	b->rootfs = xstrdup_null(r->rootfs);
	b->fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->fd < 0)
		return err_sys(err, errno, "bundle '%s'", b->path);
	b->rootfs_fd = b->rootfs ? open(b->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (b->rootfs_fd < 0)
		return err_sys(
			err, b->rootfs ? errno : ENOENT, "root file system '%s'", b->rootfs ? b->rootfs : "");
	return 0;
}

/* The engine that the container has, whatever would be chosen now. */
static int choose_recorded(const struct instance *c, struct engine_choice *ret, struct err **err)
{
	const struct runtime_record *r = &c->rec;

	ret->engine = engine_by_name(r->engine);
	if (!ret->engine || ret->engine->kind != ENGINE_DIRECT || strlen(r->mode) >= sizeof(ret->mode))
		return err_make(err, ERR_CORRUPT, "container '%s': unknown engine '%s' or mode '%s'", c->id,
			r->engine, r->mode);
	memcpy(ret->mode, r->mode, strlen(r->mode) + 1);
	if (ret->engine->probe(ret->mode, &ret->probe, err) < 0)
		return -1;
	if (ret->probe.available)
		return 0;
	return err_make(err, ERR_ENGINE, "engine %s: %s", r->engine,
		ret->probe.reason ? ret->probe.reason : "does not work any more");
}

int prepare_exec(const struct runtime_globals *g, const struct instance *c, bool foreground,
	struct prepared *p, struct err **err)
{
	if (load_process(p, err) < 0)
		return -1;
	if (foreground)
		take_caller_size(p);
	if (choose_recorded(c, &p->choice, err) < 0 ||
		proc_sibling(GUEST_INIT_PROGRAM, &p->guest_init, err) < 0 ||
		process_setup_read(p->bundle.config, &p->setup, err) < 0 ||
		process_setup_read_cpus(p->bundle.config, &p->setup, err) < 0 ||
		caps_read(p->bundle.config, &p->caps, err) < 0 || prepare_check(g, p, err) < 0)
		return -1;
	return prepare_plan(g, p, -1, c->path, foreground, err);
}

struct launch prepared_launch(struct prepared *p, const struct runtime_fds *fds, const struct instance *c)
{
	return (struct launch){
		.plan = p->has_plan ? &p->plan : NULL,
		.process = &p->process,
		.fds = fds,
		.file = &p->program,
		.mark = c->rec.mark,
		.caps = p->caps,
		.setup = &p->setup,
		.seccomp = &p->seccomp,
		.namespaces = &p->namespaces,
		.instance = c,
		.tty = -1,
	};
}
