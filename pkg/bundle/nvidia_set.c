/* SPDX-License-Identifier: Apache-2.0 */
/* The set of what a container gets of the driver, and the host's files by their real paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/bundle/nvidia_priv.h"

void nvidia_set_free(struct nvidia_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].host);
		free(s->items[i].cont);
	}
	free(s->items);
	free(s->version);
	free(s->source);
	strv_free(&s->env);
	strv_free(&s->folders);
	strv_free(&s->notes);
	*s = NVIDIA_SET_INIT;
}

int nvidia_host_root(void)
{
	const char *instead = secure_getenv("UDOCKER_TEST_HOST_ROOT");

	return open(instead ? instead : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

char *nvidia_host_path(int hostfd, const char *path)
{
	autoclose int fd = fs_open(hostfd, path, O_PATH, 0, FS_IN_ROOT);

	return fd < 0 ? NULL : fs_fd_path(fd);
}

const struct nvidia_item *nvidia_set_at(const struct nvidia_set *s, const char *cont)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->items[i].cont, cont))
			return &s->items[i];
	return NULL;
}

void nvidia_set_add(struct nvidia_set *s, enum nvidia_kind kind, const char *host, const char *cont)
{
	autofree char *clean = path_clean(cont);

	if (str_eq(clean, "/") || nvidia_set_at(s, clean))
		return;
	s->items = mem_grow(s->items, &s->cap, s->n + 1, sizeof(*s->items));
	s->items[s->n++] =
		(struct nvidia_item){ .kind = kind, .host = xstrdup(host), .cont = steal_ptr(&clean) };
}

/* "libcuda" of "libcuda.so.1"; the caller frees. */
static char *stem(const char *name)
{
	const char *so = strstr(name, ".so");

	return so ? xstrndup(name, (size_t)(so - name)) : xstrdup(name);
}

void nvidia_add_links(
	struct nvidia_set *s, int hostfd, const char *dir, const char *host, const char *cont_dir)
{
	autoclose int fd = fs_open(hostfd, dir, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT);
	autofree char *wanted = stem(path_base(host));
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *its = NULL, *there = NULL, *real = NULL, *cont = NULL;

		if (!str_starts(names.v[i], wanted))
			continue;
		its = stem(names.v[i]);
		there = path_join(dir, names.v[i]);
		if (!str_eq(its, wanted) || !(real = nvidia_host_path(hostfd, there)) || !str_eq(real, host))
			continue;
		cont = path_join(cont_dir, names.v[i]);
		nvidia_set_add(s, NVIDIA_PLAIN, real, cont);
	}
}

int nvidia_find(int rootfd, const char *devices, struct nvidia_set *ret, struct err **err)
{
	auto_nvidia_set s = NVIDIA_SET_INIT;
	autoclose int hostfd = nvidia_host_root();
	int r;

	if (devices && str_eq(devices, "all"))
		devices = NULL;
	if (hostfd < 0)
		return err_sys(err, errno, "the host's root directory");
	r = nvidia_find_cdi(hostfd, devices, &s, err);
	if (r == 0)
		r = nvidia_find_driver(hostfd, rootfd, devices, &s, err);
	if (r < 0)
		return -1;
	*ret = s;
	s = NVIDIA_SET_INIT;
	return 0;
}

int nvidia_add_devices(struct json *config, const struct nvidia_set *s, struct err **err)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct nvidia_item *item = &s->items[i];
		struct json *d;
		struct stat st;

		if (item->kind != NVIDIA_DEVICE)
			continue;
		if (stat(item->host, &st) < 0)
			return err_sys(err, errno, "device '%s'", item->host);
		d = json_new_object();
		json_set_str(d, "type", S_ISBLK(st.st_mode) ? "b" : "c");
		json_set_str(d, "path", item->cont);
		json_set_i64(d, "major", major(st.st_rdev));
		json_set_i64(d, "minor", minor(st.st_rdev));
		json_set_i64(d, "fileMode", 0666);
		json_append(json_need_array(json_need_object(config, "linux"), "devices"), d);
	}
	return 0;
}
