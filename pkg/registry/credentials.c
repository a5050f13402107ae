/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of the keystore, of other tools' files, and of their helpers. */
#include "pkg/registry/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/registry/keystore.h"

#define HELPER_OUTPUT_MAX ((size_t)64 << 10)
#define AUTH_FILE_MAX ((size_t)4 << 20)
#define HELPER_TIMEOUT_MS 60000 /* it may ask the user */
#define HUB_KEY "https://index.docker.io/v1/" /* what docker calls Docker Hub */

void credentials_free(struct credentials *c)
{
	free(c->user);
	mem_wipe_free(c->secret);
	*c = CREDENTIALS_INIT;
}

char *credentials_encode(const char *user, const char *secret)
{
	char *pair = xasprintf("%s:%s", user, secret), *text = codec_base64_encode(pair, strlen(pair));

	mem_wipe_free(pair);
	return text;
}

bool credentials_decode(const char *auth, struct credentials *ret)
{
	char *pair = codec_base64_decode(auth, NULL), *colon = pair ? strchr(pair, ':') : NULL;

	if (colon) {
		ret->user = xstrndup(pair, (size_t)(colon - pair));
		ret->secret = xstrdup(colon + 1);
	}
	mem_wipe_free(pair);
	return colon != NULL;
}

void credentials_protect(void)
{
	static const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none); /* lowering a limit is always allowed */
#ifndef __SANITIZE_ADDRESS__
	/* A handler of core files that the kernel feeds through a pipe takes no notice of the limit. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as above */
#endif
}

/* ---- helpers ---- */

static bool is_helper_name(const char *name)
{
	if (!*name || strlen(name) > 64)
		return false;
	for (const char *p = name; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			    strchr("._-", *p)))
			return false;
	return true;
}

static int ask_helper(const char *path, const char *server, struct str *out, int *status, struct err **err)
{
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	char *const argv[] = { xstrdup(path), xstrdup("get"), NULL };
	autoclose int in = fd_anon("udocker-server");
	int r = -1;

	if (in < 0 || fd_write_all(in, server, strlen(server)) < 0 || lseek(in, 0, SEEK_SET) < 0) {
		err_sys(err, errno, "temporary file");
	} else {
		spawn.path = path;
		spawn.argv = argv;
		spawn.fd_in = in;
		spawn.fd_err = PROC_NULL;
		r = proc_capture(&spawn, HELPER_OUTPUT_MAX, HELPER_TIMEOUT_MS, out, status, err);
	}
	free(argv[0]);
	free(argv[1]);
	return r;
}

static bool take_helper_reply(const struct str *out, struct credentials *ret)
{
	auto_json *j = NULL;
	const char *user, *secret;

	if (json_parse(str_text(out), out->len, "credential helper", NULL, &j, NULL) < 0)
		return false;
	user = json_str(json_get(j, "Username"));
	secret = json_str(json_get(j, "Secret"));
	if (!secret || !*secret)
		return false;
	ret->identity_token = str_eq(user, "<token>");
	ret->user = xstrdup(user ? user : "");
	ret->secret = xstrdup(secret);
	return true;
}

/* docker-credential-NAME get: the server on its standard input, JSON on its output. What it does not know ends with a status other than 0. */
static bool helper_get(const char *name, const char *server, struct credentials *ret)
{
	autofree char *program = NULL, *path = NULL;
	auto_str out = STR_INIT_MAX(HELPER_OUTPUT_MAX);
	auto_err *e = NULL;
	bool found = false;
	int status = 0;

	if (!is_helper_name(name)) {
		log_warning("'%s' cannot be a credential helper, not using it", name);
		return false;
	}
	program = xasprintf("docker-credential-%s", name);
	path = proc_find(program, host_env("PATH"));
	if (!path)
		log_warning("the credential helper %s is not in PATH, going on without it", program);
	else if (ask_helper(path, server, &out, &status, &e) < 0)
		log_warning("credential helper %s: %s, going on without it", program, err_text(e));
	else
		found = status == 0 && take_helper_reply(&out, ret);
	if (out.data)
		explicit_bzero(out.data, out.cap);
	return found;
}

/* ---- files ---- */

/* What an entry may be called, the most exact first. */
static void keys_of(const struct credentials_query *q, struct strv *ret)
{
	autofree char *whole = NULL;
	char *slash;

	if (q->is_hub) {
		strv_add(ret, "docker.io");
		strv_add(ret, HUB_KEY);
		strv_add(ret, "index.docker.io");
		strv_add(ret, "registry-1.docker.io");
		return;
	}
	if (q->repository) {
		whole = path_join(q->authority, q->repository);
		while ((slash = strrchr(whole, '/'))) {
			strv_add(ret, whole);
			*slash = '\0';
		}
	}
	strv_add(ret, q->authority);
	strv_addf(ret, "https://%s", q->authority);
	strv_addf(ret, "http://%s", q->authority);
	strv_addf(ret, "https://%s/v1/", q->authority);
	strv_addf(ret, "https://%s/v2/", q->authority);
}

static bool take_entry(const struct json *entry, struct credentials *ret)
{
	const char *auth = json_str(json_get(entry, "auth"));
	const char *token = json_str(json_get(entry, "identitytoken"));

	if (token && *token) {
		ret->user = xstrdup("<token>");
		ret->secret = xstrdup(token);
		ret->identity_token = true;
		return true;
	}
	return auth && *auth && credentials_decode(auth, ret);
}

/* One file: the helper of this registry, else its entry, else the helper of all. */
static bool look_in(const struct json *j, const struct credentials_query *q, struct credentials *ret)
{
	const char *server = q->is_hub ? HUB_KEY : q->authority;
	const char *store = json_str(json_get(j, "credsStore")), *helper = NULL;
	auto_strv keys = STRV_INIT;

	keys_of(q, &keys);
	for (size_t i = 0; i < keys.n && !helper; i++)
		helper = json_str(json_get(json_get(j, "credHelpers"), keys.v[i]));
	if (helper && *helper && helper_get(helper, server, ret))
		return true;
	for (size_t i = 0; i < keys.n; i++)
		if (take_entry(json_get(json_get(j, "auths"), keys.v[i]), ret))
			return true;
	return store && *store && helper_get(store, server, ret);
}

bool credentials_in_file(const char *text, size_t n, const struct credentials_query *q,
	struct credentials *ret, struct err **err)
{
	auto_json *j = NULL;

	return json_parse(text, n, "auth file", NULL, &j, err) == 0 && look_in(j, q, ret);
}

/* An own choice alone counts, as with Podman and Docker. */
static void files(struct strv *ret)
{
	const char *own = host_env("REGISTRY_AUTH_FILE"), *docker = host_env("DOCKER_CONFIG");
	const char *runtime = host_env("XDG_RUNTIME_DIR"), *config = host_env("XDG_CONFIG_HOME");
	const char *home = host_home();

	if (own) {
		strv_add(ret, own);
		return;
	}
	if (runtime)
		strv_addf(ret, "%s/containers/auth.json", runtime);
	if (config)
		strv_addf(ret, "%s/containers/auth.json", config);
	else if (home)
		strv_addf(ret, "%s/.config/containers/auth.json", home);
	if (docker)
		strv_addf(ret, "%s/config.json", docker);
	else if (home)
		strv_addf(ret, "%s/.docker/config.json", home);
}

static bool from_files(const struct credentials_query *q, struct credentials *ret)
{
	auto_strv paths = STRV_INIT;

	files(&paths);
	for (size_t i = 0; i < paths.n; i++) {
		autoclose int fd = open(paths.v[i], O_RDONLY | O_CLOEXEC);
		auto_str text = STR_INIT_MAX(AUTH_FILE_MAX);
		auto_err *e = NULL;
		bool found;

		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (fd < 0)
			(void)err_sys(&e, errno, "open");
		else
			(void)fd_read_text(fd, AUTH_FILE_MAX, &text, "auth file", &e);
		found = !e && credentials_in_file(str_text(&text), text.len, q, ret, &e);
		if (text.data)
			explicit_bzero(text.data, text.cap);
		if (e)
			log_warning(
				"credentials in '%s': %s, going on without them", paths.v[i], err_text(e));
		if (found) {
			log_verbose("credentials of %s from %s", q->authority, paths.v[i]);
			return true;
		}
	}
	return false;
}

int credentials_find(const struct credentials_query *q, struct credentials *ret, struct err **err)
{
	char *auth = NULL;
	int r = keystore_get(q->registry, &auth, err);
	bool ok;

	credentials_protect();
	if (r < 0)
		return -1;
	if (r == 0)
		return from_files(q, ret);
	ok = credentials_decode(auth, ret);
	mem_wipe_free(auth);
	if (ok)
		return 1;
	log_warning("the keystore's entry for %s is damaged, going on without it", q->registry);
	return from_files(q, ret);
}
