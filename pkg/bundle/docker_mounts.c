/* SPDX-License-Identifier: Apache-2.0 */
/* --mount, --tmpfs, --shm-size: volumes in other words. */
#include "pkg/bundle/docker.h"

#include <errno.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/bundle/mounts.h"
#include "pkg/cli/docker_options.h"

/* ---- tmpfs ---- */

/* Of mount(8) and tmpfs(5). Ids are left out: only the caller's are mapped, and they are the default. */
static int tmpfs_option(const char *text, const char *word, struct strv *ret, struct err **err)
{
	static const char *const flags[] = { "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync",
		"async", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
		"strictatime", "nostrictatime" };
	const char *value = strchr(word, '=');
	uint64_t size;
	unsigned mode;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (str_eq(word, flags[i])) {
			strv_add(ret, word);
			return 0;
		}
	}
	if (str_eq(word, "ro") || str_eq(word, "readonly")) {
		strv_add(ret, "ro");
	} else if (str_starts(word, "size=") && num_parse_size(value + 1, &size) == 0) {
		strv_addf(ret, "size=%llu", (unsigned long long)size);
	} else if (str_starts(word, "mode=") && num_parse_octal(value + 1, 07777, &mode) == 0) {
		strv_add(ret, word);
	} else if (str_starts(word, "nr_inodes=") || str_starts(word, "nr_blocks=")) {
		strv_add(ret, word);
	} else if (!str_starts(word, "uid=") && !str_starts(word, "gid=") && !str_eq(word, "tmpcopyup")) {
		return err_make(err, ERR_USAGE, "tmpfs '%s': unknown option '%s'", text, word);
	}
	return 0;
}

/* docker's defaults, weaker than what is given: the kernel takes the last word. */
static int add_tmpfs(
	struct bundle_volumes *v, const char *text, const char *cont, const char *options, struct err **err)
{
	auto_strv given = STRV_INIT, all = STRV_INIT;
	struct bundle_volume one = { .kind = VOLUME_TMPFS };

	strv_split(&all, "nosuid,nodev,noexec", ",");
	strv_split(&given, options, ",");
	for (size_t i = 0; i < given.n; i++)
		if (tmpfs_option(text, given.v[i], &all, err) < 0)
			return -1;
	if (cont[0] != '/')
		return err_make(err, ERR_USAGE, "tmpfs '%s': the container path is not absolute", text);
	one.cont = path_clean(cont);
	if (!one.cont || str_eq(one.cont, "/")) {
		free(one.cont);
		return err_make(err, ERR_USAGE, "tmpfs '%s': the container's root cannot be replaced", text);
	}
	one.text = xstrdup(text);
	one.host = xstrdup("tmpfs");
	one.options = strv_join(&all, ",");
	bundle_volumes_put(v, &one);
	return 0;
}

static int add_tmpfs_option(struct bundle_volumes *v, const char *text, struct err **err)
{
	size_t n = strcspn(text, ":");
	autofree char *cont = xstrndup(text, n);

	return add_tmpfs(v, text, cont, text[n] ? text + n + 1 : "", err);
}

static int add_shm(struct bundle_volumes *v, const char *size, struct err **err)
{
	autofree char *options = NULL;
	uint64_t bytes;

	if (num_parse_size(size, &bytes) < 0)
		return err_make(err, ERR_USAGE, "--shm-size: '%s' is not a size (such as 64m)", size);
	options = xasprintf("mode=1777,size=%llu", (unsigned long long)bytes);
	return add_tmpfs(v, "--shm-size", "/dev/shm", options, err);
}

/* ---- --mount ---- */

struct mount_words {
	const char *type, *source, *target;
	struct strv tmpfs;
	bool readonly;
};

/* 1: `word` is KEY=… for one of the keys (divided by '|'), and *ret its value. */
static int is_key(const char *word, const char *keys, const char **ret)
{
	size_t n = strcspn(word, "=");
	auto_strv list = STRV_INIT;

	strv_split(&list, keys, "|");
	for (size_t i = 0; i < list.n; i++) {
		if (strlen(list.v[i]) == n && memcmp(word, list.v[i], n) == 0) {
			*ret = word[n] ? word + n + 1 : "";
			return 1;
		}
	}
	return 0;
}

static int read_word(const char *text, const char *word, struct mount_words *m, struct err **err)
{
	const char *value = NULL;

	if (is_key(word, "type", &m->type) || is_key(word, "source|src", &m->source) ||
		is_key(word, "target|dst|destination", &m->target))
		return 0;
	if (is_key(word, "readonly|ro", &value)) {
		m->readonly = true;
		if (*value && num_parse_bool(value, &m->readonly) < 0)
			return err_make(
				err, ERR_USAGE, "mount '%s': '%s' is neither true nor false", text, value);
		return 0;
	}
	if (is_key(word, "tmpfs-size", &value)) {
		strv_addf(&m->tmpfs, "size=%s", value);
		return 0;
	}
	if (is_key(word, "tmpfs-mode", &value)) {
		strv_addf(&m->tmpfs, "mode=%s", value);
		return 0;
	}
	if (is_key(word,
		    "bind-propagation|bind-nonrecursive|bind-recursive|consistency|volume-nocopy|"
		    "volume-driver|volume-label|volume-opt|relabel|z|Z|U|rw",
		    &value))
		return 0;
	return err_make(err, ERR_USAGE, "mount '%s': unknown word '%s'", text, word);
}

static int add_bind(struct bundle_volumes *v, const char *text, const struct mount_words *m, struct err **err)
{
	struct bundle_volume one = { .kind = VOLUME_USER, .readonly = m->readonly };
	struct stat st;

	if (!m->source || m->source[0] != '/' || m->target[0] != '/')
		return err_make(err, ERR_USAGE, "mount '%s': source and target must be absolute paths", text);
	if (stat(m->source, &st) < 0)
		return err_sys(err, errno, "mount '%s'", text);
	one.cont = path_clean(m->target);
	if (!one.cont || str_eq(one.cont, "/")) {
		free(one.cont);
		return err_make(err, ERR_USAGE, "mount '%s': the container's root cannot be replaced", text);
	}
	one.text = xstrdup(text);
	one.host = path_clean(m->source);
	bundle_volumes_put(v, &one);
	return 0;
}

static int add_read(struct bundle_volumes *v, const char *text, const struct mount_words *m, struct err **err)
{
	bool volume = !m->type || str_eq(m->type, "volume");
	autofree char *options = NULL;

	if (!m->target || !*m->target)
		return err_make(err, ERR_USAGE, "mount '%s': the target is missing", text);
	if (m->type && str_eq(m->type, "tmpfs")) {
		options = m->tmpfs.n ? strv_join(&m->tmpfs, ",") : xstrdup("");
		return add_tmpfs(v, text, m->target, options, err);
	}
	if (str_eq(m->type, "bind") || (volume && m->source && m->source[0] == '/'))
		return add_bind(v, text, m, err);
	if (volume)
		err_make(err, ERR_USAGE, "mount '%s': named volumes do not exist here", text);
	else
		err_make(err, ERR_USAGE, "mount '%s': unknown type '%s'", text, m->type);
	return err_hint(err, "use type=bind,source=/HOST/PATH,target=/CONTAINER/PATH, or type=tmpfs");
}

static int add_mount(struct bundle_volumes *v, const char *text, struct err **err)
{
	struct mount_words m = { .type = NULL };
	auto_strv words = STRV_INIT;
	int r = 0;

	strv_split(&words, text, ",");
	for (size_t i = 0; i < words.n && r == 0; i++)
		r = read_word(text, words.v[i], &m, err);
	if (r == 0)
		r = add_read(v, text, &m, err);
	strv_free(&m.tmpfs);
	return r;
}

int bundle_docker_volumes(const struct docker_options *d, struct bundle_volumes *v, struct err **err)
{
	for (size_t i = 0; i < d->mount.n; i++)
		if (add_mount(v, d->mount.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < d->tmpfs.n; i++)
		if (add_tmpfs_option(v, d->tmpfs.v[i], err) < 0)
			return -1;
	return d->shm_size && *d->shm_size ? add_shm(v, d->shm_size, err) : 0;
}
