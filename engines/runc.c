/* SPDX-License-Identifier: Apache-2.0 */
/* runc, modes R1, R2 and R3. Also what calls itself neither runc nor crun but was named in the setting: it will speak runc's command line. */
#include "engines/runc.h"

#include "engines/oci_delegate.h"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer runc_answers[] = {
	OCI_ANSWERS_COMMON,
	{ "domainname", ENGINE_APPLIES, "from runc 1.2 on" },
	{ "process.user.uid", ENGINE_APPLIES, "an ordinary caller's program runs as 0" },
	{ "process.user.gid", ENGINE_APPLIES, "an ordinary caller's program runs as 0" },
	{ "process.scheduler", ENGINE_APPLIES, "from runc 1.2 on" },
	{ "process.ioPriority", ENGINE_APPLIES, "from runc 1.2 on" },
	{ "process.execCPUAffinity", ENGINE_APPLIES, "from runc 1.3 on" },
	{ "linux.timeOffsets", ENGINE_APPLIES, "from runc 1.2 on" },
	{ NULL, ENGINE_IGNORES, NULL },
};
/* clang-format on */

static bool is_runc(const char *base)
{
	return !strstr(base, "crun") && !strstr(base, "runsc");
}

static const char *const names[] = { "runc", NULL };
static const char *const bundled[] = { "runc-%", "runc", NULL };
static const char *const modes[] = { "R1", "R2", "R3", NULL };
/* Root, too, may sit in a container that has its control groups read-only. */
static const char *const no_cgroups[] = { "--rootless", "true", NULL };
static const struct find_rule rule = { CONF_USE_RUNC_EXECUTABLE, names, bundled, is_runc };
static const struct oci_delegate delegate = {
	.engine = &engine_runc,
	.rule = &rule,
	.version_mark = "version ",
	.no_cgroups = no_cgroups,
	.package = "runc",
};

static int runc_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	return oci_delegate_probe(&delegate, mode, ret, err);
}

static int runc_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	return oci_delegate_plan(&delegate, ctx, probe, ret, err);
}

const struct engine engine_runc = {
	.name = "runc",
	.modes = modes,
	.kind = ENGINE_DELEGATE,
	.answers = runc_answers,
	.probe = runc_probe,
	.plan = runc_plan,
};
