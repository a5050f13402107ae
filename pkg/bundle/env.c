/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a run. */
#include "pkg/bundle/env.h"

#include <ctype.h>
#include <errno.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/mpi.h"
#include "pkg/bundle/options.h"
#include "pkg/bundle/user.h"
#include "pkg/conf/conf.h"

#define ENV_FILE_MAX ((size_t)4 << 20)
#define BLANKS " \t\r\n\v\f"

static char *trimmed(const char *s, size_t n)
{
	while (n > 0 && strchr(BLANKS, s[n - 1]))
		n--;
	while (n > 0 && strchr(BLANKS, *s)) {
		s++;
		n--;
	}
	return xstrndup(s, n);
}

static bool is_key(const char *s)
{
	return *s && !isdigit((unsigned char)*s) && s[strcspn(s, BLANKS)] == '\0';
}

bool bundle_env_parse(const char *text, char **ret_key, char **ret_value)
{
	const char *eq = strchr(text, '=');
	autofree char *key = trimmed(text, eq ? (size_t)(eq - text) : strlen(text));

	if (!is_key(key))
		return false;
	if (eq) {
		*ret_value = trimmed(eq + 1, strlen(eq + 1));
	} else {
		const char *host = host_env(key);

		*ret_value = xstrdup(host ? host : "");
	}
	*ret_key = steal_ptr(&key);
	return true;
}

static void put_entry(struct strv *env, const char *text, const char *from)
{
	char *key, *value;

	if (!bundle_env_parse(text, &key, &value)) {
		log_warning("%s: '%s' does not name a variable, skipping", from, text);
		return;
	}
	strv_env_set(env, key, value);
	free(key);
	free(value);
}

/* One entry a line; empty lines and comments are passed over. */
static int read_env_file(const char *path, struct strv *env, struct err **err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	if (fd < 0)
		return err_sys(err, errno, "environment file '%s'", path);
	if (fd_read_text(fd, ENV_FILE_MAX, &text, path, err) < 0)
		return err_add(err, "environment file");
	if (strlen(str_text(&text)) != text.len)
		return err_make(err, ERR_CORRUPT, "environment file '%s': has a NUL byte", path);
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i] + strspn(lines.v[i], BLANKS);

		if (*line && *line != '#')
			put_entry(env, line, path);
	}
	return 0;
}

/* Add what is not there yet. */
static void merge_weaker(struct strv *env, const struct strv *weaker)
{
	for (size_t i = 0; i < weaker->n; i++) {
		autofree char *key = xstrndup(weaker->v[i], strcspn(weaker->v[i], "="));

		if (!strv_env_get(env, key))
			strv_add(env, weaker->v[i]);
	}
}

static void default_to(struct strv *env, const char *key, const char *value)
{
	if (!strv_env_get(env, key))
		strv_env_set(env, key, value);
}

/* Variables between our own programs and those of engines are nobody's business inside, and a directory of the host is not where it starts. */
static bool stays_out(const char *entry)
{
	return str_starts(entry, "UDOCKER_AS=") || str_starts(entry, "PROOT_") || str_starts(entry, "PWD=") ||
	       str_starts(entry, "OLDPWD=");
}

static void add_host(struct strv *env, bool all)
{
	const struct strv *valid = conf_list(CONF_VALID_HOST_ENV),
			  *invalid = conf_list(CONF_INVALID_HOST_ENV);

	for (char **e = environ; e && *e; e++) {
		autofree char *key = xstrndup(*e, strcspn(*e, "="));

		if (!strchr(*e, '=') || stays_out(*e) || strv_has(invalid, key))
			continue;
		if (!all && !strv_has(valid, key))
			continue;
		if (str_is_utf8(*e))
			strv_add(env, *e);
		else
			log_warning("the host's variable '%s' is not UTF-8, which config.json cannot carry, "
				    "skipping",
				key);
	}
}

/* Only in F modes do ranks read each other's memory as on the host: others have user namespaces, and PRoot stops each call. */
static void add_launcher(struct strv *env, const struct bundle_source *src)
{
	auto_strv launcher = STRV_INIT;

	mpi_env_add(*bundle_source_mode(src) == 'F', &launcher);
	merge_weaker(env, &launcher);
}

static void force(struct strv *env, const struct bundle_source *src, const struct bundle_user *user)
{
	autofree char *root = NULL, *names = NULL, *prompt = NULL;

	strv_env_set(env, "USER", user->name);
	strv_env_set(env, "LOGNAME", user->name);
	strv_env_set(env, "USERNAME", user->name);
	if (!src->id)
		return;
	prompt = xasprintf("%.8s%s", src->id, user->uid == 0 ? "#" : "\\$");
	root = path_join(src->dir, src->root);
	names = src->names && src->names->n ? strv_join(src->names, ",") : xstrdup("");
	strv_env_set(env, "PS1", prompt);
	strv_env_set(env, "SHLVL", "0");
	strv_env_set(env, "container_ruser", host_user_name());
	strv_env_set(env, "container_root", root);
	strv_env_set(env, "container_uuid", src->id);
	strv_env_set(env, "container_execmode", bundle_source_mode(src));
	strv_env_set(env, "container_names", names);
}

int bundle_env_make(const struct bundle_source *src, const struct bundle_options *o, const struct strv *image,
	const struct bundle_user *user, const char *home, struct strv *ret, struct err **err)
{
	auto_strv own = STRV_INIT, files = STRV_INIT;

	for (size_t i = 0; o->env && i < o->env->n; i++)
		put_entry(&own, o->env->v[i], "--env");
	for (size_t i = 0; o->env_files && i < o->env_files->n; i++)
		if (read_env_file(o->env_files->v[i], &files, err) < 0)
			return -1;
	merge_weaker(&own, &files);
	for (size_t i = 0; i < own.n; i++) {
		if (str_is_utf8(own.v[i]))
			continue;
		err_make(err, ERR_USAGE,
			"the environment variable '%s' is not UTF-8, which config.json cannot carry",
			own.v[i]);
		return err_hint(err, "hand its value over in a file");
	}
	if (o->mpi)
		add_launcher(&own, src);
	if (image)
		merge_weaker(&own, image);
	default_to(&own, "HOME", home);
	default_to(&own, "PATH", conf_str(user->uid == 0 ? CONF_ROOT_PATH : CONF_USER_PATH));
	force(&own, src, user);
	add_host(ret, o->hostenv);
	for (size_t i = 0; i < own.n; i++)
		strv_env_put(ret, own.v[i]);
	return 0;
}
