/* SPDX-License-Identifier: Apache-2.0 */
/* The table of engines, and which of them runs a bundle (cli.md, "Which engine"). A new engine is one line in each table here. */
#include "engines/engine.h"

#include <ctype.h>
#include <pthread.h>
#include <unistd.h>

#include "engines/crun.h"
#include "engines/fakechroot.h"
#include "engines/proot.h"
#include "engines/runc.h"
#include "engines/runsc.h"
#include "engines/singularity.h"
#include "engines/trap/trap.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/thread.h"
#include "pkg/conf/conf.h"

const struct engine *const engine_table[] = { &engine_crun, &engine_runc, &engine_runsc, &engine_trap,
	&engine_proot, &engine_fakechroot, &engine_singularity, NULL };

/* Who runs a mode, the first choice first: 1.3.x looks for runc before crun. */
#define MODE_ENGINES 3
static const struct mode_row {
	const char *mode;
	const struct engine *engines[MODE_ENGINES]; /* ended by NULL */
} mode_table[] = {
	{ "P1", { &engine_proot } },
	{ "P2", { &engine_proot } },
	{ "F1", { &engine_fakechroot } },
	{ "F2", { &engine_fakechroot } },
	{ "F3", { &engine_fakechroot } },
	{ "F4", { &engine_fakechroot } },
	{ "R1", { &engine_runc, &engine_crun, &engine_runsc } },
	{ "R2", { &engine_runc, &engine_crun } },
	{ "R3", { &engine_runc, &engine_crun } },
	{ "S1", { &engine_singularity } },
	{ "T1", { &engine_trap } },
	{ "T2", { &engine_trap } },
};

#define EXECMODE_MAX 64 /* bytes of the execmode file */

static const struct mode_row *find_mode(const char *mode)
{
	for (size_t i = 0; i < ARRAY_LEN(mode_table); i++)
		if (str_eq(mode_table[i].mode, mode))
			return &mode_table[i];
	return NULL;
}

const struct engine *engine_by_name(const char *name)
{
	for (const struct engine *const *e = engine_table; *e; e++)
		if (str_eq((*e)->name, name))
			return *e;
	return NULL;
}

const struct engine *engine_by_mode(const char *mode)
{
	const struct mode_row *row = find_mode(mode);

	return row ? row->engines[0] : NULL;
}

bool engine_mode_is_valid(const char *mode)
{
	return find_mode(mode) != NULL;
}

static bool engine_has_mode(const struct engine *e, const char *mode)
{
	for (const char *const *m = e->modes; *m; m++)
		if (str_eq(*m, mode))
			return true;
	return false;
}

void engine_choice_free(struct engine_choice *c)
{
	if (!c)
		return;
	engine_probe_free(&c->probe);
	free(c->why);
	*c = (struct engine_choice){ 0 };
}

/* ---- which mode is asked for ---- */
struct wish {
	char mode[8]; /* "P1" … or "auto" */
	const char *where; /* static */
};

/* Take the text as the wish; any case, blanks around it. ERR_USAGE when it is neither a mode nor auto. */
static int take_mode(struct wish *w, const char *text, const char *where, struct err **err)
{
	auto_str s = STR_INIT;

	(void)str_add(&s, text); /* shorter than the ceiling: judged below */
	str_trim(&s);
	w->where = where;
	if (strcasecmp(str_text(&s), "auto") == 0) {
		memcpy(w->mode, "auto", sizeof("auto"));
		return 0;
	}
	for (size_t i = 0; i < s.len; i++)
		s.data[i] = (char)toupper((unsigned char)s.data[i]);
	if (!engine_mode_is_valid(str_text(&s))) {
		err_make(err, ERR_USAGE, "%s: '%s' is not an execution mode", where, text);
		return err_hint(err, "modes are P1 P2 F1 F2 F3 F4 R1 R2 R3 S1 T1 T2 and auto");
	}
	memcpy(w->mode, s.data, s.len + 1);
	return 0;
}

/* The bundle's execmode file; false when there is none. Anything unreadable counts as a wrong mode would. */
static bool read_execmode(int bundle_fd, struct str *ret)
{
	return bundle_fd >= 0 && fs_read(bundle_fd, "execmode", EXECMODE_MAX, ret, FS_BENEATH) == 0;
}

static int find_wish(const struct engine_request *req, const struct json *config, int bundle_fd,
	struct wish *w, struct err **err)
{
	const char *annotation = runtime_annotation(config, ANNOTATION_EXECMODE);
	const char *setting = conf_str(CONF_DEFAULT_EXECUTION_MODE);
	auto_str file = STR_INIT;

	if (req->switch_mode)
		return take_mode(w, req->switch_mode, "--execmode", err);
	if (annotation && *annotation)
		return take_mode(w, annotation, "annotation " ANNOTATION_EXECMODE, err);
	if (read_execmode(bundle_fd, &file))
		return take_mode(w, str_text(&file), "execmode of the bundle", err);
	if (*setting)
		return take_mode(w, setting, "UDOCKER_DEFAULT_EXECUTION_MODE or udocker.conf", err);
	return take_mode(w, req->fallback_mode ? req->fallback_mode : "auto", "built-in default", err);
}

/* ---- who can fulfil it ---- */
/* Reasons collected on the way: "crun: …; runc: …". */
static void add_reason(struct str *reasons, const struct engine *e, const struct engine_probe *p)
{
	(void)str_addf(reasons, "%s%s: %s", reasons->len ? "; " : "", e->name,
		p->reason ? p->reason : "does not work");
}

static void set_choice(
	struct engine_choice *c, const struct engine *e, const char *mode, struct engine_probe *probe)
{
	engine_probe_free(&c->probe);
	c->engine = e;
	c->probe = *probe;
	*probe = (struct engine_probe){ 0 };
	for (size_t i = 0; i < sizeof(c->mode) - 1 && mode[i]; i++)
		c->mode[i] = mode[i];
}

/* What of the engines that were not tried works in its first mode, in auto's order. */
static void working_modes(const struct engine *const *tried, struct strv *ret)
{
	for (const struct engine *const *e = engine_table; *e; e++) {
		auto_engine_probe probe = { 0 };
		bool was = false;

		for (size_t i = 0; i < MODE_ENGINES && tried[i]; i++)
			was |= tried[i] == *e;
		if (!was && !strv_has(ret, (*e)->modes[0]) &&
			(*e)->probe((*e)->modes[0], &probe, NULL) == 0 && probe.available)
			strv_add(ret, (*e)->modes[0]);
	}
}

/* What would make the mode work, and what works instead. */
static int hint_modes(const struct engine *const *tried, const char *remedy, struct err **err)
{
	auto_strv modes = STRV_INIT;
	autofree char *list = NULL;
	const char *first = remedy ? remedy : "", *comma = remedy ? "; " : "";

	working_modes(tried, &modes);
	list = strv_join(&modes, ", ");
	if (modes.n == 0)
		return err_hint(err, "%s%sno other mode works here: `udocker-runtime engines` tells why",
			first, comma);
	return err_hint(err, "%s%shere works %s: udocker setup --execmode=%s CONTAINER", first, comma, list,
		modes.v[0]);
}

/* The first of the candidates (ended by NULL) that works in that mode. */
static int choose_mode(const struct engine *const *candidates, const struct wish *w, struct engine_choice *c,
	struct err **err)
{
	auto_str reasons = STR_INIT;
	autofree char *remedy = NULL;

	for (size_t i = 0; i < MODE_ENGINES && candidates[i]; i++) {
		auto_engine_probe probe = { 0 };

		if (candidates[i]->probe(w->mode, &probe, err) < 0)
			return -1;
		if (probe.available) {
			set_choice(c, candidates[i], w->mode, &probe);
			c->why = reasons.len ? xasprintf("%s (%s)", w->where, reasons.data)
					     : xstrdup(w->where);
			return 0;
		}
		add_reason(&reasons, candidates[i], &probe);
		if (!remedy)
			remedy = steal_ptr(&probe.remedy);
	}
	err_make(err, ERR_ENGINE, "mode %s (%s) does not work here: %s", w->mode, w->where,
		str_text(&reasons));
	return hint_modes(candidates, remedy, err);
}

/* Does the engine apply or emulate everything that the bundle asks for? */
static bool meets(const struct engine *e, const struct json *config)
{
	auto_strv ignored = STRV_INIT, refused = STRV_INIT;

	return !engine_unmet(e, config, &ignored, &refused) && ignored.n == 0;
}

/* The container's ROOT as config.json names it; NULL where nothing is known of the bundle. Caller frees. */
static char *root_of(const struct json *config, int bundle_fd)
{
	const char *path = json_str(json_path(config, "root", "path", NULL));
	autofree char *bundle = bundle_fd >= 0 ? fs_fd_path(bundle_fd) : NULL;

	if (!path || !bundle)
		return NULL;
	return *path == '/' ? xstrdup(path) : path_join(bundle, path);
}

/* Probe it for `auto`: false, and why among the reasons, where it does not work, or not with these programs. */
static bool suits(const struct engine *e, const char *rootfs, struct engine_probe *p, struct str *reasons)
{
	if (p->available && e->misfit && rootfs) {
		free(p->reason);
		p->reason = e->misfit(rootfs);
		p->available = !p->reason;
	}
	if (!p->available)
		add_reason(reasons, e, p);
	return p->available;
}

/* The first that works and meets everything; else the first that works. */
static int choose_auto(const struct json *config, int bundle_fd, const struct wish *w,
	struct engine_choice *c, struct err **err)
{
	static const struct engine *const tried[MODE_ENGINES] = { NULL }; /* but those on request */
	autofree char *rootfs = root_of(config, bundle_fd);
	auto_str reasons = STR_INIT;
	bool complete = false;

	for (const struct engine *const *e = engine_table; *e && !complete; e++) {
		auto_engine_probe probe = { 0 };

		if ((*e)->on_request)
			continue;
		if ((*e)->probe((*e)->modes[0], &probe, err) < 0)
			return -1;
		if (!suits(*e, rootfs, &probe, &reasons))
			continue;
		complete = meets(*e, config);
		if (complete || !c->engine)
			set_choice(c, *e, (*e)->modes[0], &probe);
	}
	if (!c->engine) {
		err_make(err, ERR_ENGINE, "no engine works here: %s", str_text(&reasons));
		return hint_modes(tried, "install crun, runc or proot", err);
	}
	c->why = xasprintf("%s: auto%s%s%s%s%s", w->where, reasons.len ? ": " : "", str_text(&reasons),
		reasons.len ? "; " : "", reasons.len ? c->engine->name : "", reasons.len ? " works" : "");
	if (!complete) {
		char *more = xasprintf("%s; none applies everything the bundle asks for", c->why);

		free(c->why);
		c->why = more;
	}
	return 0;
}

/* Does it work here in its first mode? Each is asked once, for lists of containers. */
static bool works_here(const struct engine *e)
{
	static struct {
		const struct engine *engine;
		bool works;
	} known[ARRAY_LEN(engine_table)];
	auto_engine_probe probe = { 0 };
	size_t i = 0;

	while (known[i].engine && known[i].engine != e)
		i++;
	if (!known[i].engine) {
		known[i].engine = e;
		known[i].works = e->probe(e->modes[0], &probe, NULL) == 0 && probe.available;
	}
	return known[i].works;
}

const char *engine_light_mode(const char *rootfs)
{
#ifdef __x86_64__ /* of others the trap engine has met emulated machines alone */
	autofree char *misfit = engine_trap.misfit(rootfs);

	if (!misfit && works_here(&engine_trap))
		return engine_trap.modes[0];
#endif
	if (works_here(&engine_proot))
		return engine_proot.modes[0];
	for (const struct engine *const *e = engine_table; *e; e++)
		if (!(*e)->on_request && *e != &engine_trap && works_here(*e))
			return (*e)->modes[0];
	return NULL;
}

/* --engine NAME: its own mode, or the one asked for if it has it. */
static int choose_engine(
	const char *name, struct wish *w, bool mode_by_switch, struct engine_choice *c, struct err **err)
{
	const struct engine *candidates[2] = { engine_by_name(name), NULL };

	if (!candidates[0]) {
		err_make(err, ERR_USAGE, "--engine: there is no engine '%s'", name);
		return err_hint(
			err, "engines are crun, runc, runsc, proot, fakechroot, singularity and trap");
	}
	if (!engine_has_mode(candidates[0], w->mode)) {
		if (mode_by_switch && !str_eq(w->mode, "auto"))
			return err_make(err, ERR_USAGE, "--engine %s has no mode %s", name, w->mode);
		memcpy(w->mode, candidates[0]->modes[0], sizeof("P1"));
	}
	w->where = "--engine";
	return choose_mode(candidates, w, c, err);
}

/* A mode by its name. runc must have id 0 mapped, so crun comes first where one id is mapped and the user is not root. */
static int choose_row(const struct mode_row *row, const struct json *config, const struct wish *w,
	struct engine_choice *c, struct err **err)
{
	const struct engine *candidates[MODE_ENGINES];
	bool one_id = geteuid() != 0 || runtime_namespace(config, "user", NULL);
	int64_t uid = 0;

	memcpy(candidates, row->engines, sizeof(candidates));
	if (one_id && candidates[0] == &engine_runc && candidates[1] &&
		json_to_i64(json_path(config, "process", "user", "uid", NULL), &uid) == 0 && uid != 0) {
		candidates[0] = candidates[1];
		candidates[1] = &engine_runc;
	}
	return choose_mode(candidates, w, c, err);
}

int engine_choose(const struct engine_request *req, const struct json *config, int bundle_fd,
	struct engine_choice *ret, struct err **err)
{
	struct engine_choice c = { 0 };
	const struct mode_row *row;
	struct wish w = { 0 };
	int r;

	if (find_wish(req, config, bundle_fd, &w, err) < 0)
		return -1;
	if (bundle_fd >= 0 && fs_exists(bundle_fd, ENGINE_MODE_NEXT)) {
		err_make(err, ERR_ENGINE, "the change of this container's execution mode was not completed");
		return err_hint(err, "repeat it: udocker setup --execmode=MODE CONTAINER");
	}
	if (str_eq(w.mode, "auto") && req->auto_mode && !str_eq(req->auto_mode, "auto"))
		memcpy(w.mode, req->auto_mode, sizeof("P1"));
	row = find_mode(w.mode); /* none: auto */
	if (req->switch_engine && *req->switch_engine && !str_eq(req->switch_engine, "auto")) {
		r = choose_engine(req->switch_engine, &w, req->switch_mode != NULL, &c, err);
	} else if (!row) {
		r = choose_auto(config, bundle_fd, &w, &c, err);
	} else {
		r = choose_row(row, config, &w, &c, err);
	}
	if (r < 0) {
		engine_choice_free(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

/* ---- the doctor ---- */
/* Engines are asked at once, each by a thread; first those whose programs have many megabytes, which take longest to say their version. */
struct inquiry {
	const struct engine *engine;
	struct engine_report *rows; /* one per mode */
	pthread_t thread;
	bool started;
	int r;
	struct err *err;
};

static size_t count_modes(const struct engine *e)
{
	size_t n = 0;

	while (e->modes[n])
		n++;
	return n;
}

static void *inquire(void *arg)
{
	struct inquiry *q = arg;

	for (size_t i = 0; q->engine->modes[i] && q->r == 0; i++) {
		q->rows[i] = (struct engine_report){ .engine = q->engine, .mode = q->engine->modes[i] };
		q->r = q->engine->probe(q->rows[i].mode, &q->rows[i].probe, &q->err);
	}
	return NULL;
}

static void start_inquiries(struct inquiry *q, bool large)
{
	for (size_t i = 0; engine_table[i]; i++) {
		if (q[i].engine->large != large)
			continue;
		q[i].started = thread_start(&q[i].thread, inquire, &q[i], NULL) == 0;
		if (!q[i].started)
			(void)inquire(&q[i]); /* no thread to be had: what it found is in q */
	}
}

int engine_report_all(struct engine_report **ret, size_t *ret_n, struct err **err)
{
	struct inquiry q[ARRAY_LEN(engine_table)] = { 0 };
	struct engine_report *rows;
	bool have_auto = false;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; engine_table[i]; i++)
		n += count_modes(engine_table[i]);
	rows = xcalloc(n, sizeof(*rows));
	for (size_t i = 0, at = 0; engine_table[i]; at += count_modes(engine_table[i++])) {
		q[i].engine = engine_table[i];
		q[i].rows = rows + at;
	}
	start_inquiries(q, true);
	start_inquiries(q, false);
	for (size_t i = 0; engine_table[i]; i++) {
		if (q[i].started)
			(void)pthread_join(q[i].thread, NULL); /* it is ours and was not joined yet */
		if (q[i].r < 0 && r == 0)
			r = err_move(err, &q[i].err);
		err_free(q[i].err); /* NULL where it was moved */
	}
	if (r < 0) {
		engine_report_free(rows, n);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		rows[i].is_auto = rows[i].probe.available && !have_auto && !rows[i].engine->on_request;
		have_auto |= rows[i].is_auto;
	}
	*ret = rows;
	*ret_n = n;
	return 0;
}

void engine_report_free(struct engine_report *r, size_t n)
{
	for (size_t i = 0; r && i < n; i++)
		engine_probe_free(&r[i].probe);
	free(r);
}
