/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: one table (key, environment variable, type, default, text) and the reader of udocker.conf (5). Precedence, weakest
 * first: defaults, /etc/udocker.conf, ~/.udocker/udocker.conf, <topdir>/udocker.conf, --config FILE, UDOCKER_* variables, conf_set().
 * `./u.conf` is never read (FIX-17); values are typed (FIX-18).
 */
#ifndef UDOCKER_CONF_H
#define UDOCKER_CONF_H

#include "pkg/base/base.h"

struct err;
struct strv;

enum conf_type { CONF_STRING, CONF_PATH, CONF_INT, CONF_SIZE, CONF_BOOL, CONF_LIST, CONF_MODE };

enum conf_key {
	CONF_VERBOSE_LEVEL,
	CONF_HOMEDIR,
	CONF_TOPDIR,
	CONF_BINDIR,
	CONF_LIBDIR,
	CONF_DOCDIR,
	CONF_REPOSDIR,
	CONF_LAYERSDIR,
	CONF_CONTAINERSDIR,
	CONF_TARBALL_RELEASE,
	CONF_TARBALL,
	CONF_INSTALLINFO,
	CONF_INSTALLRETRY,
	CONF_AUTOINSTALL,
	CONF_CONFIG,
	CONF_KEYSTORE,
	CONF_TMPDIR,
	CONF_CMD,
	CONF_ROOT_PATH,
	CONF_USER_PATH,
	CONF_SYSDIRS_LIST,
	CONF_DRI_LIST,
	CONF_MOUNTPOINT_PREFIXES,
	CONF_DEFAULT_EXECUTION_MODE,
	CONF_PROOT_NOSECCOMP,
	CONF_PROOT_KILLONEXIT,
	CONF_PROOT_LINK2SYMLINK,
	CONF_USE_PROOT_EXECUTABLE,
	CONF_USE_PATCHELF_EXECUTABLE,
	CONF_USE_RUNC_EXECUTABLE,
	CONF_USE_SINGULARITY_EXECUTABLE,
	CONF_RUNC_NOMQUEUE,
	CONF_RUNC_CAPABILITIES,
	CONF_SINGULARITY_OPTIONS,
	CONF_VALID_HOST_ENV,
	CONF_INVALID_HOST_ENV,
	CONF_LOCATION,
	CONF_HTTP_PROXY,
	CONF_TIMEOUT,
	CONF_CTIMEOUT,
	CONF_DOWNLOAD_TIMEOUT,
	CONF_HTTP_AGENT,
	CONF_HTTP_INSECURE,
	CONF_HTTP_RETRIES,
	CONF_REGISTRY_MIRRORS,
	CONF_DOCKERIO_INDEX_URL,
	CONF_DOCKERIO_REGISTRY_URL,
	CONF_FAKECHROOT_SO,
	CONF_FAKECHROOT_LIBC,
	CONF_FAKECHROOT_EXPAND_SYMLINKS,
	CONF_FAKECHROOT_CMD_SUBST,
	CONF_LD_SO_CACHE,
	CONF_CPU_AFFINITY_EXEC_TOOLS,
	CONF_ACCESS_FILES,
	CONF_LIB_DIRS_LIST_NVIDIA,
	CONF_LIB_DIRS_LIST_ESSENTIAL,
	CONF_LIB_DIRS_LIST_APPEND,
	CONF_LIBC_SEARCH,
	CONF_UNPACK_MAX_SIZE,
	CONF_UNPACK_MAX_RATIO,
	CONF_N
};

struct conf_row {
	const char *name; /* in the file */
	const char *env; /* variable, or NULL */
	/*
	 * Built-in default, "" unset. Lists are separated by blanks, or in the notation ["a b", "c"] that files may use too. Paths may begin
	 * with ~ (the home directory), $homedir, $topdir or $TMPDIR.
	 */
	const char *value;
	const char *text; /* for udocker.conf(5) */
	enum conf_key key;
	enum conf_type type;
};
const struct conf_row *conf_table(void); /* CONF_N rows, by key */

/*
 * Read all sources once per process. `file` is --config's argument or NULL. A missing HOME is no error until a path needs it.
 * Unknown keys and wrong values in files are warnings that name file and line; a wrong UDOCKER_* value is ERR_USAGE, as is a `file`
 * that cannot be read. A udocker.conf in a store that belongs to neither root nor us is not read, since it could name programs to run.
 * To have the udocker.conf of --repo's directory read, call conf_set(CONF_TOPDIR, …) before.
 */
int conf_load(const char *file, struct err **err);

/*
 * Override by an option, before or after conf_load(); "" resets to the default. ERR_USAGE for a value of the wrong type. The directories
 * of a store (reposdir, bindir …) that are not set themselves follow CONF_TOPDIR. What conf_str() returned before is gone.
 */
int conf_set(enum conf_key key, const char *value, struct err **err);
/* The options --max-size and --max-ratio of several commands; NULL where one was not given. ERR_USAGE names the option. */
int conf_set_unpack_limits(const char *max_size, const char *max_ratio, struct err **err);

/*
 * Values, owned by conf, good until the next conf_set(). Strings are "" when unset, never NULL; those of a list are its text. Paths are
 * absolute, a relative one counts from the current directory (the keystore from homedir); CONF_TOPDIR is "" when there is no HOME. An unset
 * number or size is 0, an unset switch false. conf_int, conf_size, conf_bool and conf_list are for settings of that type only.
 */
const char *conf_str(enum conf_key key);
int64_t conf_int(enum conf_key key);
uint64_t conf_size(enum conf_key key); /* bytes */
bool conf_bool(enum conf_key key);
const struct strv *conf_list(enum conf_key key);
bool conf_is_default(enum conf_key key);

/* The value as showconf prints it; caller frees. */
char *conf_show(enum conf_key key);

/* Forget everything, as if conf_load() had never been called. For tests. */
void conf_reset(void);

/*
 * The text of a file in the format of udocker.conf(5); `name` is for warnings. Values already set from the environment or by options stay.
 * conf_load() goes through this; public for tests and fuzzing.
 */
void conf_read_text(const char *name, const char *text);

#endif
