/* SPDX-License-Identifier: Apache-2.0 */
/* What exec is to run, from its command line: a process object as config.json has it. */
#include <errno.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/passwd.h"
#include "pkg/base/str.h"
#include "pkg/runtime/exec.h"

#define PASSWD_MAX_BYTES ((size_t)1 << 20)

static void read_text(const struct runtime_bundle *b, const char *path, struct str *ret)
{
	if (runtime_read_inside(b, path, PASSWD_MAX_BYTES, ret) < 0)
		str_truncate(ret, 0); /* a container without one has no names */
}

/* ---- who ---- */

static int set_group(struct json *user, const char *text, const struct runtime_bundle *b, struct err **err)
{
	auto_str file = STR_INIT;
	struct group_entry g;
	uint32_t gid;

	if (num_parse_u32(text, &gid) == 0) {
		json_set_i64(user, "gid", gid);
		return 0;
	}
	read_text(b, "/etc/group", &file);
	if (!passwd_find_group(str_text(&file), text, &g))
		return err_make(
			err, ERR_USAGE, "--user: group '%s' is not a number, nor in /etc/group inside", text);
	json_set_i64(user, "gid", g.gid);
	group_entry_free(&g);
	return 0;
}

/* A number alone changes the user only, as with runc; a name brings its group along. */
static int set_user(struct json *user, const char *text, const struct runtime_bundle *b, struct err **err)
{
	size_t n = strcspn(text, ":");
	autofree char *name = xstrndup(text, n);
	auto_str file = STR_INIT;
	struct passwd_entry e;
	uint32_t uid;

	if (num_parse_u32(name, &uid) == 0) {
		json_set_i64(user, "uid", uid);
	} else {
		read_text(b, "/etc/passwd", &file);
		if (!passwd_find_name(str_text(&file), name, &e))
			return err_make(err, ERR_USAGE,
				"--user: '%s' is not a number, nor in /etc/passwd inside", name);
		json_set_i64(user, "uid", e.uid);
		json_set_i64(user, "gid", e.gid);
		passwd_entry_free(&e);
	}
	return text[n] ? set_group(user, text + n + 1, b, err) : 0;
}

static int add_groups(struct json *user, const struct strv *groups, struct err **err)
{
	for (size_t i = 0; groups && i < groups->n; i++) {
		uint32_t gid;

		if (num_parse_u32(groups->v[i], &gid) < 0)
			return err_make(
				err, ERR_USAGE, "--additional-gids: '%s' is not a number", groups->v[i]);
		json_append(json_need_array(user, "additionalGids"), json_new_i64(gid));
	}
	return 0;
}

/* ---- what ---- */

/* A configuration that does not speak of capabilities takes none away. */
static void add_caps(struct json *process, const struct strv *caps)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	struct json *all = json_get(process, "capabilities");

	for (size_t i = 0; json_is(all, JSON_OBJECT) && caps && i < caps->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(sets); k++)
			json_append(json_need_array(all, sets[k]), json_new_str(caps->v[i]));
}

static int add_env(struct json *process, const struct strv *more, struct err **err)
{
	auto_strv env = STRV_INIT;

	if (json_get_strv(process, "process", "env", &env, err) < 0)
		return -1;
	for (size_t i = 0; more && i < more->n; i++) {
		if (!strchr(more->v[i], '=') || more->v[i][0] == '=')
			return err_make(err, ERR_USAGE, "--env '%s': expected NAME=VALUE", more->v[i]);
		strv_env_put(&env, more->v[i]);
	}
	json_set(process, "env", json_new_strv(&env));
	return 0;
}

static struct json *from_container(const struct json *config)
{
	const struct json *own = json_get(config, "process");
	struct json *p = json_is(own, JSON_OBJECT) ? json_clone(own) : json_new_object();

	if (!json_get(p, "cwd"))
		json_set_str(p, "cwd", "/");
	json_remove(p, "consoleSize"); /* of another terminal */
	return p;
}

static int from_options(const struct runtime_exec_options *o, const struct runtime_bundle *b,
	struct json **ret, struct err **err)
{
	auto_json *p = from_container(b->config);
	struct json *user = json_need_object(p, "user");

	if (!o->args || o->args->n == 0)
		return err_make(err, ERR_USAGE, "exec: no command given");
	json_set(p, "args", json_new_strv(o->args));
	json_set_bool(p, "terminal", o->tty);
	if (o->cwd)
		json_set_str(p, "cwd", o->cwd);
	if (o->apparmor)
		json_set_str(p, "apparmorProfile", o->apparmor);
	if (o->process_label)
		json_set_str(p, "selinuxLabel", o->process_label);
	if (o->no_new_privs)
		json_set_bool(p, "noNewPrivileges", true);
	if (o->user && set_user(user, o->user, b, err) < 0)
		return -1;
	if (add_groups(user, o->groups, err) < 0 || add_env(p, o->env, err) < 0)
		return -1;
	add_caps(p, o->caps);
	if (runtime_process_check(p, "exec", err) < 0)
		return err_set_kind(err, ERR_USAGE);
	*ret = steal_ptr(&p);
	return 0;
}

/* A pipe without a writer must not keep us, one with a writer may. */
static int from_file(const char *path, struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = RUNTIME_CONFIG_MAX_BYTES };
	auto_json *p = NULL;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys(err, errno, "process file '%s'", path);
	(void)fcntl(fd, F_SETFL, O_RDONLY);
	if (json_read_fd(fd, "process file", &limits, &p, err) < 0)
		return err_add(err, "'%s'", path);
	if (runtime_process_check(p, "process file", err) < 0)
		return err_add(err, "'%s'", path);
	*ret = steal_ptr(&p);
	return 0;
}

char *process_home(const struct runtime_bundle *b, uid_t uid)
{
	auto_str file = STR_INIT;
	struct passwd_entry e;
	char *home = NULL;

	read_text(b, "/etc/passwd", &file);
	if (passwd_find_uid(str_text(&file), uid, &e)) {
		home = xstrdup(*e.home ? e.home : "/");
		passwd_entry_free(&e);
	}
	return home ? home : xstrdup("/");
}

static void set_home(struct json *process, const struct runtime_bundle *b)
{
	auto_strv env = STRV_INIT;
	autofree char *home = NULL;
	int64_t uid = 0;

	if (json_get_strv(process, "process", "env", &env, NULL) < 0 || strv_env_get(&env, "HOME"))
		return;
	(void)json_to_i64(json_path(process, "user", "uid", NULL), &uid); /* absent is root */
	home = process_home(b, (uid_t)uid);
	strv_env_set(&env, "HOME", home);
	json_set(process, "env", json_new_strv(&env));
}

int exec_process(const struct runtime_exec_options *o, const struct runtime_bundle *b, struct json **ret,
	struct err **err)
{
	int r = o->process_file && *o->process_file ? from_file(o->process_file, ret, err)
						    : from_options(o, b, ret, err);

	if (r == 0)
		set_home(*ret, b);
	return r;
}
