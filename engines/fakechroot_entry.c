/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guest_init runs in a Fakechroot container: the program as the host names it, looked at before anything is started, and the
 * environment that makes the library of it. Every program goes through guest_loader. A library that maps paths (udocker's own) gets the volumes
 * as a map.
 */
#include "engines/fakechroot_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/guest_loader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define SCRIPTS_MAX 5 /* one that reads another, as the kernel counts */
#define FIRST_LINE 256
#define SUBSTITUTE "#RETURN(TRUE)#" /* 1.3.x: a program that does nothing, well */

static void entry_free(struct engine_entry *entry)
{
	struct fakechroot_entry *e = (struct fakechroot_entry *)entry;

	fakechroot_view_free(&e->view);
	guest_library_free(&e->library);
	strv_free(&e->folders);
	strv_free(&e->links);
	free(e->bundle);
	free(e->guest_init);
	free(e->keeper);
	free(e);
}

void fakechroot_entry_drop(struct fakechroot_entry **e)
{
	if (*e)
		entry_free(&(*e)->entry);
}

/* ---- the program ---- */

static int refuse(const struct fakechroot_entry *e, const char *name, const char *why, struct err **err)
{
	err_make(err, ERR_UNSUPPORTED, "mode %s cannot confine '%s': %s", e->mode, name, why);
	return err_hint(err, "choose P1 or R1 with udocker setup --execmode");
}

static int check_elf(
	const struct fakechroot_entry *e, const char *name, const struct elf_facts *f, struct err **err)
{
	bool musl;

	if (!elf_is_native(f))
		return refuse(e, name, "it is a program of another machine", err);
	if (f->kind == ELF_STATIC)
		return refuse(e, name, "it is statically linked", err);
	musl = str_starts(path_base(f->interp), "ld-musl");
	if (f->kind == ELF_DYNAMIC && musl != e->library.musl)
		return refuse(e, name,
			musl ? "it is linked against musl, the library is not"
			     : "it is linked against glibc, the library is not",
			err);
	return 0;
}

/* A program is what lies in the container or in what it is shown, wherever links of it lead. */
static int open_inside(const struct fakechroot_entry *e, const char *name, const char *host, struct err **err)
{
	autoclose int fd = open(host, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	autofree char *real = NULL;

	if (fd < 0) {
		int errnum = errno;

		(void)err_sys(err, errnum, "exec: \"%s\"", name);
		return err_set_kind(err, errnum == ENOENT || errnum == ENOTDIR ? ERR_NOT_FOUND : ERR_DENIED);
	}
	real = fs_fd_path(fd);
	if (!real || !fakechroot_view_holds(&e->view, real)) {
		err_make(err, ERR_UNSUPPORTED,
			"mode %s cannot confine '%s': it leads out of the container, to %s", e->mode, name,
			real ? real : "?");
		return err_hint(
			err, "udocker setup --force --execmode=%s CONTAINER leads links back", e->mode);
	}
	return steal_fd(&fd);
}

/* The words of "#!INTERPRETER [ARGUMENT]", 0 to 2; -1 if that is not how the file begins. */
static int first_line(int fd, struct strv *ret)
{
	char line[FIRST_LINE + 1];
	ssize_t n = fd_pread_full(fd, line, FIRST_LINE, 0);
	char *p = line + 2, *end;

	if (n < 2 || line[0] != '#' || line[1] != '!')
		return -1;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	for (end = line + strlen(line); end > p && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	p += strspn(p, " \t");
	if (!*p)
		return 0;
	n = (ssize_t)strcspn(p, " \t");
	strv_add_owned(ret, xstrndup(p, (size_t)n));
	p += n;
	p += strspn(p, " \t");
	if (*p)
		strv_add(ret, p);
	return (int)ret->n;
}

/*
 * The ELF file that runs `p`: itself, or what its "#!" names, in which case the arguments gain the words in front. *ret_host is the
 * host's name of it; p->file stays the container's.
 */
static int find_elf(
	const struct fakechroot_entry *e, struct engine_program *p, char **ret_host, struct err **err)
{
	autofree struct elf_facts *facts = xcalloc(1, sizeof(*facts));

	for (int depth = 0; depth < SCRIPTS_MAX; depth++) {
		autofree char *host = fakechroot_view_path(&e->view, p->file);
		autoclose int fd = open_inside(e, p->file, host, err);
		auto_strv line = STRV_INIT;
		int n;

		if (fd < 0)
			return -1;
		if (elf_read(fd, facts) < 0)
			return err_sys(err, errno, "exec: \"%s\"", p->file);
		if (facts->kind != ELF_NONE) {
			*ret_host = steal_ptr(&host);
			return check_elf(e, p->file, facts, err);
		}
		n = first_line(fd, &line);
		if (n < 0 || n == 0 || line.v[0][0] != '/') {
			err_make(err, ERR_DENIED, "exec: \"%s\": exec format error", p->file);
			return -1;
		}
		free(p->args.v[0]);
		p->args.v[0] = steal_ptr(&p->file);
		if (n > 1)
			strv_insert(&p->args, 0, line.v[1]);
		strv_insert(&p->args, 0, line.v[0]);
		p->file = path_clean(line.v[0]);
	}
	return err_make(err, ERR_DENIED, "exec: \"%s\": too many levels of symbolic links", p->file);
}

/* ---- the environment ---- */

/* A list of the program's own, whose absolute paths are of the container. */
static void add_inside(const struct fakechroot_entry *e, const char *list, struct strv *ret)
{
	auto_strv words = STRV_INIT;

	strv_split(&words, list ? list : "", ":");
	for (size_t i = 0; i < words.n; i++) {
		if (words.v[i][0] == '/' && !path_is_below(words.v[i], e->view.rootfs))
			strv_add_owned(ret, fakechroot_view_path(&e->view, words.v[i]));
		else
			strv_add(ret, words.v[i]);
	}
}

static void set_list(struct strv *env, const char *key, const struct strv *list)
{
	autofree char *text = strv_join(list, ":");

	if (list->n > 0)
		strv_env_set(env, key, text);
}

static int by_guest(const void *a, const void *b)
{
	const struct fakechroot_bind *const *x = a, *const *y = b;

	return strcmp((*y)->guest, (*x)->guest);
}

/* What lies where the host has it is left alone by the library; the rest is mapped, or reached through links and then left alone. */
static void add_places(const struct fakechroot_entry *e, struct strv *env)
{
	autofree const struct fakechroot_bind **sorted =
		xcalloc(e->view.n + 1, sizeof(const struct fakechroot_bind *));
	auto_strv excluded = STRV_INIT, mapped = STRV_INIT;
	size_t n = 0;

	for (size_t i = 0; i < e->view.n; i++) {
		const struct fakechroot_bind *b = &e->view.binds[i];

		if (e->library.has_map && !str_eq(b->host, b->guest))
			sorted[n++] = b;
		else if (!strv_has(&excluded, b->host))
			strv_add(&excluded, b->host);
	}
	qsort(sorted, n, sizeof(const struct fakechroot_bind *), by_guest);
	for (size_t i = 0; i < n; i++)
		strv_addf(&mapped, "%s!%s", sorted[i]->host, sorted[i]->guest);
	set_list(env, "FAKECHROOT_EXCLUDE_PATH", &excluded);
	set_list(env, "FAKECHROOT_DIR_MAP", &mapped);
}

static void add_substitutes(const struct fakechroot_entry *e, struct strv *env)
{
	const char *p = conf_str(CONF_FAKECHROOT_CMD_SUBST), *mark;
	auto_str text = STR_INIT;

	/* guest_init does nothing, well, where it stands for another program. */
	for (; (mark = strstr(p, SUBSTITUTE)); p = mark + strlen(SUBSTITUTE)) {
		(void)str_add_mem(&text, p, (size_t)(mark - p));
		(void)str_add(&text, e->guest_init);
	}
	(void)str_add(&text, p);
	if (text.len)
		strv_env_set(env, "FAKECHROOT_CMD_SUBST", str_text(&text));
}

/* For guest_loader: what it must know of every program, whatever that has done to its environment. */
static void add_stock(const struct fakechroot_entry *e, struct strv *env)
{
	autofree char *folders = strv_join(&e->folders, ":");
	autofree char *paths = xasprintf("%s%s:%s:%s:%s", e->guest.version >= ELF_GLIBC(2, 33) ? "a" : "-",
		e->library.musl ? "m" : "", e->library.path, e->keeper, folders);

	strv_env_set(env, GUEST_LOADER_PATHS, paths);
	strv_env_set(env, "FAKECHROOT_ELFLOADER", e->guest_init);
}

static void set_env(const struct fakechroot_entry *e, struct strv *env)
{
	auto_strv preload = STRV_INIT;

	strv_add(&preload, e->library.path);
	strv_add(&preload, e->keeper);
	add_inside(e, strv_env_get(env, "LD_PRELOAD"), &preload);
	for (size_t i = env->n; i-- > 0;)
		if (str_starts(env->v[i], "FAKECHROOT"))
			strv_remove(env, i);
	set_list(env, "LD_PRELOAD", &preload);
	strv_env_set(env, "FAKECHROOT_BASE", e->view.rootfs);
	add_places(e, env);
	add_substitutes(e, env);
	add_stock(e, env);
}

/* ---- */

static int enter(const struct engine_entry *entry, struct engine_program *p, struct err **err)
{
	const struct fakechroot_entry *e = (const struct fakechroot_entry *)entry;
	autofree char *cwd = fakechroot_view_path(&e->view, p->cwd), *host = NULL;
	auto_strv args = STRV_INIT;

	if (!p->file)
		p->file = xstrdup(p->args.v[0]);
	if (*p->file != '/')
		return err_make(err, ERR_NOT_FOUND, "exec: \"%s\": no such file or directory", p->file);
	if (find_elf(e, p, &host, err) < 0)
		return -1;
	strv_add(&args, e->guest_init);
	strv_add(&args, GUEST_LOADER_EXEC);
	strv_add(&args, p->args.v[0]);
	strv_add(&args, host);
	for (size_t i = 1; i < p->args.n; i++)
		strv_add(&args, p->args.v[i]);
	set_env(e, &p->env);
	strv_free(&p->args);
	p->args = args;
	args = STRV_INIT;
	free(p->file);
	p->file = xstrdup(e->guest_init);
	free(p->cwd);
	p->cwd = steal_ptr(&cwd);
	return 0;
}

static int make(const struct engine_entry *entry, struct err **err)
{
	return fakechroot_links_make((const struct fakechroot_entry *)entry, err);
}

struct fakechroot_entry *fakechroot_entry_new(void)
{
	struct fakechroot_entry *e = xcalloc(1, sizeof(*e));

	e->entry = (struct engine_entry){ .enter = enter, .make = make, .free = entry_free };
	return e;
}
