/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image login and logout: credentials tested and stored, and forgotten. */
#include <errno.h>

#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/base/term.h"
#include "pkg/registry/credentials.h"
#include "pkg/registry/keystore.h"

#define LINE_MAX_BYTES 65536

struct login_opts {
	struct network_opts network;
	const char *user;
	const char *password;
	bool password_stdin;
};

static const struct cli_option login_options[] = {
	CLI_STR("username", 'u', "USER", struct login_opts, user, "log in as this user"),
	CLI_STR("password", 'p', "PASSWORD", struct login_opts, password,
		"the password; others can see it in the list of processes"),
	CLI_FLAG("password-stdin", 0, struct login_opts, password_stdin,
		"read the password from the standard input"),
	CLI_END,
};

/* A line of the standard input without its end, byte by byte: no buffer keeps a copy. NULL with *err. */
static char *read_line(const char *what, struct err **err)
{
	auto_str line = STR_INIT_MAX(LINE_MAX_BYTES);
	ssize_t n;
	char c;

	while ((n = read(STDIN_FILENO, &c, 1)) != 0) {
		if (n < 0 && errno == EINTR && !sig_interrupted())
			continue;
		if (n < 0) {
			err_sys(err, errno, "read the %s", what);
			return NULL;
		}
		if (c == '\n')
			break;
		(void)str_add_char(&line, c); /* asked for below */
	}
	if (line.len && line.data[line.len - 1] == '\r')
		str_truncate(&line, line.len - 1);
	if (line.overflow || (line.len && strlen(line.data) != line.len)) {
		err_make(err, ERR_USAGE, "the %s is too long, or holds a NUL byte", what);
		return NULL;
	}
	return str_steal(&line);
}

static char *prompt(const char *what, bool hidden, struct err **err)
{
	struct termios saved, quiet;
	char *line;

	if (!term_is_tty(STDIN_FILENO)) {
		err_make(err, ERR_USAGE, "no %s, and the standard input is no terminal to ask for it", what);
		err_hint(err, "see --username and --password-stdin");
		return NULL;
	}
	/* Echo goes first: what is typed as soon as the prompt shows must neither show nor be thrown away. */
	hidden = hidden && tcgetattr(STDIN_FILENO, &saved) == 0;
	if (hidden) {
		quiet = saved;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
	}
	(void)fprintf(stderr, "%s: ", what);
	line = read_line(what, err);
	if (hidden) {
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
		(void)fputc('\n', stderr);
	}
	return line;
}

static char *take_argument(const char *password)
{
	char *copy = mem_take_argument(password);

	log_warning("a password on the command line can be seen by others, --password-stdin reads it unseen");
	return copy;
}

static int ask(const struct login_opts *o, struct credentials *ret, struct err **err)
{
	if (o->password && o->password_stdin)
		return err_make(err, ERR_USAGE, "--password and --password-stdin exclude each other");
	if (o->password_stdin && !o->user)
		return err_make(err, ERR_USAGE, "--password-stdin needs --username");
	ret->user = o->user ? xstrdup(o->user) : prompt("username", false, err);
	if (!ret->user)
		return -1;
	ret->secret = o->password         ? take_argument(o->password)
		      : o->password_stdin ? read_line("password", err)
					  : prompt("password", true, err);
	if (!ret->secret)
		return -1;
	if (!*ret->user || !*ret->secret)
		return err_make(err, ERR_USAGE, "the username and the password must not be empty");
	if (strchr(ret->user, ':'))
		return err_make(err, ERR_USAGE, "a username holds no colon");
	return 0;
}

static int login_run(const struct cli_call *call, struct err **err)
{
	const struct login_opts *o = call->options;
	struct network_opts network = o->network;
	struct registry_settings settings;
	auto_credentials c = CREDENTIALS_INIT;
	auto_registry *r = NULL;
	bool asked = false;
	char *auth;
	int status;

	credentials_protect();
	if (call->argc == 1 && network.registry)
		return err_make(err, ERR_USAGE, "unexpected argument '%s'", call->argv[0]);
	if (call->argc == 1)
		network.registry = call->argv[0];
	if (network_settings(&network, &settings, err) < 0 || registry_open_host(&settings, &r, err) < 0 ||
		ask(o, &c, err) < 0 || registry_login(r, &c, &asked, err) < 0)
		return -1;
	if (!asked)
		log_warning("%s asks for no credentials: they are stored untested", registry_name(r));
	auth = credentials_encode(c.user, c.secret);
	status = keystore_put(registry_url(r), auth, err);
	mem_wipe_free(auth);
	return status;
}

const struct cli_command cmd_image_login = {
	.name = "login",
	.args = "[REGISTRY]",
	.max_args = 1,
	.summary = "store the credentials of a registry",
	.about = "The credentials are tried first, and stored only if the registry takes them: in the "
		 "keystore, the file of "
		 "udocker 1.3.x, unencrypted and readable by its owner alone. What is not given is asked "
		 "for, the password "
		 "without echo. Without a registry it is Docker Hub.",
	.examples = "udocker-image login -u me --password-stdin registry.example.org <password-file\n",
	.options = login_options,
	.more_options = network_more_options,
	.run = login_run,
	.size = sizeof(struct login_opts),
	.options_anywhere = true,
};

/* ---- logout ---- */

struct logout_opts {
	const char *registry;
	bool all;
};

static const struct cli_option logout_options[] = {
	CLI_FLAG("all", 'a', struct logout_opts, all, "forget the credentials of every registry"),
	CLI_STR("registry", 0, "URL", struct logout_opts, registry, "the registry; Docker Hub by default"),
	CLI_END,
};

static int logout_run(const struct cli_call *call, struct err **err)
{
	const struct logout_opts *o = call->options;
	const struct registry_settings settings = { .url = call->argc ? call->argv[0] : o->registry };
	auto_registry *r = NULL;

	if (call->argc && (o->registry || o->all))
		return err_make(err, ERR_USAGE, "unexpected argument '%s'", call->argv[0]);
	if (o->all)
		return keystore_clear(err);
	if (registry_open_host(&settings, &r, err) < 0)
		return -1;
	return keystore_remove(registry_url(r), err);
}

const struct cli_command cmd_image_logout = {
	.name = "logout",
	.args = "[REGISTRY]",
	.max_args = 1,
	.summary = "forget the credentials of a registry",
	.about = "Removes them from the keystore. Those of podman and docker are theirs to remove.",
	.options = logout_options,
	.run = logout_run,
	.size = sizeof(struct logout_opts),
	.options_anywhere = true,
};
