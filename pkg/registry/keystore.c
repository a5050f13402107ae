/* SPDX-License-Identifier: Apache-2.0 */
/* The keystore: read, changed under a lock, replaced as a whole. */
#include "pkg/registry/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define LOCK_NAME ".lock-keystore"

/* "HTTPS://Host:5000/v2/" and "host:5000" are one registry. Caller frees. */
static char *plain_key(const char *text)
{
	const char *scheme = strstr(text, "://");
	char *key = xstrdup(scheme ? scheme + 3 : text), *slash = strchr(key, '/');

	if (slash)
		*slash = '\0';
	for (char *p = key; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return key;
}

/* The member for a registry: its key inside j, or NULL. */
static const char *find(const struct json *j, const char *registry)
{
	autofree char *want = plain_key(registry);

	for (size_t i = 0; i < json_len(j); i++) {
		const char *key = json_key_at(j, i);
		autofree char *have = plain_key(key);

		if (str_eq(have, want))
			return key;
	}
	return NULL;
}

enum { OTHERS = S_IRWXG | S_IRWXO };

/* Is the file ours alone? `strict` makes the difference between a warning and an error. 1: use it, 0: do not. */
static int check_file(const char *path, bool strict, struct err **err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, errno, "keystore %s", path);
	if (st.st_uid != geteuid() || (strict && (st.st_mode & OTHERS))) {
		if (strict) {
			err_make(err, ERR_DENIED, "keystore %s %s", path,
				st.st_uid != geteuid() ? "belongs to another user" : "can be read by others");
			return err_hint(err, "it must be yours, with mode 0600");
		}
		log_warning("keystore '%s' belongs to another user, not using it", path);
		return 0;
	}
	if (st.st_mode & OTHERS)
		log_warning("keystore '%s' can be read by others, using it; chmod 600 mends that", path);
	return 1;
}

static int load(const char *path, bool strict, struct json **ret, struct err **err)
{
	int r = check_file(path, strict, err);
	autoclose int fd = -1;

	if (r < 0)
		return -1;
	if (r == 0) {
		*ret = json_new_object();
		return 0;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "keystore %s", path);
	if (json_read_fd(fd, path, NULL, ret, err) < 0)
		return err_add(err, "keystore");
	if (json_is(*ret, JSON_OBJECT))
		return 0;
	json_free(steal_ptr(ret));
	return err_make(err, ERR_CORRUPT, "keystore %s: not a JSON object", path);
}

int keystore_get(const char *registry, char **ret_auth, struct err **err)
{
	const char *path = conf_str(CONF_KEYSTORE), *key, *auth;
	auto_json *j = NULL;

	if (!*path)
		return 0;
	if (load(path, false, &j, err) < 0)
		return -1;
	key = find(j, registry);
	auth = key ? json_str(json_get(json_get(j, key), "auth")) : NULL;
	if (!auth || !*auth)
		return 0;
	*ret_auth = xstrdup(auth);
	return 1;
}

/* The folder, made if it is missing, and the lock in it. */
static int begin_change(const char *path, int *ret_dir, struct lock *lock, struct err **err)
{
	autofree char *dir = path_dir(path);
	autoclose int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), made = -1;

	if (!*path)
		return err_make(err, ERR_NOT_FOUND, "there is no home directory for the keystore");
	made = fs_mkdir_p(top, dir + 1, 0700, FS_IN_ROOT);
	*ret_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dir < 0)
		return err_sys(err, errno, "keystore: open %s", dir);
	return lock_take(lock, *ret_dir, LOCK_NAME, LOCK_EXCLUSIVE, err);
}

/* As Python's json writes it: one line, blanks behind ',' and ':'. */
static int store(int dir, const char *path, const struct json *j, struct err **err)
{
	char *text = json_text(j, JSON_SPACED | JSON_ASCII);
	int r = atomic_write(dir, path_base(path), text, strlen(text), 0600, ATOMIC_DURABLE, err);

	mem_wipe_free(text);
	return r < 0 ? err_add(err, "keystore") : 0;
}

int keystore_put(const char *registry, const char *auth, struct err **err)
{
	const char *path = conf_str(CONF_KEYSTORE), *old;
	auto_json *j = NULL;
	struct json *entry;
	auto_lock lock = LOCK_INIT;
	autoclose int dir = -1;

	if (begin_change(path, &dir, &lock, err) < 0 || load(path, true, &j, err) < 0)
		return -1;
	while ((old = find(j, registry)))
		json_remove(j, old);
	entry = json_new_object();
	json_set_str(entry, "auth", auth);
	json_set_str(entry, "email", "");
	json_set(j, registry, entry);
	return store(dir, path, j, err);
}

int keystore_remove(const char *registry, struct err **err)
{
	const char *path = conf_str(CONF_KEYSTORE), *key;
	auto_json *j = NULL;
	auto_lock lock = LOCK_INIT;
	autoclose int dir = -1;

	if (begin_change(path, &dir, &lock, err) < 0 || load(path, true, &j, err) < 0)
		return -1;
	if (!find(j, registry))
		return err_make(err, ERR_NOT_FOUND, "no credentials are stored for %s", registry);
	while ((key = find(j, registry)))
		json_remove(j, key);
	return store(dir, path, j, err);
}

int keystore_clear(struct err **err)
{
	const char *path = conf_str(CONF_KEYSTORE);
	auto_lock lock = LOCK_INIT;
	autoclose int dir = -1;

	if (begin_change(path, &dir, &lock, err) < 0 || check_file(path, true, err) < 0)
		return -1;
	if (unlinkat(dir, path_base(path), 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", path);
	return 0;
}
