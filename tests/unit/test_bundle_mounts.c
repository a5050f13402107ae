/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: the grammar, the list of a run, and the mounts that come of it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/bundle/mounts.h"
#include "pkg/bundle/options.h"
#include "pkg/conf/conf.h"
#include "tests/unit/tap.h"

static void accepted(const char *text, const char *host, const char *cont, bool readonly)
{
	struct bundle_volume v;
	auto_err *err = NULL;

	if (!ok(bundle_volume_parse(text, &v, &err) == 0, "accepted: %s", text)) {
		printf("# %s\n", err_text(err));
		return;
	}
	is_str(v.host, host, "  host");
	is_str(v.cont, cont, "  container");
	is_int(v.readonly, readonly, "  read-only");
	bundle_volume_free(&v);
}

static void refused(const char *text)
{
	struct bundle_volume v;
	auto_err *err = NULL;

	ok(bundle_volume_parse(text, &v, &err) < 0 && err_is(err, ERR_USAGE), "refused: '%s'", text);
}

static void grammar(void)
{
	accepted("/a", "/a", "/a", false);
	accepted("/a:", "/a", "/a", false);
	accepted("/a:/b", "/a", "/b", false);
	accepted("//a//x/:/b///", "/a/x", "/b", false);
	accepted("/a:/b:ro", "/a", "/b", true);
	accepted("/a:/b:rw", "/a", "/b", false);
	accepted("/a:/b:z,ro", "/a", "/b", true);
	accepted("/a:/b:ro,rw", "/a", "/b", false);
	accepted("/a::ro", "/a", "/a", true);
	accepted("/a/../b:/c/./d", "/b", "/c/d", false);
	refused("");
	refused("a");
	refused("a:/b");
	refused("./a:/b");
	refused(":/b");
	refused("/a:b");
	refused("/a:/");
	refused("/a:/..");
	refused("/:");
	refused("/a:/b:rx");
	refused("/a:/b:/c");
}

/* The options of the mount at a destination, joined; NULL if there is none. */
static char *mount_at(const struct json *config, const char *destination, const char **ret_source)
{
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;
	const struct json *list = json_get(config, "mounts");

	if (runtime_mounts_read(config, &m, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < m.n; i++) {
		if (!str_eq(m.items[i].destination, destination))
			continue;
		if (ret_source)
			*ret_source = json_str(json_get(json_at(list, i), "source"));
		return strv_join(&m.items[i].options, ",");
	}
	return NULL;
}

static size_t order_of(const struct json *config, const char *destination)
{
	const struct json *list = json_get(config, "mounts");
	size_t i = 0;

	while (i < json_len(list) &&
		!str_eq(json_str(json_get(json_at(list, i), "destination")), destination))
		i++;
	return i;
}

static struct json *made(const struct bundle_options *o, int rootfd)
{
	auto_bundle_volumes v = BUNDLE_VOLUMES_INIT;
	auto_err *err = NULL;
	struct json *config = runtime_config_new("ROOT");

	if (!ok(bundle_volumes_collect(o, rootfd, &v, &err) == 0, "collected"))
		printf("# %s\n", err_text(err));
	bundle_mounts_add(config, &v);
	return config;
}

static void defaults(int rootfd)
{
	struct bundle_options o = BUNDLE_OPTIONS_INIT, none = { .nosysdirs = true };
	auto_json *c = made(&o, rootfd), *n = made(&none, rootfd);
	autofree char *dev = mount_at(c, "/dev", NULL), *proc = mount_at(c, "/proc", NULL),
		      *pts = mount_at(c, "/dev/pts", NULL);

	ok(dev && strstr(dev, "mode=755"), "/dev is a tmpfs");
	ok(proc && strstr(proc, "rbind"), "/proc is the host's");
	ok(pts && order_of(c, "/dev") < order_of(c, "/dev/pts"), "/dev/pts comes behind /dev");
	is_int(json_len(json_get(n, "mounts")), 0, "nothing with --nosysdirs");
}

static void users(int rootfd, const char *top)
{
	auto_strv list = STRV_INIT, novol = STRV_INIT;
	struct bundle_options o = { .volumes = &list, .novol = &novol };
	autofree char *deep = NULL, *etc = NULL, *proc = NULL;
	const char *source = NULL;

	strv_addf(&list, "%s:/etc", top); /* holds hosts, but no resolv.conf and host.conf */
	strv_addf(&list, "%s/ROOT:/etc/deep:ro", top);
	strv_addf(&list, "%s:/dev/shm", top);
	strv_addf(&list, "%s/ROOT:/etc", top); /* taken */
	strv_add(&novol, "/proc");
	strv_add(&novol, "/nowhere");
	auto_json *c = made(&o, rootfd);

	etc = mount_at(c, "/etc", &source);
	is_str(source, top, "the first volume of a target stays");
	deep = mount_at(c, "/etc/deep", NULL);
	is_str(deep, "rbind,ro", "read-only");
	ok(order_of(c, "/etc") < order_of(c, "/etc/deep"), "parents before children");
	proc = mount_at(c, "/proc", NULL);
	ok(!proc, "--novol leaves out a default");
	free(proc);
	proc = mount_at(c, "/etc/resolv.conf", NULL);
	ok(!proc, "nothing is made inside a volume");
	free(mount_at(c, "/dev/shm", &source));
	is_str(source, top, "a volume below /dev replaces ours");
	ok(order_of(c, "/dev") < order_of(c, "/dev/shm"), "and lies on the tmpfs");
}

static void dev_replaced(int rootfd)
{
	auto_strv list = STRV_INIT;
	struct bundle_options o = { .volumes = &list };
	const char *source = NULL;

	strv_add(&list, "/dev");
	auto_json *c = made(&o, rootfd);

	free(mount_at(c, "/dev", &source));
	is_str(source, "/dev", "-v /dev is the host's /dev");
	ok(order_of(c, "/dev/pts") == json_len(json_get(c, "mounts")), "without our mounts below it");
}

static void missing(int rootfd)
{
	auto_strv list = STRV_INIT;
	struct bundle_options o = { .volumes = &list };
	auto_bundle_volumes v = BUNDLE_VOLUMES_INIT;
	auto_err *err = NULL;

	strv_add(&list, "/nonexistent-volume");
	ok(bundle_volumes_collect(&o, rootfd, &v, &err) < 0 && err_is(err, ERR_NOT_FOUND),
		"a missing source");
}

static void devices(void)
{
	auto_json *c = runtime_config_new("ROOT");
	auto_strv list = STRV_INIT, bad = STRV_INIT, none = STRV_INIT;

	strv_add(&list, "/dev/null:/dev/other:rwm");
	ok(bundle_devices_add(c, &list, NULL) == 0, "a device");
	is_str(json_str(json_get(json_at(json_path(c, "linux", "devices", NULL), 0), "path")), "/dev/null",
		"its path");
	is_str(json_number_text(json_get(json_at(json_path(c, "linux", "devices", NULL), 0), "minor")), "3",
		"the device's number, not its file system's");
	strv_add(&bad, "/tmp");
	ok(bundle_devices_add(c, &bad, NULL) < 0, "a folder is none");
	strv_add(&none, "/dev/nonexistent");
	ok(bundle_devices_add(c, &none, NULL) < 0, "a missing one");
}

int main(void)
{
	char top[] = "/tmp/udocker-test-XXXXXX";
	int fd, rootfd, hosts;
	auto_err *err = NULL;

	if (!mkdtemp(top) || setenv("HOME", top, 1) < 0 || unsetenv("UDOCKER_DIR") < 0 ||
		conf_load(NULL, &err) < 0)
		return 1;
	log_set_level(LOG_LEVEL_ERROR);
	fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || mkdirat(fd, "ROOT", 0755) < 0)
		return 1;
	rootfd = openat(fd, "ROOT", O_PATH | O_DIRECTORY | O_CLOEXEC);
	hosts = openat(fd, "hosts", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	close(hosts);

	grammar();
	defaults(rootfd);
	users(rootfd, top);
	dev_replaced(rootfd);
	missing(rootfd);
	devices();

	close(rootfd);
	close(fd);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_rm_tree(fd, top + strlen("/tmp/"), NULL) == 0, "cleaned up");
	close(fd);
	return tap_done();
}
