/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a bundle: directory, configuration, root file system, generated files. The search for the program is lookup.c. */
#include "pkg/runtime/bundle.h"

#include <errno.h>
#include <sys/stat.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/runtime/state.h"

void runtime_bundle_free(struct runtime_bundle *b)
{
	free(b->path);
	free(b->rootfs);
	json_free(b->config);
	if (b->fd >= 0)
		close(b->fd);
	if (b->rootfs_fd >= 0)
		close(b->rootfs_fd);
	*b = RUNTIME_BUNDLE_INIT;
}

/* As the caller wrote it where that is unambiguous (drivers compare it), else as the kernel knows it. */
static char *absolute_path(const char *given, int fd)
{
	autofree char *clean = path_clean(given);

	if (given[0] == '/' && !strstr(given, ".."))
		return steal_ptr(&clean);
	return fs_fd_path(fd);
}

static int open_dir(const char *dir, struct runtime_bundle *b, struct err **err)
{
	b->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->fd < 0)
		return err_sys(err, errno, "bundle '%s'", dir);
	b->path = absolute_path(dir, b->fd);
	if (!b->path)
		return err_sys(err, errno, "bundle '%s'", dir);
	return 0;
}

/* The configuration's descriptor, owned by the caller from now on. */
static int open_config(const struct runtime_bundle_source *from, int bundle_fd, struct err **err)
{
	struct stat st;
	int fd;

	if (from->config_fd >= 0) {
		/* Rewound if it can be: a memfd just written stands at its end, a pipe stands where it stands. */
		if (lseek(from->config_fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
			return err_sys(err, errno, "--config-fd %d", from->config_fd);
		(void)fd_set_cloexec(from->config_fd, true); /* it is closed anyway */
		return from->config_fd;
	}
	if (from->config_file) {
		fd = open(from->config_file, O_RDONLY | O_CLOEXEC);
		return fd >= 0 ? fd : err_sys(err, errno, "configuration '%s'", from->config_file);
	}
	fd = openat(bundle_fd, STATE_CONFIG, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		(void)err_sys(err, errno, "bundle: config.json");
		return err_hint(err, "make one with 'udocker-runtime spec'");
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_make(err, ERR_CORRUPT, "bundle: config.json is not a regular file");
	}
	return fd;
}

static int read_config(const struct runtime_bundle_source *from, struct runtime_bundle *b, struct err **err)
{
	const struct json_limits limits = { .bytes = RUNTIME_CONFIG_MAX_BYTES };
	autoclose int fd = -1;

	if (from->config) {
		b->config = steal_ptr(from->config);
		return runtime_config_check(b->config, err);
	}
	if (from->config_fd >= 0 && from->config_file)
		return err_make(err, ERR_USAGE, "--config and --config-fd exclude each other");
	fd = open_config(from, b->fd, err);
	if (fd < 0)
		return -1;
	if (json_read_fd(fd, "config.json", &limits, &b->config, err) < 0)
		return -1;
	return runtime_config_check(b->config, err);
}

/* True if a relative path climbs out of where it starts. */
static bool escapes(const char *path)
{
	int depth = 0;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			depth--;
		else if (n > 0 && !(n == 1 && path[0] == '.'))
			depth++;
		if (depth < 0)
			return true;
		path += n;
		path += *path == '/';
	}
	return false;
}

static int open_rootfs(struct runtime_bundle *b, struct err **err)
{
	const char *path = runtime_root_path(b->config);

	if (!path || !*path)
		return err_make(err, ERR_CORRUPT, "config.json: root.path: missing");
	if (path[0] != '/' && escapes(path))
		return err_make(
			err, ERR_CORRUPT, "config.json: root.path: '%s' leads out of the bundle", path);
	b->rootfs_fd = openat(b->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->rootfs_fd < 0)
		return err_sys(err, errno, "root file system '%s'", path);
	b->rootfs = fs_fd_path(b->rootfs_fd);
	if (!b->rootfs)
		return err_sys(err, errno, "root file system '%s'", path);
	return 0;
}

int runtime_bundle_load(
	const struct runtime_bundle_source *from, struct runtime_bundle *ret, struct err **err)
{
	auto_runtime_bundle b = RUNTIME_BUNDLE_INIT;

	if (open_dir(from->dir && *from->dir ? from->dir : ".", &b, err) < 0 ||
		read_config(from, &b, err) < 0 || open_rootfs(&b, err) < 0)
		return -1;
	*ret = b;
	b = RUNTIME_BUNDLE_INIT;
	return 0;
}

/* ---- generated files ---- */

static int write_file(int dirfd, const char *name, const char *content, struct err **err)
{
	autoclose int fd = -1;

	if (mkdirat(dirfd, STATE_FILES, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "generated files");
	fd = fs_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0644, FS_BENEATH);
	if (fd < 0 || fd_write_all(fd, content, strlen(content)) < 0 || fchmod(fd, 0644) < 0)
		return err_sys(err, errno, "generated file '%s'", name);
	return 0;
}

int runtime_bundle_files(struct json *config, int dirfd, const char *dir_path, struct err **err)
{
	static const char *const options[] = { "bind", NULL };
	struct json *annotations = json_get(config, "annotations");
	unsigned count = 0;

	for (size_t i = 0; i < json_len(annotations);) {
		const char *key = json_key_at(annotations, i);
		const char *content = json_str(json_value_at(annotations, i));
		const char *target = key + strlen(ANNOTATION_FILE);
		autofree char *name = NULL;
		autofree char *source = NULL;

		if (!str_starts(key, ANNOTATION_FILE) || !content) {
			i++;
			continue;
		}
		if (target[0] != '/')
			return err_make(
				err, ERR_CORRUPT, "config.json: annotations: '%s' is not absolute", key);
		name = xasprintf(STATE_FILES "/%u", count++);
		source = path_join(dir_path, name);
		if (dirfd >= 0 && write_file(dirfd, name, content, err) < 0)
			return -1;
		runtime_add_mount(config, target, "bind", source, options);
		json_remove_at(annotations, i);
	}
	return 0;
}
