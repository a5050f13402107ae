/* SPDX-License-Identifier: Apache-2.0 */
/* What docker's options say of the program: capabilities, security, limits, labels. */
#include "pkg/bundle/docker.h"

#include <ctype.h>
#include <errno.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/cli/docker_options.h"

#define LABELS_MAX ((size_t)1 << 20)

/* ---- capabilities ---- */

/* capabilities(7), Linux 6. */
static const char *const all_caps[] = { "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE" };

/* In any case, with CAP_ or without; NULL for one that does not exist, "ALL" for all. */
static const char *find_cap(const char *text)
{
	const char *name = strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text;

	if (strcasecmp(name, "ALL") == 0)
		return "ALL";
	for (size_t i = 0; i < ARRAY_LEN(all_caps); i++)
		if (strcasecmp(all_caps[i] + 4, name) == 0)
			return all_caps[i];
	return NULL;
}

static void drop_cap(struct strv *caps, const char *cap)
{
	for (size_t i = caps->n; i > 0; i--)
		if (str_eq(cap, "ALL") || str_eq(caps->v[i - 1], cap))
			strv_remove(caps, i - 1);
}

static void add_cap(struct strv *caps, const char *cap)
{
	for (size_t i = 0; i < ARRAY_LEN(all_caps); i++)
		if ((str_eq(cap, "ALL") || str_eq(cap, all_caps[i])) && !strv_has(caps, all_caps[i]))
			strv_add(caps, all_caps[i]);
}

static int each_cap(const char *option, const struct strv *list, bool all, struct strv *caps,
	void change(struct strv *caps, const char *cap), struct err **err)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *cap = find_cap(list->v[i]);

		if (!cap)
			return err_make(
				err, ERR_USAGE, "%s: there is no capability '%s'", option, list->v[i]);
		if (str_eq(cap, "ALL") == all)
			change(caps, cap);
	}
	return 0;
}

/* ALL on either side first, then the single ones, as docker reads them whatever their order. */
int bundle_docker_caps(const struct docker_options *d, struct strv *caps, struct err **err)
{
	if (d->privileged)
		add_cap(caps, "ALL");
	if (each_cap("--cap-add", &d->cap_add, true, caps, add_cap, err) < 0 ||
		each_cap("--cap-drop", &d->cap_drop, true, caps, drop_cap, err) < 0 ||
		each_cap("--cap-drop", &d->cap_drop, false, caps, drop_cap, err) < 0)
		return -1;
	return each_cap("--cap-add", &d->cap_add, false, caps, add_cap, err);
}

/* ---- security ---- */

static int add_security(const char *text, struct json *process, struct err **err)
{
	size_t n = strcspn(text, "=:");
	const char *value = text[n] ? text + n + 1 : "";
	bool on = true;

	if (n == 17 && str_starts(text, "no-new-privileges")) {
		if (*value && num_parse_bool(value, &on) < 0)
			return err_make(err, ERR_USAGE, "--security-opt '%s': neither true nor false", text);
		json_set_bool(process, "noNewPrivileges", on);
		return 0;
	}
	if (str_eq(value, "unconfined") || str_eq(value, "disable") || str_starts(value, "disable"))
		return 0; /* nothing is confined by these here */
	err_make(err, ERR_USAGE, "--security-opt '%s' is not to be had: nothing would confine the program",
		text);
	return err_hint(err, "leave it out, or give a bundle with that profile to udocker-runtime");
}

/* ---- limits ---- */

static int limit_value(const char *text, int64_t *ret)
{
	if (str_eq(text, "unlimited") || str_eq(text, "-1")) {
		*ret = -1;
		return 0;
	}
	return num_parse_i64(text, 0, INT64_MAX, ret);
}

static void set_limit(struct json *entry, const char *key, int64_t value)
{
	/* RLIM_INFINITY as the specification's unsigned 64 bits. */
	if (value < 0)
		json_set(entry, key, json_new_u64(UINT64_MAX));
	else
		json_set_i64(entry, key, value);
}

/* The list must not name a limit twice: the last one wins. */
static struct json *limit_entry(struct json *process, const char *name)
{
	struct json *list = json_need_array(process, "rlimits"), *entry;

	for (size_t i = 0; i < json_len(list); i++)
		if (str_eq(json_str(json_get(json_at(list, i), "type")), name))
			return json_at(list, i);
	entry = json_new_object();
	json_set_str(entry, "type", name);
	json_append(list, entry);
	return entry;
}

static int add_ulimit(const char *text, struct json *process, struct err **err)
{
	const char *eq = strchr(text, '='), *colon = eq ? strchr(eq, ':') : NULL, *name = NULL;
	autofree char *type = xasprintf("RLIMIT_%.*s", (int)(eq ? eq - text : 0), text);
	autofree char *soft_text = !eq     ? NULL
				   : colon ? xstrndup(eq + 1, (size_t)(colon - eq - 1))
					   : xstrdup(eq + 1);
	struct json *entry;
	int64_t soft = 0, hard = 0;

	for (char *c = type; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	if (!eq || runtime_rlimit_resource(type, &name) < 0 || limit_value(soft_text, &soft) < 0 ||
		(colon && limit_value(colon + 1, &hard) < 0)) {
		err_make(err, ERR_USAGE, "--ulimit: '%s' is not a limit", text);
		return err_hint(err, "write it as nofile=1024 or nofile=1024:4096");
	}
	if (!colon)
		hard = soft;
	if (hard >= 0 && (soft < 0 || soft > hard))
		return err_make(err, ERR_USAGE, "--ulimit '%s': the soft limit is above the hard one", text);
	entry = limit_entry(process, name);
	set_limit(entry, "soft", soft);
	set_limit(entry, "hard", hard);
	return 0;
}

/* ---- labels ---- */

bool bundle_annotation_is_reserved(const char *key)
{
	static const char *const prefixes[] = { "org.udocker.", "run.oci.", "org.systemd.property.",
		"io.katacontainers.", "org.criu.", "io.kubernetes.", "com.docker." };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(key, prefixes[i]))
			return true;
	return *key == '\0';
}

static int add_label(const char *text, struct json *config, struct err **err)
{
	size_t n = strcspn(text, "=");
	autofree char *key = xstrndup(text, n);

	if (!*key || !str_is_utf8(text))
		return err_make(err, ERR_USAGE, "--label: '%s' is not KEY=VALUE", text);
	if (bundle_annotation_is_reserved(key))
		log_warning("label '%s' has a meaning for runtimes, leaving it out", key);
	else
		runtime_set_annotation(config, key, text[n] ? text + n + 1 : "");
	return 0;
}

static int add_label_file(const char *path, struct json *config, struct err **err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	if (fd < 0)
		return err_sys(err, errno, "label file '%s'", path);
	if (fd_read_text(fd, LABELS_MAX, &text, path, err) < 0)
		return err_add(err, "label file");
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (lines.v[i][0] != '#' && add_label(lines.v[i], config, err) < 0)
			return -1;
	return 0;
}

int bundle_docker_process(const struct docker_options *d, struct json *config, struct err **err)
{
	struct json *process = json_need_object(config, "process");
	int oom;

	for (size_t i = 0; i < d->security_opt.n; i++)
		if (add_security(d->security_opt.v[i], process, err) < 0)
			return -1;
	for (size_t i = 0; i < d->ulimit.n; i++)
		if (add_ulimit(d->ulimit.v[i], process, err) < 0)
			return -1;
	if (d->oom_score_adj) {
		if (num_parse_int(d->oom_score_adj, -1000, 1000, &oom) < 0)
			return err_make(err, ERR_USAGE, "--oom-score-adj: '%s' is not from -1000 to 1000",
				d->oom_score_adj);
		json_set_i64(process, "oomScoreAdj", oom);
	}
	for (size_t i = 0; i < d->label_file.n; i++)
		if (add_label_file(d->label_file.v[i], config, err) < 0)
			return -1;
	for (size_t i = 0; i < d->label.n; i++)
		if (add_label(d->label.v[i], config, err) < 0)
			return -1;
	if (d->stop_signal)
		runtime_set_annotation(config, "org.opencontainers.image.stopSignal", d->stop_signal);
	return 0;
}
