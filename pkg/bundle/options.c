/* SPDX-License-Identifier: Apache-2.0 */
/* Values of run options that can be judged by themselves. */
#include "pkg/bundle/options.h"

#include <ctype.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/bundle/docker.h"
#include "pkg/bundle/user.h"
#include "pkg/cli/run_options.h"

static int port(const char *text, size_t n, unsigned *ret)
{
	autofree char *s = xstrndup(text, n);
	int v;

	if (num_parse_int(s, 1, 65535, &v) < 0)
		return -1;
	*ret = (unsigned)v;
	return 0;
}

int bundle_publish_parse(const char *text, unsigned *ret_host, unsigned *ret_cont, struct err **err)
{
	size_t n = strcspn(text, "/");
	const char *proto = text + n, *last = memrchr(text, ':', n), *first;

	if ((*proto && !str_eq(proto, "/tcp") && !str_eq(proto, "/udp")) || !last)
		goto wrong;
	first = memrchr(text, ':', (size_t)(last - text));
	first = first ? first + 1 : text;
	if (port(first, (size_t)(last - first), ret_host) < 0 ||
		port(last + 1, (size_t)(proto - last) - 1, ret_cont) < 0)
		goto wrong;
	return 0;
wrong:
	err_make(err, ERR_USAGE, "invalid port mapping '%s'", text);
	return err_hint(err, "a mapping is HOST-PORT:CONTAINER-PORT, with IP: before it or /tcp behind it");
}

/* "0-3,8": numbers and ranges. */
static bool is_cpu_list(const char *s)
{
	for (;;) {
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 6)
			return false;
		s += n;
		if (*s == '-') {
			n = strspn(++s, "0123456789");
			if (n == 0 || n > 6)
				return false;
			s += n;
		}
		if (*s == '\0')
			return true;
		if (*s++ != ',')
			return false;
	}
}

static bool is_host_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 64 || s[0] == '-' || s[0] == '.')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.' && *s != '_')
			return false;
	return true;
}

static bool is_release(const char *s)
{
	size_t n = strlen(s);

	for (const char *c = s; *c; c++)
		if (!isgraph((unsigned char)*c))
			return false;
	return n > 0 && n < 65; /* struct utsname */
}

/* config.json is JSON, which has no other text: a word that it would carry as another one is refused. */
static int check_text(const char *text, const char *what, struct err **err)
{
	if (!text || str_is_utf8(text))
		return 0;
	err_make(err, ERR_USAGE, "%s '%s' is not UTF-8, which config.json cannot carry", what, text);
	return err_hint(err, "hand it over in a file");
}

static int check_texts(const struct strv *list, const char *what, struct err **err)
{
	for (size_t i = 0; list && i < list->n; i++)
		if (check_text(list->v[i], what, err) < 0)
			return -1;
	return 0;
}

static int check_all_text(const struct bundle_options *o, struct err **err)
{
	if (check_texts(o->command, "the argument", err) < 0 ||
		check_text(o->entrypoint, "the entry point", err) < 0 ||
		check_text(o->workdir, "the working directory", err) < 0 ||
		check_text(o->user, "the user", err) < 0 || check_texts(o->volumes, "the volume", err) < 0 ||
		check_texts(o->devices, "the device", err) < 0 ||
		check_texts(o->env, "the environment variable", err) < 0)
		return -1;
	return 0;
}

/* What they would make, for nobody. */
static int check_docker(const struct docker_options *d, struct err **err)
{
	auto_json *scratch = json_new_object();
	auto_strv words = STRV_INIT;
	autofree char *gpus = NULL;
	struct bundle_names names = BUNDLE_NAMES_INIT;

	if (bundle_docker_caps(d, &words, err) < 0 || bundle_docker_process(d, scratch, err) < 0 ||
		bundle_docker_namespaces(d, scratch, &words, err) < 0 ||
		bundle_docker_gpus(d, &gpus, err) < 0 || bundle_docker_names(d, -1, NULL, &names, err) < 0)
		return -1;
	bundle_names_free(&names);
	return 0;
}

int bundle_options_check(const struct bundle_options *o, struct err **err)
{
	unsigned a, b;

	if (check_all_text(o, err) < 0)
		return -1;
	if (o->cpuset && !is_cpu_list(o->cpuset))
		return err_make(err, ERR_USAGE, "invalid list of processors '%s': expected one like 0-3,8",
			o->cpuset);
	if (o->hostname && !is_host_name(o->hostname))
		return err_make(err, ERR_USAGE, "invalid host name '%s'", o->hostname);
	if (o->kernel && !is_release(o->kernel))
		return err_make(
			err, ERR_USAGE, "invalid kernel release '%s': expected one like 6.1.0", o->kernel);
	if (o->workdir && o->workdir[0] != '/')
		return err_make(err, ERR_USAGE, "working directory '%s' is not an absolute path", o->workdir);
	for (size_t i = 0; o->publish && i < o->publish->n; i++)
		if (bundle_publish_parse(o->publish->v[i], &a, &b, err) < 0)
			return -1;
	if (o->docker && check_docker(o->docker, err) < 0)
		return -1;
	if (o->user) {
		struct bundle_user_spec s;

		if (bundle_user_parse(o->user, &s, err) < 0)
			return -1;
		bundle_user_spec_free(&s);
	}
	return 0;
}

void bundle_options_from_run(const struct run_options *r, struct bundle_options *ret)
{
	*ret = (struct bundle_options){ .volumes = &r->volume,
		.novol = &r->novol,
		.nosysdirs = r->nosysdirs,
		.bindhome = r->bindhome,
		.dri = r->dri,
		.read_only = r->read_only,
		.devices = &r->device,
		.env = &r->env,
		.env_files = &r->env_file,
		.hostenv = r->hostenv,
		.user = r->user && *r->user ? r->user : NULL, /* --user= is none, as with docker */
		.hostauth = r->hostauth,
		.containerauth = r->containerauth,
		.hostname = r->hostname && *r->hostname ? r->hostname : NULL,
		.workdir = r->workdir && *r->workdir ? r->workdir : NULL,
		.entrypoint = r->entrypoint,
		.nometa = r->nometa,
		.tty = r->tty,
		.cpuset = r->cpuset_cpus && *r->cpuset_cpus ? r->cpuset_cpus : NULL,
		.mpi = r->mpi,
		.kernel = r->kernel && *r->kernel ? r->kernel : NULL,
		.publish = &r->publish,
		.publish_all = r->publish_all,
		.docker = &r->docker };
}
