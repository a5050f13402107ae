/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of the settings: where they come from, which source wins, their types. The table is in table.c, the form of the
 * files in ini.c, lists in list.c.
 */
#include "pkg/conf/conf.h"

#include <errno.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/conf/ini.h"
#include "pkg/conf/list.h"

enum { FILE_MAX = 1 << 20, NUMBER_MAX = 1000000000 };

/* Weakest first. Files override each other in the order in which they are read. */
enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_OPTION };

struct setting {
	char *text; /* as it was set */
	char *value; /* what conf_str() returns: paths made absolute */
	struct strv list;
	int64_t number;
	enum source source;
	bool flag;
};

/* The one configuration of the process. */
static struct setting settings[CONF_N];
static bool ready, loaded;

/* 1.3.x reads these, we have no use for them: no reason to warn whoever shares a file between both. */
static const char *const foreign_keys[] = { "use_curl_executable", "docker_registries",
	"default_execution_modes", "nvi_etc_list", "nvi_bin_list", "nvi_lib_list", "nvi_dev_list",
	"osversion", "oskernel", "arch", NULL };

/* ---- paths ---------------------------------------------------------------------------------------- */

/* "$topdir/x" with base "$topdir" gives "/x", "$topdir" gives ""; NULL if text does not begin with it. */
static const char *behind(const char *text, const char *base)
{
	size_t len = strlen(base);

	return strncmp(text, base, len) == 0 && (text[len] == '/' || !text[len]) ? text + len : NULL;
}

/* Below a directory that may be unknown: then this one is unknown too. */
static char *below(const char *dir, const char *rest)
{
	autofree char *path = NULL;

	if (!dir || !*dir)
		return xstrdup("");
	path = xasprintf("%s%s", dir, rest);
	return path_clean(path);
}

static char *expand_path(enum conf_key key, const char *text)
{
	const char *rest;

	if (!*text)
		return xstrdup("");
	if ((rest = behind(text, "~")))
		return below(host_home(), rest);
	if (key != CONF_HOMEDIR && (rest = behind(text, "$homedir")))
		return below(settings[CONF_HOMEDIR].value, rest);
	if (key != CONF_HOMEDIR && key != CONF_TOPDIR && (rest = behind(text, "$topdir")))
		return below(settings[CONF_TOPDIR].value, rest);
	if ((rest = behind(text, "$TMPDIR")))
		return below(host_tmpdir(), rest);
	if (*text == '/')
		return path_clean(text);
	if (key == CONF_KEYSTORE) {
		autofree char *name = xasprintf("/%s", text);

		return below(settings[CONF_HOMEDIR].value, name);
	}
	{
		autofree char *cwd = getcwd(NULL, 0);
		autofree char *path = cwd ? path_join(cwd, text) : NULL;

		return path ? path_clean(path) : xstrdup("");
	}
}

/* Paths refer to each other, so all follow when one changes. homedir and topdir come first in the table. */
static void resolve_paths(void)
{
	const struct conf_row *rows = conf_table();

	for (int key = 0; key < CONF_N; key++) {
		struct setting *s = &settings[key];

		if (rows[key].type != CONF_PATH)
			continue;
		free(s->value);
		s->value = expand_path((enum conf_key)key, s->text);
	}
}

/* ---- setting -------------------------------------------------------------------------------------- */

static const char *type_name(enum conf_type type)
{
	switch (type) {
	case CONF_INT:
		return "a number";
	case CONF_SIZE:
		return "a size (such as 10G)";
	case CONF_BOOL:
		return "true or false";
	case CONF_LIST:
		return "a list";
	default:
		return "a text";
	}
}

/* Modes are compared letter by letter everywhere: capitals, but for `auto`. Whether there is such a mode is the engines' matter. */
static char *spell_mode(const char *text)
{
	char *mode = xstrdup(strcasecmp(text, "auto") == 0 ? "auto" : text);

	for (char *c = mode; strlen(mode) == 2 && *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	return mode;
}

/* Set without asking which source wins; -1 (and nothing changed) if the text is not of the type. "" is unset. */
static int assign(enum conf_key key, const char *text, enum source source)
{
	struct setting *s = &settings[key];
	auto_strv list = STRV_INIT;
	int64_t number = 0;
	uint64_t size = 0;
	bool flag = false;

	switch (conf_table()[key].type) {
	case CONF_INT:
		if (*text && num_parse_i64(text, 0, NUMBER_MAX, &number) < 0)
			return -1;
		break;
	case CONF_SIZE:
		if (*text && (num_parse_size(text, &size) < 0 || size > INT64_MAX))
			return -1;
		number = (int64_t)size;
		break;
	case CONF_BOOL:
		if (*text && num_parse_bool(text, &flag) < 0)
			return -1;
		break;
	case CONF_LIST:
		if (conf_list_parse(text, &list) < 0)
			return -1;
		break;
	default:
		break;
	}
	free(s->text);
	s->text = xstrdup(text);
	free(s->value);
	s->value = conf_table()[key].type == CONF_MODE ? spell_mode(text) : xstrdup(text);
	s->number = number;
	s->flag = flag;
	strv_free(&s->list);
	s->list = list;
	list = STRV_INIT;
	s->source = source;
	return 0;
}

static void set_default(enum conf_key key)
{
	int r = assign(key, conf_table()[key].value, SOURCE_DEFAULT);

	if (r < 0) /* our own table is wrong; a unit test looks at every row */
		abort();
}

static void prepare(void)
{
	if (ready)
		return;
	ready = true;
	for (int key = 0; key < CONF_N; key++)
		set_default((enum conf_key)key);
	resolve_paths();
}

int conf_set(enum conf_key key, const char *value, struct err **err)
{
	const struct conf_row *row = &conf_table()[key];

	prepare();
	if (!*value)
		set_default(key);
	else if (assign(key, value, SOURCE_OPTION) < 0)
		return err_make(err, ERR_USAGE, "%s: '%s' is not %s", row->name, value, type_name(row->type));
	resolve_paths();
	return 0;
}

static int set_option(enum conf_key key, const char *option, const char *value, struct err **err)
{
	if (!value)
		return 0;
	if (!*value || assign(key, value, SOURCE_OPTION) < 0)
		return err_make(err, ERR_USAGE, "%s: '%s' is not %s", option, value,
			type_name(conf_table()[key].type));
	return 0;
}

int conf_set_unpack_limits(const char *max_size, const char *max_ratio, struct err **err)
{
	prepare();
	if (set_option(CONF_UNPACK_MAX_SIZE, "--max-size", max_size, err) < 0)
		return -1;
	return set_option(CONF_UNPACK_MAX_RATIO, "--max-ratio", max_ratio, err);
}

/* ---- files ---------------------------------------------------------------------------------------- */

static int find_key(const char *name)
{
	/* The example of 1.3.x calls it so, though its program does not listen. */
	if (str_eq(name, "default_execution_mode"))
		return CONF_DEFAULT_EXECUTION_MODE;
	for (int key = 0; key < CONF_N; key++) {
		if (str_eq(conf_table()[key].name, name))
			return key;
	}
	return -1;
}

static bool is_foreign(const char *name)
{
	for (const char *const *f = foreign_keys; *f; f++) {
		if (str_eq(*f, name))
			return true;
	}
	return false;
}

/* configparser's interpolation: %% is %, %(topdir)s another setting; a % alone stays, as in `taskset -c %s`. -1: no such setting. */
static int interpolate(const char *text, struct str *ret)
{
	while (*text) {
		const char *end = text[0] == '%' && text[1] == '(' ? strstr(text, ")s") : NULL;

		if (end) {
			autofree char *name = xstrndup(text + 2, (size_t)(end - text - 2));
			int key = find_key(name);

			if (key < 0)
				return -1;
			if (key == CONF_TOPDIR || key == CONF_HOMEDIR)
				(void)str_addf(ret, "$%s", name); /* follows when that is changed later */
			else
				(void)str_add(ret, settings[key].text);
			text = end + 2;
		} else {
			(void)str_add_char(ret, *text);
			text += text[0] == '%' && text[1] == '%' ? 2 : 1;
		}
	}
	return ret->overflow ? -1 : 0;
}

/* 'text' and "text" stand for text where it is no list. */
static void unquote(struct str *s)
{
	char quote = s->len >= 2 ? s->data[0] : '\0';

	if ((quote == '\'' || quote == '"') && s->data[s->len - 1] == quote) {
		memmove(s->data, s->data + 1, s->len - 2);
		str_truncate(s, s->len - 2);
	}
}

static void read_key(const char *file, int line, const char *name, const char *value, void *arg UNUSED)
{
	int key = find_key(name);
	auto_str text = STR_INIT_MAX(FILE_MAX);
	const struct conf_row *row;

	if (key < 0) {
		if (!is_foreign(name))
			log_warning("%s:%d: setting '%s' is unknown, ignoring it", file, line, name);
		return;
	}
	row = &conf_table()[key];
	if (settings[key].source > SOURCE_FILE)
		return;
	if (interpolate(value, &text) < 0) {
		log_warning(
			"%s:%d: %s: '%s' refers to an unknown setting, ignoring it", file, line, name, value);
		return;
	}
	if (row->type != CONF_LIST)
		unquote(&text);
	if (strcasecmp(str_text(&text), "none") == 0)
		str_truncate(&text, 0);
	if (!text.len && (row->type == CONF_INT || row->type == CONF_SIZE || row->type == CONF_PATH))
		set_default((enum conf_key)key);
	else if (assign((enum conf_key)key, str_text(&text), SOURCE_FILE) < 0)
		log_warning("%s:%d: %s: '%s' is not %s, ignoring it", file, line, name, value,
			type_name(row->type));
}

void conf_read_text(const char *name, const char *text)
{
	prepare();
	conf_ini_read(name, text, read_key, NULL);
	resolve_paths();
}

/* Somebody else's home as HOME (su, sudo) is no reason for a warning: what lies in a closed directory is not there for us. */
static bool is_absent(const char *path, int errnum)
{
	autofree char *dir = path_dir(path);

	return errnum == ENOENT || errnum == ENOTDIR || (errnum == EACCES && access(dir, X_OK) < 0);
}

/* The text of a file: 1, or 0 if there is none, or -1. With `check`, it must be root's or ours. */
static int load_text(const char *path, bool check, struct str *ret, struct err **err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && is_absent(path, errno))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_make(err, ERR_USAGE, "%s: not a regular file", path);
	if (check && st.st_uid != 0 && st.st_uid != geteuid())
		return err_make(err, ERR_DENIED, "%s: belongs to another user", path);
	if (fd_read_text(fd, FILE_MAX, ret, path, err) < 0)
		return -1;
	if (strlen(str_text(ret)) != ret->len)
		return err_make(err, ERR_CORRUPT, "%s: is not a text", path);
	return 1;
}

/* A file that may be missing; one that cannot be used is a warning. */
static void read_file(const char *path, bool check)
{
	auto_str text = STR_INIT_MAX(FILE_MAX);
	auto_err *err = NULL;
	int r = load_text(path, check, &text, &err);

	if (r < 0)
		log_warning("%s, going on without it", err_text(err));
	if (r > 0) {
		log_verbose("using configuration %s", path);
		conf_read_text(path, str_text(&text));
	}
}

static void read_file_in(const char *dir, bool check)
{
	const char *name = settings[CONF_CONFIG].value;
	autofree char *path = NULL;

	/* A plain name, or it would lead out of the directory. */
	if (!*dir || !*name || strchr(name, '/'))
		return;
	path = path_join(dir, name);
	read_file(path, check);
}

static int read_given_file(const char *path, struct err **err)
{
	auto_str text = STR_INIT_MAX(FILE_MAX);
	int r = load_text(path, false, &text, err);

	if (r == 0)
		r = err_sys(err, access(path, R_OK) < 0 ? errno : ENOENT, "%s", path);
	if (r < 0) {
		(void)err_add(err, "configuration file");
		return err_set_kind(err, ERR_USAGE);
	}
	conf_read_text(path, str_text(&text));
	return 0;
}

static int load_environment(struct err **err)
{
	const struct conf_row *rows = conf_table();

	for (int key = 0; key < CONF_N; key++) {
		const char *value = rows[key].env ? host_env(rows[key].env) : NULL;

		/* As in 1.3.x: no engines are to be installed. Elsewhere an empty variable says nothing. */
		if (key == CONF_TARBALL && host_env_is_emptied(rows[key].env))
			value = "";
		if (!value || settings[key].source > SOURCE_ENV)
			continue;
		if (rows[key].type == CONF_BOOL && strcasecmp(value, "none") == 0)
			value = "";
		if (assign((enum conf_key)key, value, SOURCE_ENV) < 0) {
			(void)err_make(err, ERR_USAGE, "%s: '%s' is not %s", rows[key].env, value,
				type_name(rows[key].type));
			return err_hint(err, "unset the variable or correct it");
		}
	}
	resolve_paths();
	return 0;
}

int conf_load(const char *file, struct err **err)
{
	if (loaded)
		return 0;
	prepare();
	/* The environment first: it wins over files, and says where one of them is. */
	if (load_environment(err) < 0)
		return -1;
	read_file_in("/etc", false);
	read_file_in(conf_str(CONF_HOMEDIR), false);
	if (!str_eq(conf_str(CONF_TOPDIR), conf_str(CONF_HOMEDIR)))
		read_file_in(conf_str(CONF_TOPDIR), true);
	if (file && read_given_file(file, err) < 0)
		return -1;
	loaded = true;
	return 0;
}

void conf_reset(void)
{
	for (int key = 0; key < CONF_N; key++) {
		free(settings[key].text);
		free(settings[key].value);
		strv_free(&settings[key].list);
		settings[key] = (struct setting){ 0 };
	}
	ready = loaded = false;
}

/* ---- values --------------------------------------------------------------------------------------- */

const char *conf_str(enum conf_key key)
{
	prepare();
	return settings[key].value;
}

int64_t conf_int(enum conf_key key)
{
	prepare();
	return settings[key].number;
}

uint64_t conf_size(enum conf_key key)
{
	prepare();
	return (uint64_t)settings[key].number;
}

bool conf_bool(enum conf_key key)
{
	prepare();
	return settings[key].flag;
}

const struct strv *conf_list(enum conf_key key)
{
	prepare();
	return &settings[key].list;
}

bool conf_is_default(enum conf_key key)
{
	prepare();
	return settings[key].source == SOURCE_DEFAULT;
}

/* Python's notation, as 1.3.x prints it. */
static char *show_list(const struct strv *list)
{
	auto_str out = STR_INIT;

	(void)str_add(&out, "[");
	for (size_t i = 0; i < list->n; i++)
		(void)str_addf(&out, "%s'%s'", i ? ", " : "", list->v[i]);
	(void)str_add(&out, "]");
	return str_steal(&out);
}

char *conf_show(enum conf_key key)
{
	const struct setting *s = &settings[key];

	prepare();
	if (!*s->text)
		return xstrdup("None");
	if (key == CONF_TARBALL) /* the one list that is words between blanks in 1.3.x, and in its variable */
		return strv_join(&s->list, " ");
	switch (conf_table()[key].type) {
	case CONF_LIST:
		return show_list(&s->list);
	case CONF_BOOL:
		return xstrdup(s->flag ? "True" : "False");
	case CONF_INT:
		return xasprintf("%lld", (long long)s->number);
	default:
		return xstrdup(s->value);
	}
}
