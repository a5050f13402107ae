/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: command, environment, working directory, annotations; and the values of options. */
#include <fcntl.h>
#include <sys/stat.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/env.h"
#include "pkg/bundle/options.h"
#include "pkg/conf/conf.h"
#include "tests/unit/tap.h"

static int dirfd_;
static char top[] = "/tmp/udocker-test-XXXXXX";

static const char image_text[] =
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-01T00:00:00Z\",\"author\":\"me\","
	"\"config\":{"
	"\"Env\":[\"A=image\",\"B=image\",\"SPACED= x \"],\"Entrypoint\":[\"/entry\",\"one "
	"two\"],\"Cmd\":[\"cmd\"],"
	"\"WorkingDir\":\"/app\",\"User\":\"www\",\"StopSignal\":\"SIGINT\",\"ExposedPorts\":{\"80/"
	"tcp\":{},\"81/udp\":{}},"
	"\"Labels\":{\"l\":\"v\",\"org.opencontainers.image.author\":\"label\",\"org.udocker.execmode\":"
	"\"R1\","
	"\"org.udocker.file:/etc/x\":\"evil\",\"run.oci.handler\":\"krun\"}}}";

static struct json *make(const char *image, const struct bundle_options *o, const char *id, struct err **err)
{
	auto_json *j = NULL;
	struct json *config = NULL;
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	auto_strv names = STRV_INIT;

	strv_add(&names, "n1");
	strv_add(&names, "n2");
	if (image && json_parse(image, strlen(image), "image", NULL, &j, NULL) < 0)
		ok(false, "json");
	src.dir = top;
	src.dirfd = dirfd_;
	src.image = j;
	src.id = id;
	src.names = &names;
	src.image_name = "repo:tag";
	if (bundle_config_make(&src, o, &config, err) < 0)
		return NULL;
	ok(runtime_config_check(config, NULL) == 0, "a valid document");
	return config;
}

static char *joined(const struct json *array)
{
	auto_strv v = STRV_INIT;

	for (size_t i = 0; i < json_len(array); i++)
		strv_add(&v, json_str(json_at(array, i)));
	return strv_join(&v, "|");
}

static void args_are(const char *image, const char *entrypoint, const char *words, const char *want)
{
	auto_strv command = STRV_INIT;
	struct bundle_options o = { .entrypoint = entrypoint, .command = &command, .quiet = true };
	auto_json *c = NULL;
	autofree char *got = NULL;

	strv_split(&command, words, " ");
	c = make(image, &o, "12345678-0000-0000-0000-000000000000", NULL);
	got = joined(json_path(c, "process", "args", NULL));
	is_str(got, want, want);
}

static void commands(void)
{
	struct bundle_options nometa = { .nometa = true, .quiet = true };
	auto_json *c = NULL;
	autofree char *got = NULL;

	args_are(image_text, NULL, "", "/entry|one two|cmd");
	args_are(image_text, NULL, "a b", "/entry|one two|a|b");
	args_are(image_text, "/x y", "", "/x|y");
	args_are(image_text, "/x y", "a", "/x|y|a");
	args_are(image_text, "", "a b", "a|b");
	args_are(image_text, "", "", "bash|-i");
	args_are("{\"config\":{\"Cmd\":[\"c\"]}}", NULL, "", "c");
	args_are(NULL, NULL, "", "bash|-i");
	args_are(NULL, NULL, "x", "x");
	c = make(image_text, &nometa, NULL, NULL);
	got = joined(json_path(c, "process", "args", NULL));
	is_str(got, "bash|-i", "--nometa drops the image's command");
	is_str(json_str(json_path(c, "process", "cwd", NULL)), "/root", "and its working directory");
	is_int(json_len(json_path(c, "process", "user", NULL)), 2, "and its user");
}

/* The value of a variable in the document, "(none)" when it is missing. */
static const char *env_of(const struct json *config, const char *key)
{
	const struct json *env = json_path(config, "process", "env", NULL);

	for (size_t i = 0; i < json_len(env); i++) {
		const char *e = json_str(json_at(env, i));

		if (strncmp(e, key, strlen(key)) == 0 && e[strlen(key)] == '=')
			return e + strlen(key) + 1;
	}
	return "(none)";
}

static void write_file(const char *name, const char *text)
{
	if (atomic_write(dirfd_, name, text, strlen(text), 0644, 0, NULL) < 0)
		ok(false, "write %s", name);
}

static void environment(void)
{
	auto_strv env = STRV_INIT, files = STRV_INIT;
	struct bundle_options o = { .env = &env, .env_files = &files, .quiet = true };
	auto_json *c = NULL, *h = NULL;

	setenv("FROMHOST", "hv", 1);
	setenv("TERM", "vt100", 1);
	setenv("PROOT_TMP_DIR", "/x", 1);
	setenv("VTE_VERSION", "1", 1);
	setenv("PATH", "/hostpath", 1);
	write_file("envfile", "# comment\n\n A = file \nB=file\nC=file\r\n1X=no\nFROMHOST\nC=again\n");
	strv_addf(&files, "%s/envfile", top);
	strv_add(&env, "A=1");
	strv_add(&env, " A = option ");
	strv_add(&env, "USER=me");
	strv_add(&env, "PS1=mine");
	strv_add(&env, "=x");
	strv_add(&env, "a b=x");
	strv_add(&env, "EMPTY=");
	strv_add(&env, "UNSETONHOST");
	c = make(image_text, &o, "12345678-0000-0000-0000-000000000000", NULL);
	is_str(env_of(c, "A"), "option", "--env is stronger than --env-file; the last one wins; blanks go");
	is_str(env_of(c, "B"), "file", "--env-file is stronger than the image");
	is_str(env_of(c, "C"), "again", "the last line wins");
	is_str(env_of(c, "FROMHOST"), "hv", "no value: the host's");
	is_str(env_of(c, "UNSETONHOST"), "", "or nothing");
	is_str(env_of(c, "EMPTY"), "", "an empty value");
	is_str(env_of(c, "1X"), "(none)", "a digit in front is no name");
	is_str(env_of(c, "# comment"), "(none)", "comments are none");
	is_str(env_of(c, "SPACED"), " x ", "the image's values stay exact");
	is_str(env_of(c, "USER"), "www", "USER is forced");
	is_str(env_of(c, "PS1"), "12345678\\$", "so is the prompt");
	is_str(env_of(c, "SHLVL"), "0", "SHLVL");
	is_str(env_of(c, "HOME"), "/srv", "HOME from the user's entry");
	is_str(env_of(c, "PATH"), "/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", "a user's default PATH");
	is_str(env_of(c, "container_names"), "n1,n2", "container_names");
	is_str(env_of(c, "container_execmode"), "auto", "container_execmode");
	is_str(env_of(c, "TERM"), "vt100", "the host's TERM");
	is_str(env_of(c, "PROOT_TMP_DIR"), "(none)", "nothing of the engines");
	is_str(env_of(c, "VTE_VERSION"), "(none)", "nothing else of the host");
	o.hostenv = true;
	h = make(NULL, &o, NULL, NULL);
	is_str(env_of(h, "FROMHOST"), "hv", "--hostenv passes on");
	is_str(env_of(h, "VTE_VERSION"), "(none)", "but never this");
	is_str(env_of(h, "HOME"), "/root", "and not HOME");
	is_str(env_of(h, "PATH"), "/usr/sbin:/sbin:/usr/bin:/bin", "and not PATH: root's default");
	is_str(env_of(h, "PS1"), "mine", "outside the store no prompt is forced");
	is_str(env_of(h, "container_uuid"), "(none)", "and no container_ variable");
	strv_add(&files, "/nonexistent-env-file");
	ok(!make(NULL, &o, NULL, NULL), "a missing file is an error");
}

static const char *cwd_of(const char *image, const struct bundle_options *o)
{
	static char buf[128];
	auto_json *c = make(image, o, NULL, NULL);
	const char *cwd = json_str(json_path(c, "process", "cwd", NULL));

	snprintf(buf, sizeof(buf), "%s", cwd ? cwd : "(refused)");
	return buf;
}

static void directories(void)
{
	auto_strv vol = STRV_INIT;
	struct bundle_options o = { .quiet = true }, w = { .quiet = true, .workdir = "/srv/" };
	auto_err *err = NULL;

	is_str(cwd_of(image_text, &o), "/app", "the image's");
	is_str(cwd_of(image_text, &w), "/srv", "--workdir is stronger");
	is_str(cwd_of("{\"config\":{\"WorkingDir\":\"/gone\"}}", &o), "/", "a missing one of the image");
	is_str(cwd_of("{\"config\":{\"WorkingDir\":\"srv\"}}", &o), "/srv", "a relative one");
	is_str(cwd_of("{\"config\":{\"User\":\"far\"}}", &o), "/", "a missing home");
	is_str(cwd_of(NULL, &o), "/root", "the home");
	is_str(cwd_of("{\"config\":{\"WorkingDir\":\"/out/tmp\"}}", &o), "/", "a link stays inside");
	w.workdir = "/vol/ROOT";
	ok(!make(NULL, &w, NULL, &err) && err_is(err, ERR_NOT_FOUND), "an explicit one must exist");
	strv_addf(&vol, "%s:/vol", top);
	w.volumes = &vol;
	is_str(cwd_of(NULL, &w), "/vol/ROOT", "also in a volume");
	w.workdir = "/srv/file";
	is_str(cwd_of(NULL, &w), "(refused)", "a file is no directory");
	w.workdir = "rel";
	is_str(cwd_of(NULL, &w), "(refused)", "nor is a relative path");
}

static void annotations(void)
{
	auto_strv pub = STRV_INIT;
	struct bundle_options o = { .quiet = true,
		.tty = true,
		.kernel = "6.1.0",
		.cpuset = "0-3,8",
		.publish = &pub,
		.publish_all = true,
		.hostname = "h.example",
		.read_only = true };
	auto_json *c = NULL;
	int64_t n = -1;

	strv_add(&pub, "8080:80");
	strv_add(&pub, "127.0.0.1:8443:443/tcp");
	c = make(image_text, &o, "12345678-0000-0000-0000-000000000000", NULL);
	is_str(runtime_annotation(c, "l"), "v", "labels");
	is_str(runtime_annotation(c, "org.opencontainers.image.os"), "linux", "implicit ones");
	is_str(runtime_annotation(c, "org.opencontainers.image.stopSignal"), "SIGINT", "stop signal");
	is_str(runtime_annotation(c, "org.opencontainers.image.exposedPorts"), "80/tcp,81/udp", "ports");
	is_str(runtime_annotation(c, "org.opencontainers.image.author"), "label", "a label is stronger");
	ok(!runtime_annotation(c, ANNOTATION_EXECMODE), "an image does not choose the engine");
	ok(!runtime_annotation(c, ANNOTATION_FILE "/etc/x"), "nor files");
	ok(!runtime_annotation(c, "run.oci.handler"), "nor crun's ways");
	is_str(runtime_annotation(c, ANNOTATION_IMAGE), "repo:tag", "image name");
	is_str(runtime_annotation(c, ANNOTATION_PUBLISH), "8080:80,8443:443", "ports to publish");
	is_str(runtime_annotation(c, ANNOTATION_KERNEL), "6.1.0", "kernel");
	is_str(runtime_annotation(c, ANNOTATION_CPUSET), "0-3,8", "processors");
	is_str(runtime_annotation(c, ANNOTATION_NETCOOP), "true", "publish-all");
	is_str(runtime_hostname(c), "h.example", "host name");
	ok(runtime_namespace(c, "uts", NULL) && runtime_namespace(c, "user", NULL), "with its namespace");
	ok(!runtime_namespace(c, "network", NULL) && !runtime_namespace(c, "pid", NULL),
		"no more namespaces");
	ok(runtime_root_readonly(c), "read-only root");
	ok(json_true(json_path(c, "process", "terminal", NULL)), "terminal");
	(void)json_to_i64(
		json_get(json_at(json_path(c, "linux", "uidMappings", NULL), 0), "containerID"), &n);
	is_int(n, 33, "the user's id is mapped");
	(void)json_to_i64(json_get(json_at(json_path(c, "linux", "uidMappings", NULL), 0), "hostID"), &n);
	is_int(n, geteuid(), "to the caller's");
}

static void bad(const struct bundle_options *o, const char *image, enum err_kind kind, const char *name)
{
	auto_err *err = NULL;
	auto_json *c = make(image, o, NULL, &err);

	ok(!c && err_is(err, kind), "%s", name);
}

static void bad_input(void)
{
	auto_strv pub = STRV_INIT, dev = STRV_INIT;
	struct bundle_options o = { .quiet = true };
	unsigned a, b;

	o.cpuset = "1-,";
	bad(&o, NULL, ERR_USAGE, "wrong processors");
	o.cpuset = NULL;
	o.hostname = "a b";
	bad(&o, NULL, ERR_USAGE, "wrong host name");
	o.hostname = NULL;
	o.kernel = "6.1\n";
	bad(&o, NULL, ERR_USAGE, "wrong kernel");
	o.kernel = NULL;
	o.user = "a:b:c";
	bad(&o, NULL, ERR_USAGE, "wrong user");
	o.user = NULL;
	strv_add(&pub, "80");
	o.publish = &pub;
	bad(&o, NULL, ERR_USAGE, "wrong port");
	o.publish = NULL;
	strv_add(&dev, "/nonexistent-device");
	o.devices = &dev;
	bad(&o, NULL, ERR_NOT_FOUND, "missing device");
	o.devices = NULL;
	bad(&o, "{\"config\":{\"Env\":7}}", ERR_CORRUPT, "broken image configuration");
	bad(&o, "{\"config\":{\"User\":\"a b\"}}", ERR_USAGE, "broken user of the image");
	ok(bundle_publish_parse("1:65536", &a, &b, NULL) < 0 &&
			bundle_publish_parse("0:1", &a, &b, NULL) < 0 &&
			bundle_publish_parse(":1", &a, &b, NULL) < 0 &&
			bundle_publish_parse("1:1/sctp", &a, &b, NULL) < 0 &&
			bundle_publish_parse("1-2:3", &a, &b, NULL) < 0,
		"wrong ports");
	ok(bundle_publish_parse("[::1]:1:2/udp", &a, &b, NULL) == 0 && a == 1 && b == 2,
		"an address before ports");
}

int main(void)
{
	static const char *const dirs[] = { "ROOT", "ROOT/etc", "ROOT/root", "ROOT/srv", "ROOT/app" };
	auto_err *err = NULL;
	int fd;

	log_set_level(-1);
	if (!mkdtemp(top) || setenv("HOME", top, 1) < 0 || unsetenv("UDOCKER_DIR") < 0 ||
		conf_load(NULL, &err) < 0)
		return 1;
	dirfd_ = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(dirfd_, dirs[i], 0755) < 0)
			return 1;
	if (symlinkat("/", dirfd_, "ROOT/out") < 0)
		return 1;
	write_file("ROOT/etc/passwd",
		"root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:w:/srv:/bin/sh\nfar:x:44:44::/gone:/bin/sh\n");
	write_file("ROOT/etc/group", "root:x:0:\nwww:x:33:\n");
	write_file("ROOT/srv/file", "");

	commands();
	environment();
	directories();
	annotations();
	bad_input();

	close(dirfd_);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_rm_tree(fd, top + strlen("/tmp/"), NULL) == 0, "cleaned up");
	close(fd);
	return tap_done();
}
