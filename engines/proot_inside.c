/* SPDX-License-Identifier: Apache-2.0 */
/* What PRoot needs to be run in a container, and how it is called there. */
#include "engines/proot_inside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/elf_file.h"
#include "engines/guest_within.h"
#include "engines/probe_cache.h"
#include "engines/proot.h"
#include "engines/proot_loader.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define FOLDER ".udocker" /* in a tmpfs of the container */
#define FACTS "proot-inside" /* the name of what is remembered */
#define GUEST_INIT_PROGRAM "udocker-guest-init"

bool proot_inside_mode(const char *mode)
{
	return str_eq(mode, "R2") || str_eq(mode, "R3");
}

bool proot_inside_shows_ids(const struct engine_probe *probe)
{
	return probe->inside && (probe->inside->flags & (PROOT_CHANGE_ID | PROOT_CHANGE_ID_I));
}

/* ---- what it is linked with ---- */

/* "\tlibtalloc.so.2 => /lib/x86_64-linux-gnu/libtalloc.so.2 (0x…)"; what names no file is of the kernel or the loader itself. */
bool proot_inside_libraries(const char *text, struct strv *ret, char **ret_missing)
{
	auto_strv lines = STRV_INIT;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i] + strspn(lines.v[i], "\t "), *arrow = strstr(line, " => ");
		autofree char *name = arrow ? xstrndup(line, (size_t)(arrow - line)) : NULL;
		const char *path = arrow ? arrow + 4 : NULL, *end = path ? strrchr(path, '(') : NULL;

		if (!path || strchr(name, '/'))
			continue;
		if (*path != '/' || !end || end == path || end[-1] != ' ') {
			*ret_missing = steal_ptr(&name);
			return false;
		}
		strv_addf(ret, "%s=%.*s", name, (int)(end - 1 - path), path);
	}
	return true;
}

/* "" for a static one, else its loader first, then NAME=PATH, a line each. NULL: it cannot be run elsewhere, *ret_why says why. */
static char *ask_libraries(const char *proot, char **ret_why)
{
	const char *argv[] = { proot, NULL };
	const char *env[] = { "LD_TRACE_LOADED_OBJECTS=1", NULL };
	autofree struct elf_facts *elf = xcalloc(1, sizeof(*elf));
	autoclose int fd = open(proot, O_RDONLY | O_CLOEXEC);
	autofree char *missing = NULL;
	auto_strv parts = STRV_INIT;
	auto_str out = STR_INIT;
	auto_err *e = NULL;
	int status;

	if (fd < 0 || elf_read(fd, elf) < 0 || (elf->kind != ELF_STATIC && elf->kind != ELF_DYNAMIC)) {
		*ret_why = xasprintf("%s is no program that can be run inside", proot);
		return NULL;
	}
	if (elf->kind == ELF_STATIC)
		return xstrdup("");
	if (engine_ask(argv, env, &out, &status, &e) < 0) {
		*ret_why = xstrdup(err_text(e));
		return NULL;
	}
	strv_add(&parts, elf->interp);
	if (status != 0 || !proot_inside_libraries(str_text(&out), &parts, &missing)) {
		*ret_why = xasprintf("the libraries of %s are not known%s%s", proot,
			missing ? ": it misses " : "", missing ? missing : "");
		return NULL;
	}
	return strv_join(&parts, "\n");
}

/* Remembered libraries may have moved since. */
static bool are_there(const char *detail)
{
	auto_strv lines = STRV_INIT;

	strv_split(&lines, detail, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *equals = i > 0 ? strchr(lines.v[i], '=') : NULL;

		if (access(equals ? equals + 1 : lines.v[i], R_OK) < 0)
			return false;
	}
	return true;
}

static char *libraries_of(const char *proot, char **ret_why)
{
	autofree char *key = probe_cache_key(proot);
	struct probe_facts facts = { 0 };
	char *detail;

	if (probe_cache_load(FACTS, key, &facts) && facts.detail && are_there(facts.detail)) {
		detail = steal_ptr(&facts.detail);
		probe_facts_free(&facts);
		return detail;
	}
	probe_facts_free(&facts);
	detail = ask_libraries(proot, ret_why);
	if (!detail)
		return NULL;
	facts.version = xstrdup("0");
	facts.detail = xstrdup(detail);
	probe_cache_save(FACTS, key, &facts);
	probe_facts_free(&facts);
	return detail;
}

static void make_unavailable(struct engine_probe *p, char *reason, char *remedy)
{
	p->available = false;
	free(p->reason);
	free(p->remedy);
	p->reason = reason;
	p->remedy = remedy;
}

void proot_inside_probe(const char *mode, struct engine_probe *ret)
{
	struct engine_probe *proot = xcalloc(1, sizeof(*proot));
	autofree char *libraries = NULL;
	char *why = NULL;

	(void)engine_proot.probe("P2", proot, NULL); /* whatever is wrong is an answer */
	ret->inside = proot;
	if (!proot->available) {
		make_unavailable(ret, xasprintf("PRoot, which runs inside: %s", proot->reason),
			xstrdup_null(proot->remedy));
		return;
	}
	libraries = libraries_of(proot->path, &why);
	if (!libraries) {
		make_unavailable(ret, why, NULL);
		return;
	}
	if (str_eq(mode, "R2") && !ret->reason)
		ret->reason = proot->flags & PROOT_ACCELERATED && !(proot->flags & PROOT_NO_SECCOMP)
				      ? NULL
				      : xstrdup("no seccomp acceleration in this PRoot: R2 is R3");
}

/* ---- where it is put ---- */

/* A new tmpfs that nothing covers, /dev's before others: the folder in it is the container's alone. NULL: there is none. Caller frees. */
static char *find_place(const struct json *config)
{
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;
	const char *best = NULL;

	if (runtime_mounts_read(config, &m, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < m.n; i++) {
		const char *at = m.items[i].destination;
		bool covered = false;

		for (size_t k = i + 1; k < m.n; k++)
			covered |= path_is_below(at, m.items[k].destination);
		if (m.items[i].bind || m.items[i].readonly || covered || !str_eq(m.items[i].type, "tmpfs"))
			continue;
		if (!best || str_eq(at, "/dev"))
			best = at;
	}
	return best ? path_join(best, FOLDER) : NULL;
}

struct inside {
	struct json *config;
	struct strv *words;
	const char *place;
};

static void bind_file(const struct inside *x, const char *name, const char *source)
{
	static const char *const options[] = { "bind", "ro", "nosuid", "nodev", NULL };
	autofree char *at = path_join(x->place, name);

	runtime_add_mount(x->config, at, "bind", source, options);
}

static void bind_program(const struct inside *x, const char *name, const char *source)
{
	bind_file(x, name, source);
	strv_add_owned(x->words, path_join(x->place, name));
}

/* One that any user of the container may run. The caller frees it. */
static char *find_loader(const struct engine_probe *proot)
{
	autofree char *path = proot->flags & PROOT_LOADER ? proot_loader_kept(proot->path) : NULL;
	struct stat st;

	return path && stat(path, &st) == 0 && (st.st_mode & S_IXOTH) ? steal_ptr(&path) : NULL;
}

/* PRoot's own variables. The first process takes them away again before the program. */
static void add_variables(
	const struct inside *x, const struct engine_ctx *ctx, const struct engine_probe *proot)
{
	autofree char *loader = find_loader(proot);
	bool plain = str_eq(ctx->mode, "R3") || conf_bool(CONF_PROOT_NOSECCOMP) ||
		     (proot->flags & PROOT_NO_SECCOMP);

	strv_addf(x->words, "PROOT_TMP_DIR=%s", x->place);
	if (loader) {
		bind_file(x, "loader", loader);
		strv_addf(x->words, "PROOT_LOADER=%s/loader", x->place);
	}
	if (plain)
		strv_add(x->words, "PROOT_NO_SECCOMP=1");
	else if (proot->flags & PROOT_NEW_SECCOMP)
		strv_add(x->words, "PROOT_NEW_SECCOMP=1");
}

/* Its loader is named, so that neither that nor a library has to be where the container has its own. */
static void add_proot(const struct inside *x, const char *proot, const char *libraries)
{
	auto_strv lines = STRV_INIT;

	strv_split(&lines, libraries, "\n");
	if (lines.n > 0) {
		bind_program(x, "ld.so", lines.v[0]);
		strv_add(x->words, "--library-path");
		strv_addf(x->words, "%s/lib", x->place);
	}
	for (size_t i = 1; i < lines.n; i++) {
		autofree char *name = xasprintf("lib/%.*s", (int)strcspn(lines.v[i], "="), lines.v[i]);

		bind_file(x, name, strchr(lines.v[i], '=') + 1);
	}
	bind_program(x, "proot", proot);
}

/* ---- who the program is shown to be ---- */

static int64_t id_of(const struct json *process, const char *key)
{
	int64_t id = 0;

	(void)json_to_i64(json_path(process, "user", key, NULL), &id); /* absent is root */
	return id;
}

static bool same_user(const struct json *a, const struct json *b)
{
	return id_of(a, "uid") == id_of(b, "uid") && id_of(a, "gid") == id_of(b, "gid");
}

/* As root it may do what root may; ids that the container cannot map are shown all the same; others are its own. */
static void choose_ids(const struct engine_probe *proot, const struct json *asked, const struct json *process,
	struct strv *ret)
{
	long long uid = id_of(asked, "uid"), gid = id_of(asked, "gid");

	if (uid == 0 && gid == 0) {
		strv_add(ret, "-0");
	} else if (!same_user(asked, process) && (proot->flags & PROOT_CHANGE_ID_I)) {
		strv_add(ret, "-i");
		strv_addf(ret, "%lld:%lld", uid, gid);
	} else if (!same_user(asked, process) && (proot->flags & PROOT_CHANGE_ID)) {
		strv_addf(ret, "--change-id=%lld:%lld", uid, gid);
	}
}

void engine_trace_process(struct json *process, const struct strv *tracer, const struct strv *ids)
{
	struct json *args = json_get(process, "args");
	const struct strv *const parts[] = { tracer, ids };
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		for (size_t k = 0; k < parts[i]->n; k++)
			json_insert(args, at++, json_new_str(parts[i]->v[k]));
	json_insert(args, at, json_new_str(GUEST_WITHIN_END));
}

void engine_trace_further(
	struct json *process, const struct json *first, const struct strv *tracer, const struct strv *ids)
{
	auto_strv own = STRV_INIT;

	if (same_user(process, first)) {
		engine_trace_process(process, tracer, ids);
		return;
	}
	if (id_of(process, "uid") == 0 && id_of(process, "gid") == 0)
		strv_add(&own, "-0");
	engine_trace_process(process, tracer, &own);
}

int proot_inside_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct json *config,
	const char *filter, struct engine_plan *plan, struct err **err)
{
	static const char *const options[] = { "nosuid", "nodev", "mode=1777", NULL };
	const struct engine_probe *proot = probe->inside;
	autofree char *place = find_place(config), *init = NULL, *libraries = NULL, *why = NULL;
	struct json *process = json_get(config, "process");
	struct inside x = { config, &plan->tracer, place };

	if (!json_is(process, JSON_OBJECT))
		return 0; /* there is no program to trace */
	if (!place) {
		err_make(err, ERR_UNSUPPORTED,
			"mode %s needs a tmpfs among the mounts, to hold PRoot: the bundle has none",
			ctx->mode);
		return err_hint(err, "give it one at /dev, as `udocker-runtime spec` does, or choose R1");
	}
	libraries = libraries_of(proot->path, &why);
	if (!libraries)
		return err_make(err, ERR_ENGINE, "%s", why);
	if (proc_sibling(GUEST_INIT_PROGRAM, &init, err) < 0)
		return -1;
	runtime_add_mount(config, place, "tmpfs", "tmpfs", options);
	bind_program(&x, "init", init);
	strv_add(x.words, GUEST_WITHIN);
	add_variables(&x, ctx, proot);
	if (filter)
		strv_addf(x.words, "%c%s", GUEST_WITHIN_FILTER, filter);
	add_proot(&x, proot->path, libraries);
	if ((proot->flags & PROOT_LINK2SYMLINK) && conf_bool(CONF_PROOT_LINK2SYMLINK))
		strv_add(x.words, "--link2symlink");
	choose_ids(proot, json_get(ctx->config, "process"), process, &plan->tracer_ids);
	engine_trace_process(process, &plan->tracer, &plan->tracer_ids);
	return 0;
}
