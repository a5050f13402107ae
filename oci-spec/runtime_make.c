/* SPDX-License-Identifier: Apache-2.0 */
/* New config.json documents: the empty frame, and the example that `spec` prints. */
#include "oci-spec/runtime_config.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

struct json *runtime_config_new(const char *root_path)
{
	struct json *j = json_new_object();

	json_set_str(j, "ociVersion", RUNTIME_SPEC_VERSION);
	json_set_str(json_need_object(j, "process"), "cwd", "/");
	json_set_str(json_need_object(j, "root"), "path", root_path);
	json_need_array(j, "mounts");
	json_need_object(j, "linux");
	return j;
}

#define CAPS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"
#define M(d, t, s, o) \
	"{\"destination\":\"" d "\",\"type\":\"" t "\",\"source\":\"" s "\",\"options\":[" o "]},"

/* The shape of runc's example: a shell on a terminal, read-only root, every namespace. */
static const char example[] =
	"{\"ociVersion\":\"" RUNTIME_SPEC_VERSION "\","
	"\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
	"\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],"
	"\"cwd\":\"/\",\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS
	"},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"udocker\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}," M("/dev", "tmpfs", "tmpfs",
		"\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"") M("/dev/pts", "devpts", "devpts",
		"\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"")
		M("/dev/shm", "tmpfs", "shm",
			"\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"") M("/dev/mqueue",
			"mqueue", "mqueue", "\"nosuid\",\"noexec\",\"nodev\"") M("/sys", "sysfs", "sysfs",
			"\"nosuid\",\"noexec\",\"nodev\",\"ro\"") "{\"destination\":\"/sys/fs/"
								  "cgroup\",\"type\":\"cgroup\",\"source\":"
								  "\"cgroup\","
								  "\"options\":[\"nosuid\",\"noexec\","
								  "\"nodev\",\"relatime\",\"ro\"]}],"
								  "\"linux\":{\"resources\":{\"devices\":[{"
								  "\"allow\":false,\"access\":\"rwm\"}]},"
								  "\"namespaces\":["
								  "{\"type\":\"pid\"},{\"type\":\"network\"},"
								  "{\"type\":\"ipc\"},{\"type\":\"uts\"},{"
								  "\"type\":\"mount\"},"
								  "{\"type\":\"cgroup\"}],"
								  "\"maskedPaths\":[\"/proc/acpi\",\"/proc/"
								  "asound\",\"/proc/kcore\",\"/proc/"
								  "keys\",\"/proc/latency_stats\","
								  "\"/proc/timer_list\",\"/proc/"
								  "timer_stats\",\"/proc/sched_debug\",\"/"
								  "sys/firmware\",\"/proc/scsi\"],"
								  "\"readonlyPaths\":[\"/proc/bus\",\"/proc/"
								  "fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/"
								  "sysrq-trigger\"]}}";

/* What an unprivileged caller cannot have: a group of devpts, a new sysfs, cgroups, a network of its own. */
static void make_rootless(struct json *j, uid_t uid, gid_t gid)
{
	static const char *const sys_options[] = { "rbind", "nosuid", "noexec", "nodev", "ro", NULL };
	struct json *mounts = json_get(j, "mounts"), *pts = json_get(json_at(mounts, 2), "options");

	json_remove_at(pts, json_len(pts) - 1);
	json_remove_at(mounts, 6);
	json_remove_at(mounts, 5);
	runtime_add_mount(j, "/sys", "none", "/sys", sys_options);
	json_remove(json_get(j, "linux"), "resources");
	runtime_remove_namespace(j, "network");
	runtime_add_namespace(j, "user");
	runtime_set_id_maps(j, 0, uid, 0, gid);
}

struct json *runtime_config_example(bool rootless, uid_t uid, gid_t gid)
{
	struct json *j = NULL;

	if (json_parse(example, sizeof(example) - 1, "example", NULL, &j, NULL) < 0)
		abort(); /* our own text */
	if (rootless)
		make_rootless(j, uid, gid);
	return j;
}
