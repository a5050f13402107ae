/* SPDX-License-Identifier: Apache-2.0 */
/* Image configurations as docker, OCI tools and udocker 1.3.x write them. */
#include "oci-spec/image_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static struct image_config *parse(const char *text)
{
	struct image_config *c = NULL;
	auto_err *err = NULL;

	if (image_config_parse(text, strlen(text), "config", &c, &err) < 0)
		printf("# %s\n", err_text(err));
	return c;
}

static void refused(const char *text, const char *path)
{
	auto_err *err = NULL;
	struct image_config *c = NULL;

	ok(image_config_parse(text, strlen(text), "config", &c, &err) < 0 && err_is(err, ERR_CORRUPT) &&
			strstr(err_text(err), path),
		"refused with its path: %s", path);
	image_config_free(c);
}

static void full(void)
{
	auto_image_config *c = parse(
		"{\"created\":\"2024-01-01T00:00:00Z\",\"author\":\"me\",\"os\":\"linux\",\"architecture\":"
		"\"arm64\","
		"\"variant\":\"v8\",\"config\":{\"User\":\"www:data\",\"WorkingDir\":\"/"
		"w\",\"Env\":[\"A=1\",\"B=x=y\"],"
		"\"Entrypoint\":[\"/e\",\"a b\"],\"Cmd\":[\"c\"],\"ExposedPorts\":{\"80/tcp\":{},\"443\":{}},"
		"\"Volumes\":{\"/v\":{}},\"Labels\":{\"l\":\"1\",\"m\":\"\"},\"StopSignal\":\"SIGQUIT\"},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]},"
		"\"history\":[{\"created_by\":\"x\",\"empty_layer\":true}]}");

	if (!ok(c != NULL, "a full one"))
		return;
	is_str(c->user, "www:data", "user");
	is_str(c->working_dir, "/w", "working directory");
	is_int(c->env.n, 2, "env");
	is_str(c->env.v[1], "B=x=y", "env value");
	is_int(c->entrypoint.n, 2, "entrypoint");
	is_str(c->entrypoint.v[1], "a b", "words of a list stay whole");
	is_str(c->exposed_ports.v[0], "80/tcp", "ports in order");
	is_str(c->labels.v[0], "l=1", "label");
	is_str(c->stop_signal, "SIGQUIT", "stop signal");
	is_int(c->n_diff_ids, 1, "diff ids");
	ok(c->n_history == 1 && c->history[0].empty_layer, "history");
	is_str(c->platform.arch, "arm64", "machine");
}

static void odd(void)
{
	auto_image_config *v1 = parse("{\"container_config\":{\"Cmd\":[\"x\"],\"Env\":null}}");
	auto_image_config *lower =
		parse("{\"config\":{\"cmd\":[\"y\"],\"Entrypoint\":null,\"workingdir\":\"/l\"},"
		      "\"container_config\":{\"Cmd\":[\"x\"],\"User\":\"no\"}}");
	auto_image_config *words = parse("{\"config\":{\"Cmd\":\"sh  -c ls\",\"User\":1000}}");
	auto_image_config *empty = parse("{\"config\":{},\"rootfs\":null,\"history\":null}");

	is_str(v1 && v1->cmd.n ? v1->cmd.v[0] : NULL, "x", "container_config stands in for config");
	is_str(lower && lower->cmd.n ? lower->cmd.v[0] : NULL, "y", "lower-case keys");
	is_str(lower ? lower->working_dir : NULL, "/l", "lower-case working directory");
	ok(lower && !lower->user, "container_config is not mixed in");
	is_int(words ? words->cmd.n : 0, 3, "a string is split at blanks");
	is_str(words ? words->user : NULL, "1000", "a user without quotes");
	ok(empty && !empty->user && empty->cmd.n == 0 && empty->n_history == 0, "an empty one");
}

static void skimmed(void)
{
	static const char text[] =
		"{\"created\":\"2026-01-01T00:00:00Z\",\"os\":\"linux\",\"architecture\":\"x86_64\","
		"\"config\":{\"Env\":[\"A=b\"]},\"history\":[{\"comment\":\"c\"}]}";
	auto_image_config *c = NULL, *no = NULL;

	if (!ok(image_config_skim(text, strlen(text), "doc", &c, NULL) == 0, "skimmed"))
		return;
	is_str(c->created, "2026-01-01T00:00:00Z", "created");
	is_str(c->platform.arch, "amd64", "architecture, normalised as ever");
	is_int(c->env.n, 0, "nothing more");
	ok(image_config_skim("[]", 2, "doc", &no, NULL) < 0, "no object");
	ok(image_config_skim("{\"os\":1}", 8, "doc", &no, NULL) < 0, "an os that is no string");
	ok(image_config_skim("{\"x\":[}", 7, "doc", &no, NULL) < 0, "no JSON");
}

int main(void)
{
	skimmed();
	struct platform p;
	auto_json *j = NULL;
	autofree char *text = NULL;
	auto_image_config *again = NULL;

	full();
	odd();
	refused("[]", "config: expected");
	refused("{\"config\":[]}", "config.config");
	refused("{\"config\":{\"Env\":[1]}}", "Env[0]");
	refused("{\"config\":{\"Env\":{}}}", "config.config.Env");
	refused("{\"config\":{\"Cmd\":true}}", "config.config.Cmd");
	refused("{\"config\":{\"User\":[]}}", "config.config.User");
	refused("{\"config\":{\"Labels\":{\"a\":1}}}", "config.config.Labels.a");
	refused("{\"config\":{\"ExposedPorts\":\"80\"}}", "config.config.ExposedPorts");
	refused("{\"rootfs\":{\"diff_ids\":[\"x\"]}}", "config.rootfs.diff_ids[0]");
	refused("{\"rootfs\":{\"diff_ids\":{}}}", "config.rootfs.diff_ids");
	refused("{\"history\":[1]}", "config.history[0]");
	refused("{\"os\":\"../..\"}", "config.os");
	platform_host(&p);
	j = image_config_build(
		&(struct image_config_facts){ .platform = &p, .created = "2024-01-01T00:00:00Z" });
	text = json_text(j, 0);
	again = parse(text);
	is_str(again && again->n_history ? again->history[0].comment : NULL, "created by udocker",
		"built and read");
	return tap_done();
}
