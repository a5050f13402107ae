/* SPDX-License-Identifier: Apache-2.0 */
/* The table of run options: what parses, and that it can be handed on as words. */
#include "pkg/base/err.h"
#include "pkg/cli/run_options.h"
#include "tests/unit/tap.h"

static const struct cli_option *const tables[] = { run_config_options, run_docker_options, NULL };

static int parse(struct run_options *o, char **argv)
{
	int argc = 0, first = 0;

	memset(o, 0, sizeof(*o));
	while (argv[argc])
		argc++;
	return cli_parse(tables, o, argc, argv, false, &first, NULL) == 0 ? first : -1;
}

int main(void)
{
	struct run_options o, again;
	auto_strv words = STRV_INIT, emitted = STRV_INIT;

	strv_split(&words,
		"-it -v=/a:/b -v /c --volume=/d -e A=1 --env B=2 -u root:0 --entrypoint= -w /w -p 1:2 -P "
		"--kernel=6 "
		"--hostauth -a --dns 1.1.1.1 --volumes-from=x --read-only --cpuset-cpus=0 image -v cmd",
		" ");
	is_int(parse(&o, words.v), (int)words.n - 3, "options end at the image");
	ok(o.interactive && o.tty, "-it");
	is_int(o.volume.n, 3, "volumes in every spelling");
	is_str(o.volume.v[2], "/d", "in order");
	is_int(o.env.n, 2, "env");
	is_str(o.user, "root:0", "user");
	is_str(o.entrypoint, "", "an empty entrypoint is one");
	ok(o.publish_all && o.hostauth && o.read_only && !o.nometa, "flags");
	cli_emit(run_config_options, &o, &emitted);
	strv_add(&emitted, "image");
	is_int(parse(&again, emitted.v), (int)emitted.n - 1, "what is emitted parses");
	is_int(again.volume.n, 3, "to the same volumes");
	is_str(again.entrypoint, "", "the same entrypoint");
	is_str(again.cpuset_cpus, "0", "the same processors");
	ok(again.tty && again.publish_all && again.hostauth, "the same flags");
	cli_free_options(tables, &o);
	cli_free_options(tables, &again);
	return tap_done();
}
