/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, control groups and GPUs by docker's options. */
#include "pkg/bundle/docker.h"

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/cli/docker_options.h"

/* ---- namespaces ---- */

static bool is_host(const char *mode)
{
	return !mode || !*mode || str_eq(mode, "host") || str_eq(mode, "shareable") ||
	       str_starts(mode, "container:");
}

/* What another container has is what this one has, for both have the host's. */
static int add_namespace(
	const char *option, const char *mode, const char *type, struct json *config, struct err **err)
{
	if (is_host(mode))
		return 0;
	if (!str_eq(mode, "private") && !str_eq(mode, "none"))
		return err_make(err, ERR_USAGE, "%s: '%s' is not known: host or private", option, mode);
	runtime_add_namespace(config, type);
	return 0;
}

/* A network of docker's own is the host's here; only none is something else. */
static void add_network(const char *mode, struct json *config, struct strv *ignored)
{
	if (mode && str_eq(mode, "none"))
		runtime_add_namespace(config, "network");
	else if (!is_host(mode))
		strv_addf(ignored, "--network %s (the host's network is used)", mode);
}

/* ---- control groups ---- */

static int size_or_none(const char *option, const char *text, int64_t *ret, struct err **err)
{
	uint64_t size;

	if (str_eq(text, "-1")) {
		*ret = -1;
		return 0;
	}
	if (num_parse_size(text, &size) < 0 || size > INT64_MAX)
		return err_make(err, ERR_USAGE, "%s: '%s' is not a size (such as 512m)", option, text);
	*ret = (int64_t)size;
	return 0;
}

static int add_memory(const struct docker_options *d, struct json *resources, struct err **err)
{
	int64_t limit = 0;

	if (d->memory) {
		if (size_or_none("--memory", d->memory, &limit, err) < 0)
			return -1;
		json_set_i64(json_need_object(resources, "memory"), "limit", limit);
	}
	if (d->memory_swap) {
		if (size_or_none("--memory-swap", d->memory_swap, &limit, err) < 0)
			return -1;
		json_set_i64(json_need_object(resources, "memory"), "swap", limit);
	}
	return 0;
}

/* "1.5" in thousandths of a processor. */
static int parse_cpus(const char *text, int64_t *ret)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	int64_t n = 0;

	if (whole > 6 || (text[whole] && text[whole] != '.'))
		return -1;
	for (size_t i = 0; i < whole; i++)
		n = n * 10 + (text[i] - '0');
	n *= 1000;
	if (text[whole]) {
		int64_t unit = 100;

		part = strspn(text + whole + 1, "0123456789");
		if (text[whole + 1 + part])
			return -1;
		for (size_t i = 0; i < part; i++, unit /= 10)
			n += unit * (text[whole + 1 + i] - '0');
	}
	*ret = n;
	return whole + part > 0 && n > 0 ? 0 : -1;
}

static int add_processors(const struct docker_options *d, struct json *resources, struct err **err)
{
	int64_t n;

	if (d->cpus) {
		struct json *cpu = json_need_object(resources, "cpu");

		if (parse_cpus(d->cpus, &n) < 0)
			return err_make(err, ERR_USAGE, "--cpus: '%s' is not a number such as 1.5", d->cpus);
		json_set_i64(cpu, "period", 100000);
		json_set_i64(cpu, "quota", n * 100);
	}
	if (d->cpu_shares) {
		if (num_parse_i64(d->cpu_shares, 0, 262144, &n) < 0)
			return err_make(err, ERR_USAGE, "--cpu-shares: '%s' is not a number from 0 to 262144",
				d->cpu_shares);
		json_set_i64(json_need_object(resources, "cpu"), "shares", n);
	}
	if (d->pids_limit) {
		if (num_parse_i64(d->pids_limit, -1, INT32_MAX, &n) < 0)
			return err_make(err, ERR_USAGE, "--pids-limit: '%s' is not a number", d->pids_limit);
		json_set_i64(json_need_object(resources, "pids"), "limit", n);
	}
	return 0;
}

static int add_resources(const struct docker_options *d, struct json *config, struct err **err)
{
	struct json *resources = json_new_object();

	if (add_memory(d, resources, err) < 0 || add_processors(d, resources, err) < 0) {
		json_free(resources);
		return -1;
	}
	if (json_len(resources) > 0)
		json_set(json_need_object(config, "linux"), "resources", resources);
	else
		json_free(resources);
	return 0;
}

int bundle_docker_namespaces(
	const struct docker_options *d, struct json *config, struct strv *ignored, struct err **err)
{
	add_network(d->network, config, ignored);
	if (add_namespace("--ipc", d->ipc, "ipc", config, err) < 0 ||
		add_namespace("--pid", d->pid, "pid", config, err) < 0 ||
		add_namespace("--uts", d->uts, "uts", config, err) < 0)
		return -1;
	if (d->userns && !is_host(d->userns))
		strv_addf(ignored, "--userns %s", d->userns);
	if (d->domainname && *d->domainname) {
		runtime_add_namespace(config, "uts");
		json_set_str(config, "domainname", d->domainname);
	}
	if (d->privileged)
		strv_add(ignored, "--privileged (nothing more on the host than the caller may do)");
	return add_resources(d, config, err);
}

void bundle_docker_asked(const struct docker_options *d, struct strv *ret)
{
	const struct {
		bool asked;
		const char *property;
	} rows[] = {
		{ d->memory || d->memory_swap || d->cpus || d->cpu_shares || d->pids_limit,
			"linux.resources" },
		{ d->group_add.n > 0, "additionalGids" },
		{ d->ulimit.n > 0, "RLIMIT_" },
		{ d->oom_score_adj, "oomScoreAdj" },
		{ d->domainname && *d->domainname, "domainname" },
		{ !is_host(d->ipc), "namespaces.ipc" },
		{ !is_host(d->pid), "namespaces.pid" },
		{ !is_host(d->uts), "namespaces.uts" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].asked)
			strv_add(ret, rows[i].property);
}

/* ---- GPUs ---- */

int bundle_docker_gpus(const struct docker_options *d, char **ret, struct err **err)
{
	const char *text = d->gpus, *value;
	auto_str list = STR_INIT;
	int n;

	*ret = NULL;
	if (!text || str_eq(text, "none") || str_eq(text, "0"))
		return 0;
	value = str_starts(text, "device=") ? text + 7 : text;
	if (*value && (value != text || str_eq(value, "all"))) {
		*ret = xstrdup(value);
		return 0;
	}
	if (num_parse_int(text, 1, 64, &n) < 0) {
		err_make(err, ERR_USAGE, "--gpus: '%s' is not known", text);
		return err_hint(err, "use all, a number, or device=0,1");
	}
	for (int i = 0; i < n; i++)
		str_addf(&list, "%s%d", i ? "," : "", i);
	*ret = str_steal(&list);
	return 0;
}
