/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: the table, the sources and which of them wins, types, the form of files, paths that follow each other. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/conf/list.h"
#include "tests/unit/tap.h"

static char home[] = "/tmp/test_conf.XXXXXX";

static char *at_home(const char *name)
{
	return xasprintf("%s/%s", home, name);
}

static void write_file(const char *name, const char *text)
{
	autofree char *path = at_home(name);
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void is_home(enum conf_key key, const char *name, const char *what)
{
	autofree char *path = at_home(name);

	is_str(conf_str(key), path, what);
}

/* Descriptor 2 into a file while fn runs: the warnings. */
static char warnings[4096];
static void read_text(const char *text)
{
	int saved = dup(2), fd = memfd_create("captured", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0 || dup2(fd, 2) < 0)
		abort();
	conf_read_text("u.conf", text);
	(void)fflush(stderr);
	n = pread(fd, warnings, sizeof(warnings) - 1, 0);
	warnings[n > 0 ? n : 0] = '\0';
	(void)dup2(saved, 2);
	close(saved);
	close(fd);
}

static void test_table(void)
{
	const struct conf_row *rows = conf_table();

	for (int i = 0; i < CONF_N; i++) {
		autofree char *shown = NULL;

		ok(rows[i].key == (enum conf_key)i && rows[i].name && rows[i].value && rows[i].text,
			"row %d is complete", i);
		for (int j = 0; j < i; j++) {
			if (str_eq(rows[i].name, rows[j].name))
				ok(false, "%s is there twice", rows[i].name);
		}
		ok(conf_is_default((enum conf_key)i), "%s has its default", rows[i].name);
		shown = conf_show((enum conf_key)i);
		ok(shown && *shown, "%s = %s", rows[i].name, shown);
	}
}

static void test_defaults(void)
{
	is_int(conf_int(CONF_VERBOSE_LEVEL), 3, "verbose_level");
	is_home(CONF_HOMEDIR, ".udocker", "homedir");
	is_home(CONF_TOPDIR, ".udocker", "topdir");
	is_home(CONF_LAYERSDIR, ".udocker/layers", "layersdir");
	is_home(CONF_KEYSTORE, ".udocker/keystore", "keystore");
	is_int(conf_list(CONF_CMD)->n, 2, "cmd");
	is_int(conf_list(CONF_CPU_AFFINITY_EXEC_TOOLS)->n, 2, "a list of words with blanks");
	is_str(conf_list(CONF_CPU_AFFINITY_EXEC_TOOLS)->v[1], "taskset -c %s", "its second word");
	ok(conf_bool(CONF_PROOT_KILLONEXIT) && !conf_bool(CONF_HTTP_INSECURE) &&
			!conf_bool(CONF_PROOT_NOSECCOMP),
		"booleans");
	is_str(conf_str(CONF_USE_PROOT_EXECUTABLE), "", "unset");
}

static void test_form(void)
{
	conf_reset();
	read_text("# a comment\n; another\n\n[DEFAULT]\nhttp_agent = me/1.0\nTIMEOUT: 33\r\n"
		  "http_proxy = socks5://h:1=2\nautoinstall = False\nproot_killonexit=no\n"
		  "sysdirs_list = [\"/dev\",\n  # inside\n    '/proc', \"/a b\"]\ndri_list = /x  "
		  "/y\nvalid_host_env = ('A', 'B',)\n"
		  "cmd = 'sh', '-l'\nhttp_insecure = None\nlocation = \"/quoted dir\"\nctimeout =\n"
		  "unpack_max_size = 64M\n");
	is_str(warnings, "", "no warnings");
	is_str(conf_str(CONF_HTTP_AGENT), "me/1.0", "=");
	is_int(conf_int(CONF_TIMEOUT), 33, ": and upper case and CR");
	is_str(conf_str(CONF_HTTP_PROXY), "socks5://h:1=2", "the first delimiter counts");
	ok(!conf_bool(CONF_AUTOINSTALL) && !conf_bool(CONF_PROOT_KILLONEXIT), "False is false");
	is_int(conf_list(CONF_SYSDIRS_LIST)->n, 3, "a list over lines");
	is_str(conf_list(CONF_SYSDIRS_LIST)->v[2], "/a b", "with a blank");
	is_int(conf_list(CONF_DRI_LIST)->n, 2, "separated by blanks");
	is_int(conf_list(CONF_VALID_HOST_ENV)->n, 2, "a tuple");
	is_str(conf_list(CONF_CMD)->v[1], "-l", "a tuple without brackets");
	is_str(conf_str(CONF_LOCATION), "/quoted dir", "quotes are taken off");
	is_int(conf_int(CONF_CTIMEOUT), 6, "an empty number is the default");
	is_int(conf_size(CONF_UNPACK_MAX_SIZE), 64 << 20, "a size");
	ok(!conf_is_default(CONF_TIMEOUT) && conf_is_default(CONF_CTIMEOUT), "conf_is_default");
}

static void test_warnings(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "\nno_such_key = 1\n", "u.conf:2: setting 'no_such_key' is unknown" },
		{ "timeout = soon\n", "u.conf:1: timeout: 'soon' is not a number" },
		{ "unpack_max_size = much\n",
			"u.conf:1: unpack_max_size: 'much' is not a size (such as 10G)" },
		{ "unpack_max_size = 99999999999P\n",
			"u.conf:1: unpack_max_size: '99999999999P' is not a size (such as 10G)" },
		{ "timeout = -1\n", "u.conf:1: timeout: '-1' is not a number" },
		{ "autoinstall = perhaps\n", "u.conf:1: autoinstall: 'perhaps' is not true or false" },
		{ "cmd = ['a'\n", "u.conf:1: cmd: '['a'' is not a list" },
		{ "just words\n", "u.conf:1: 'just words' is not KEY = VALUE" },
		{ "= 1\n", "u.conf:1: '= 1' is not KEY = VALUE" },
		{ "[other]\ntimeout = 5\n", "u.conf:1: section '[other]' is unknown" },
		{ "tmpdir = %(nothing)s/x\n",
			"u.conf:1: tmpdir: '%(nothing)s/x' refers to an unknown setting" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *newline;

		conf_reset();
		read_text(rows[i].text);
		newline = strchr(warnings, '\n');
		if (!ok(strstr(warnings, rows[i].want) && newline && !newline[1], "warning: %s",
			    rows[i].want))
			printf("# %s\n", warnings);
		is_int(conf_int(CONF_TIMEOUT), 12, "and nothing changed");
	}
	conf_reset();
	read_text("docker_registries = {}\nnvi_lib_list = []\n");
	is_str(warnings, "", "settings of 1.3.x that have no meaning here");
	conf_reset();
	read_text("override_default_execution_mode = R1\n");
	is_str(conf_str(CONF_DEFAULT_EXECUTION_MODE), "R1", "the name 1.3.x uses");
	read_text("default_execution_mode = P2\n");
	is_str(conf_str(CONF_DEFAULT_EXECUTION_MODE), "P2", "and the one it documents");
}

static void test_paths(void)
{
	auto_err *err = NULL;
	autofree char *cwd = getcwd(NULL, 0);
	autofree char *relative = xasprintf("%s/rel/a", cwd);

	conf_reset();
	read_text("layersdir = /fast//layers/\nbindir = %(topdir)s/tools\ntopdir = ~/u\ntmpdir = "
		  "rel/./a\nkeystore = keys\n");
	is_str(warnings, "", "no warnings");
	is_home(CONF_TOPDIR, "u", "~");
	is_str(conf_str(CONF_LAYERSDIR), "/fast/layers", "cleaned");
	is_home(CONF_BINDIR, "u/tools", "%(topdir)s");
	is_home(CONF_REPOSDIR, "u/repos", "a default follows topdir");
	is_str(conf_str(CONF_TMPDIR), relative, "relative to the current directory");
	is_home(CONF_KEYSTORE, ".udocker/keys", "the keystore relative to homedir");
	is_int(conf_set(CONF_TOPDIR, "/other", &err), 0, "conf_set topdir");
	is_str(conf_str(CONF_REPOSDIR), "/other/repos", "reposdir follows");
	is_str(conf_str(CONF_BINDIR), "/other/tools", "so does what a file said of it");
	is_str(conf_str(CONF_LAYERSDIR), "/fast/layers", "what was set itself stays");
	is_home(CONF_KEYSTORE, ".udocker/keys", "the keystore stays");
	is_int(conf_set(CONF_TOPDIR, "", &err), 0, "reset");
	is_home(CONF_TOPDIR, ".udocker", "to the default");
	is_int(conf_set(CONF_TIMEOUT, "x", &err), -1, "a wrong value");
	ok(err_is(err, ERR_USAGE), "is a wrong command line");
}

static void test_sources(void)
{
	autofree char *top = at_home("top"), *given = at_home("given.conf");
	struct err *err = NULL;

	write_file(".udocker/udocker.conf",
		"timeout = 1\nctimeout = 1\nhttp_agent = home\nhttp_proxy = home\nverbose_level = 4\n");
	write_file("top/udocker.conf", "ctimeout = 2\nhttp_agent = top\nhttp_proxy = top\n");
	write_file("given.conf", "http_agent = given\nhttp_proxy = given\nuse_runc_executable = given\n");
	conf_reset();
	(void)setenv("UDOCKER_DIR", top, 1);
	(void)setenv("UDOCKER_USE_RUNC_EXECUTABLE", "env", 1);
	is_int(conf_set(CONF_HTTP_PROXY, "option", NULL), 0, "an option before loading");
	is_int(conf_load(given, &err), 0, "load");
	is_int(conf_int(CONF_TIMEOUT), 1, "the user's file");
	is_int(conf_int(CONF_CTIMEOUT), 2, "the store's file wins over it");
	is_str(conf_str(CONF_HTTP_AGENT), "given", "--config over both");
	is_str(conf_str(CONF_USE_RUNC_EXECUTABLE), "env", "the environment over files");
	is_str(conf_str(CONF_HTTP_PROXY), "option", "an option over all");
	is_str(conf_str(CONF_TOPDIR), top, "UDOCKER_DIR");
	conf_reset();
	(void)unsetenv("UDOCKER_DIR");
	is_int(conf_set(CONF_TOPDIR, top, NULL), 0, "--repo before loading");
	is_int(conf_load(NULL, &err), 0, "load");
	is_int(conf_int(CONF_CTIMEOUT), 2, "its file was read");
	conf_reset();
	is_int(conf_load("/nonexistent/u.conf", &err), -1, "a missing --config");
	ok(err_is(err, ERR_USAGE) && strstr(err_text(err), "/nonexistent/u.conf"), "is named");
	err_clear(&err);
	conf_reset();
	is_int(conf_load("/dev/null", &err), -1, "--config that is no regular file");
	err_clear(&err);
	(void)setenv("UDOCKER_LOGLEVEL", "loud", 1);
	conf_reset();
	is_int(conf_load(NULL, &err), -1, "a wrong UDOCKER_LOGLEVEL");
	is_str(err ? err_text(err) : "", "UDOCKER_LOGLEVEL: 'loud' is not a number", "says which");
	err_clear(&err);
	(void)unsetenv("UDOCKER_LOGLEVEL");
	(void)unsetenv("UDOCKER_USE_RUNC_EXECUTABLE");
	conf_reset();
}

/* For each type a value, as showconf prints it, another one, and one that is none. */
static const struct sample {
	const char *value, *shown, *other, *other_shown, *wrong, *is_not;
} samples[] = {
	[CONF_STRING] = { "some text", "some text", "other", "other", NULL, NULL },
	[CONF_PATH] = { "/some/where", "/some/where", "/other", "/other", NULL, NULL },
	[CONF_INT] = { "5", "5", "4", "4", "many", "a number" },
	[CONF_SIZE] = { "3M", "3M", "2G", "2G", "3 apples", "a size" },
	[CONF_BOOL] = { "yes", "True", "0", "False", "perhaps", "true or false" },
	[CONF_LIST] = { "/a b", "['/a', 'b']", "['c d']", "['c d']", "['c", "a list" },
	[CONF_MODE] = { "f1", "F1", "Auto", "auto", NULL, NULL },
};

static void shows(enum conf_key key, const char *want, const char *what)
{
	autofree char *shown = conf_show(key);
	/* 1.3.x shows this one as words between blanks. */
	bool words = key == CONF_TARBALL && *want == '[';

	if (words)
		want = strchr(want, '/') ? "/a b" : "c d";
	ok(str_eq(shown, want), "%s: %s (%s)", conf_table()[key].name, what, shown);
}

static void wrong_value(const struct conf_row *row, const struct sample *s, const char *shown_default)
{
	autofree char *line = xasprintf("\n%s = %s\n", row->name, s->wrong);
	autofree char *said = xasprintf("u.conf:2: %s: '%s' is not ", row->name, s->wrong);
	auto_err *err = NULL;

	conf_reset();
	read_text(line);
	ok(strstr(warnings, said) && strstr(warnings, s->is_not), "%s: a wrong value is told: %s", row->name,
		warnings);
	shows(row->key, shown_default, "and the default stays");
	ok(conf_set(row->key, s->wrong, &err) < 0 && err_is(err, ERR_USAGE), "nor is it taken as an option");
	if (!row->env)
		return;
	err_clear(&err);
	(void)setenv(row->env, s->wrong, 1);
	conf_reset();
	ok(conf_load(NULL, &err) < 0 && err_is(err, ERR_USAGE) && str_starts(err_text(err), row->env),
		"%s: a wrong variable is an error", row->env);
}

/* Every setting there is: its default, a file, the environment, a value of the wrong type. */
static void test_each(void)
{
	for (enum conf_key key = 0; key < CONF_N; key++) {
		const struct conf_row *row = &conf_table()[key];
		const struct sample *s = &samples[row->type];
		autofree char *line = xasprintf("%s = %s\n", row->name, s->value), *shown = NULL;

		conf_reset();
		shown = conf_show(key);
		ok(conf_is_default(key), "%s: its default is %s", row->name, shown);
		read_text(line);
		is_str(warnings, "", "a file's value is taken");
		shows(key, s->shown, "from a file");
		ok(!conf_is_default(key), "and is no default");
		if (row->env) {
			(void)setenv(row->env, s->other, 1);
			conf_reset();
			is_int(conf_load(NULL, NULL), 0, row->env);
			read_text(line);
			shows(key, s->other_shown, "the variable wins over a file");
		}
		if (s->wrong)
			wrong_value(row, s, shown);
		if (row->env)
			(void)unsetenv(row->env);
	}
	conf_reset();
}

/* What is no regular file, or too large, is left alone with a warning and does not block. */
static void test_hostile_files(void)
{
	autofree char *path = at_home(".udocker/udocker.conf");
	FILE *f;

	(void)unlink(path);
	is_int(mkfifo(path, 0600), 0, "a fifo in place of the file");
	conf_reset();
	is_int(conf_load(NULL, NULL), 0, "does not block");
	(void)unlink(path);
	f = fopen(path, "w");
	if (!f)
		abort();
	for (int i = 0; i < 200000; i++)
		(void)fputs("timeout = 7\n", f);
	(void)fclose(f);
	conf_reset();
	is_int(conf_load(NULL, NULL), 0, "a file too large");
	is_int(conf_int(CONF_TIMEOUT), 12, "is not used");
	f = fopen(path, "w");
	if (!f)
		abort();
	(void)fwrite("timeout = 7\n\0timeout = 8\n", 1, 25, f);
	(void)fclose(f);
	conf_reset();
	is_int(conf_load(NULL, NULL), 0, "a file with NUL");
	is_int(conf_int(CONF_TIMEOUT), 12, "is not used");
	(void)unlink(path);
	conf_reset();
}

static void is_list(const char *text, const char *want)
{
	auto_strv list = STRV_INIT;
	int r = conf_list_parse(text, &list);
	autofree char *got = r < 0 ? xstrdup("error") : strv_join(&list, "|");

	is_str(got, want, text);
}

static void test_lists(void)
{
	is_list("", "");
	is_list(" a  b\tc ", "a|b|c");
	is_list("[]", "");
	is_list("()", "");
	is_list("['a', \"b c\",]", "a|b c");
	is_list("(['numactl', '-C', '%s', '--'], ['taskset', '-c'])", "numactl -C %s --|taskset -c");
	is_list("['it\\'s']", "it's");
	is_list("[a, b]", "a|b");
	is_list("['a' 'b']", "error");
	is_list("['a'", "error");
	is_list("['a'] x", "error");
	is_list("['a)", "error");
	is_list("[,]", "error");
	is_list("[[[[[[['a']]]]]]]", "error");
}

int main(void)
{
	autofree char *dir = NULL, *top = NULL;

	if (!mkdtemp(home) || chdir(home) < 0)
		abort();
	dir = at_home(".udocker");
	top = at_home("top");
	(void)setenv("HOME", home, 1);
	(void)unsetenv("UDOCKER_DIR");
	(void)unsetenv("UDOCKER_LOGLEVEL");
	(void)unsetenv("TMPDIR");
	if (mkdir(dir, 0700) < 0 || mkdir(top, 0700) < 0)
		abort();
	test_table();
	test_defaults();
	test_form();
	test_warnings();
	test_paths();
	test_sources();
	test_each();
	test_hostile_files();
	test_lists();
	{
		autofree char *a = at_home("top/udocker.conf"), *b = at_home("given.conf");

		(void)unlink(a);
		(void)unlink(b);
		(void)rmdir(top);
		(void)rmdir(dir);
		(void)rmdir(home);
	}
	return tap_done();
}
