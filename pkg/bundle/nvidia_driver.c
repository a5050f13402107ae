/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's files by looking: every library whose name ends with the version of the running kernel module, the links that lead to it, the few
 * that are versioned otherwise; programs, devices, and what tells the loaders of OpenGL, EGL, Vulkan and OpenCL which library is NVIDIA's.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engines/elf_file.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/ld_cache.h"
#include "pkg/bundle/nvidia_priv.h"
#include "pkg/conf/conf.h"

#define VERSION_FILE_MAX ((size_t)64 << 10)

/* ---- the version ---- */

/* "535.129.03": two or three numbers, the first of at least three digits. Its length, else 0. */
static size_t version_length(const char *text)
{
	size_t n = strspn(text, "0123456789."), dots = 0;

	for (size_t i = 0; i < n; i++) {
		dots += text[i] == '.';
		if (text[i] == '.' && (i == 0 || i + 1 == n || text[i + 1] == '.'))
			return 0;
	}
	return strcspn(text, ".") >= 3 && (dots == 1 || dots == 2) ? n : 0;
}

/* The first word of the text that is one, NULL if there is none; the caller frees. */
static char *version_in(const char *text)
{
	auto_strv words = STRV_INIT;

	strv_split(&words, text, " \t\n");
	for (size_t i = 0; i < words.n; i++)
		if (version_length(words.v[i]) == strlen(words.v[i]))
			return xstrdup(words.v[i]);
	return NULL;
}

/* Of the loaded module; the caller frees. */
static char *running_version(int hostfd)
{
	static const char *const files[] = { "/proc/driver/nvidia/version", "/sys/module/nvidia/version" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_str text = STR_INIT_MAX(VERSION_FILE_MAX);
		autoclose int fd = fs_open(hostfd, files[i], O_RDONLY, 0, FS_IN_ROOT);
		char *version;
		char part[512];
		ssize_t n;

		while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
			(void)str_add_mem(&text, part, (size_t)n); /* the ceiling is enough */
		version = version_in(str_text(&text));
		if (version)
			return version;
	}
	return NULL;
}

/* ---- libraries ---- */

struct search {
	struct nvidia_set *set;
	int hostfd;
	const char *version;
	const char *lib; /* the container's directory for libraries */
	struct strv dirs; /* of the host, real paths */
};

static void add_dir(struct search *s, const char *path)
{
	autofree char *real = NULL;
	autoclose int fd = fs_open(s->hostfd, path, O_PATH | O_DIRECTORY, 0, FS_IN_ROOT);

	/* By their real paths each is searched once; which names lead there does not matter. */
	real = fd < 0 ? NULL : fs_fd_path(fd);
	if (real && !strv_has(&s->dirs, path))
		strv_add(&s->dirs, path);
}

static void add_cached_dirs(struct search *s)
{
	static const char *const prefixes[] = { "libcuda.so", "libnvidia-", "libGLX_nvidia.so", NULL };
	auto_str cache = STR_INIT_MAX(LD_CACHE_MAX_BYTES);
	auto_strv found = STRV_INIT;

	if (fs_read(s->hostfd, "/etc/ld.so.cache", LD_CACHE_MAX_BYTES, &cache, FS_IN_ROOT) < 0)
		return; /* a host without one: the well-known folders are left */
	ld_cache_dirs(str_text(&cache), cache.len, prefixes, &found);
	for (size_t i = 0; i < found.n; i++)
		add_dir(s, found.v[i]);
}

static void add_known_dirs(struct search *s)
{
	static const char *const known[] = { "/usr/lib64", "/usr/lib", "/usr/lib64/nvidia", "/usr/lib/nvidia",
		"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/run/opengl-driver/lib",
		"/run/nvidia/driver/usr/lib64" };
	const struct strv *configured = conf_list(CONF_LIB_DIRS_LIST_NVIDIA);
	autofree char *triplet = xasprintf("/usr/lib/%s-linux-gnu", host_machine());
	autofree char *current = path_join(triplet, "nvidia/current");
	const char *path = host_env("LD_LIBRARY_PATH");
	auto_strv own = STRV_INIT;

	for (size_t i = 0; i < configured->n; i++)
		add_dir(s, configured->v[i]);
	add_dir(s, triplet);
	add_dir(s, current);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		add_dir(s, known[i]);
	if (path)
		strv_split(&own, path, ":");
	for (size_t i = 0; i < own.n; i++)
		if (own.v[i][0] == '/')
			add_dir(s, own.v[i]);
}

/* Libraries of this machine's kind only: a directory may hold those for programs of 32 bits. */
static bool is_native(int hostfd, const char *path)
{
	autoclose int fd = fs_open(hostfd, path, O_RDONLY, 0, FS_IN_ROOT);
	struct elf_facts *facts;
	bool native;

	if (fd < 0)
		return false;
	facts = xcalloc(1, sizeof(*facts));
	native = elf_read(fd, facts) == 0 && facts->kind == ELF_SHARED && elf_is_native(facts);
	free(facts);
	return native;
}

/* What the driver brings under versions of its own; not what others call after it. */
static bool is_companion(const char *name)
{
	static const char *const patterns[] = { "libnvidia-egl-*.so.*", "libnvidia-api.so.*",
		"libnvidia-nvvm70.so.*", "libOpenCL.so.*" };
	const char *so = strstr(name, ".so.");

	if (!so || version_length(so + 4) > 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

static bool is_of_driver(const struct search *s, const char *name)
{
	autofree char *end = xasprintf(".so.%s", s->version);

	return (str_starts(name, "lib") && str_ends(name, end)) || is_companion(name);
}

/* OpenCL's and EGL's loaders may be the container's own. */
static bool container_has(int rootfd, const char *lib, const char *name)
{
	autofree char *path = path_join(lib, name);
	struct stat st;

	return str_starts(name, "libOpenCL.") && fs_lstat(rootfd, path, &st, FS_IN_ROOT) == 0;
}

static void add_library(struct search *s, int rootfd, const char *dir, const char *name, const char *cont_dir)
{
	autofree char *there = path_join(dir, name), *real = nvidia_host_path(s->hostfd, there);
	autofree char *cont = path_join(cont_dir, name);

	/* A link that bears the version may lead to another one's file. */
	if (!real || !is_of_driver(s, path_base(real)) || container_has(rootfd, cont_dir, name) ||
		!is_native(s->hostfd, there))
		return;
	nvidia_set_add(s->set, NVIDIA_PLAIN, real, cont);
	nvidia_add_links(s->set, s->hostfd, dir, real, cont_dir);
}

static void add_libraries(struct search *s, int rootfd, const char *dir, const char *cont_dir)
{
	autoclose int fd = fs_open(s->hostfd, dir, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (is_of_driver(s, names.v[i]))
			add_library(s, rootfd, dir, names.v[i], cont_dir);
}

/* Names that lead to a library of another stem. */
static void add_aliases(struct search *s, const char *dir)
{
	static const char *const aliases[] = { "libGLX_indirect.so.0", "gbm/nvidia-drm_gbm.so",
		"libvdpau_nvidia.so" };

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		autofree char *there = path_join(dir, aliases[i]);
		autofree char *real = nvidia_host_path(s->hostfd, there);
		autofree char *cont = path_join(s->lib, aliases[i]);

		if (real && is_of_driver(s, path_base(real)))
			nvidia_set_add(s->set, NVIDIA_PLAIN, real, cont);
	}
}

static void find_libraries(struct search *s, int rootfd)
{
	static const char *const below[] = { "tls", "vdpau", "gbm" };

	add_cached_dirs(s);
	add_known_dirs(s);
	for (size_t i = 0; i < s->dirs.n; i++) {
		add_libraries(s, rootfd, s->dirs.v[i], s->lib);
		for (size_t k = 0; k < ARRAY_LEN(below); k++) {
			autofree char *dir = path_join(s->dirs.v[i], below[k]);
			autofree char *cont = path_join(s->lib, below[k]);

			add_libraries(s, rootfd, dir, cont);
		}
		add_aliases(s, s->dirs.v[i]);
	}
}

/* ---- other files ---- */

/* Each name below `dir` that fits the pattern, at the same place or in `cont_dir`. */
static void add_matching(struct search *s, const char *dir, const char *pattern, enum nvidia_kind kind)
{
	autoclose int fd = fs_open(s->hostfd, dir, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *there = path_join(dir, names.v[i]), *real = NULL;
		struct stat st;

		if (fnmatch(pattern, names.v[i], 0) != 0 || !(real = nvidia_host_path(s->hostfd, there)) ||
			stat(real, &st) < 0 || S_ISDIR(st.st_mode))
			continue;
		if (kind == NVIDIA_DEVICE && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
			continue;
		nvidia_set_add(s->set, kind, real, there);
	}
}

static void find_programs(struct search *s)
{
	static const char *const dirs[] = { "/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/opt/bin" };
	static const char *const names[] = { "nvidia-smi", "nvidia-debugdump", "nvidia-persistenced",
		"nvidia-cuda-mps-control", "nvidia-cuda-mps-server", "nvidia-settings", "nvidia-xconfig",
		"nvidia-imex", "nvidia-imex-ctl", "nvidia-bug-report.sh" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (size_t k = 0; k < ARRAY_LEN(dirs); k++) {
			autofree char *there = path_join(dirs[k], names[i]);
			autofree char *real = nvidia_host_path(s->hostfd, there);
			autofree char *cont = path_join("/usr/bin", names[i]);

			if (real)
				nvidia_set_add(s->set, NVIDIA_PLAIN, real, cont);
		}
}

static void find_data(struct search *s)
{
	static const struct {
		const char *dir, *pattern;
	} data[] = {
		{ "/etc/OpenCL/vendors", "nvidia.icd" },
		{ "/etc/vulkan/icd.d", "nvidia_*.json" },
		{ "/etc/vulkan/implicit_layer.d", "nvidia_*.json" },
		{ "/usr/share/vulkan/icd.d", "nvidia_*.json" },
		{ "/usr/share/vulkan/implicit_layer.d", "nvidia_*.json" },
		{ "/usr/share/vulkansc/icd.d", "nvidia_*.json" },
		{ "/etc/glvnd/egl_vendor.d", "*nvidia*.json" },
		{ "/usr/share/glvnd/egl_vendor.d", "*nvidia*.json" },
		{ "/etc/egl/egl_external_platform.d", "*nvidia*.json" },
		{ "/usr/share/egl/egl_external_platform.d", "*nvidia*.json" },
		{ "/usr/share/nvidia", "nvoptix.bin" },
	};
	autofree char *profiles = xasprintf("nvidia-application-profiles-%s-*", s->version);

	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		add_matching(s, data[i].dir, data[i].pattern, NVIDIA_PLAIN);
	add_matching(s, "/usr/share/nvidia", profiles, NVIDIA_PLAIN);
	add_matching(s, "/run/nvidia-persistenced", "socket", NVIDIA_SOCKET);
}

/* ---- devices ---- */

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* /dev/nvidia0 and so on only if they are asked for, what they share always. */
static void drop_other_gpus(struct nvidia_set *set, const struct strv *wanted)
{
	static const char gpu[] = "/dev/nvidia";
	size_t kept = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct nvidia_item *item = &set->items[i];
		const char *number = str_starts(item->cont, gpu) ? item->cont + sizeof(gpu) - 1 : "";

		if (item->kind == NVIDIA_DEVICE && is_number(number) && !strv_has(wanted, number)) {
			free(item->host);
			free(item->cont);
		} else {
			set->items[kept++] = *item;
		}
	}
	set->n = kept;
}

static int find_devices(struct search *s, const char *devices, struct err **err)
{
	auto_strv wanted = STRV_INIT;

	add_matching(s, "/dev", "nvidia*", NVIDIA_DEVICE);
	add_matching(s, "/dev/nvidia-caps", "nvidia-cap*", NVIDIA_DEVICE);
	add_matching(s, "/dev/nvidia-caps-imex-channels", "channel*", NVIDIA_DEVICE);
	if (!devices)
		return 0;
	strv_split(&wanted, devices, ",");
	for (size_t i = 0; i < wanted.n; i++) {
		autofree char *path = xasprintf("/dev/nvidia%s", wanted.v[i]);

		if (is_number(wanted.v[i]) && nvidia_set_at(s->set, path))
			continue;
		err_make(err, ERR_NOT_FOUND, "there is no GPU '%s' here", wanted.v[i]);
		return err_hint(err, "give the numbers of devices /dev/nvidiaN, or all");
	}
	drop_other_gpus(s->set, &wanted);
	return 0;
}

/* ---- all of it ---- */

/* Where the container's loader looks by itself; the caller frees, NULL if it has no such place. */
static char *library_dir(int rootfd)
{
	const char *machine = host_machine();
	char *const places[] = { xasprintf("/usr/lib/%s-linux-gnu", machine), xstrdup("/usr/lib64"),
		xasprintf("/lib/%s-linux-gnu", machine), xstrdup("/lib64"), xstrdup("/usr/lib") };
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int fd = found ? -1 : fs_open(rootfd, places[i], O_PATH | O_DIRECTORY, 0, FS_IN_ROOT);

		if (fd >= 0) {
			close(fd);
			found = places[i];
		} else {
			free(places[i]);
		}
	}
	return found;
}

static int no_driver(struct err **err)
{
	err_make(err, ERR_NOT_FOUND,
		"no NVIDIA driver is running here (there is no /proc/driver/nvidia/version)");
	return err_hint(err, "do this on a machine with a GPU, or write a specification of its devices to "
			     "/etc/cdi/nvidia.json");
}

int nvidia_find_driver(int hostfd, int rootfd, const char *devices, struct nvidia_set *ret, struct err **err)
{
	autofree char *version = running_version(hostfd), *lib = NULL;
	struct search s = { .set = ret, .hostfd = hostfd, .version = version };

	if (!version)
		return no_driver(err);
	s.lib = lib = library_dir(rootfd);
	if (!lib)
		return err_make(err, ERR_UNSUPPORTED,
			"the container has no directory for the driver's libraries (/usr/lib64 or another)");
	find_libraries(&s, rootfd);
	strv_free(&s.dirs);
	if (ret->n == 0) {
		err_make(err, ERR_NOT_FOUND, "the libraries of NVIDIA driver %s are not here", version);
		return err_hint(err, "name their directories in the setting lib_dirs_list_nvidia");
	}
	find_programs(&s);
	find_data(&s);
	if (find_devices(&s, devices, err) < 0)
		return -1;
	ret->version = steal_ptr(&version);
	ret->source = xstrdup("the driver's files");
	return 0;
}
