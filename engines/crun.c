/* SPDX-License-Identifier: Apache-2.0 */
/* crun, modes R1, R2 and R3: three times faster to start than runc, and able to map an id other than root, but not on hosts with hybrid cgroups. */
#include "engines/crun.h"

#include "engines/oci_delegate.h"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer crun_answers[] = {
	OCI_ANSWERS_COMMON,
	{ "domainname", ENGINE_APPLIES, "with a uts namespace" },
	{ "process.user.uid", ENGINE_APPLIES, NULL },
	{ "process.user.gid", ENGINE_APPLIES, NULL },
	{ "process.scheduler", ENGINE_APPLIES, "from crun 1.8.5 on" },
	{ "process.ioPriority", ENGINE_APPLIES, "from crun 1.8.6 on" },
	{ "process.execCPUAffinity", ENGINE_APPLIES, "from crun 1.19 on" },
	{ "linux.timeOffsets", ENGINE_APPLIES, "from crun 1.8.4 on" },
	{ NULL, ENGINE_IGNORES, NULL },
};
/* clang-format on */

static bool is_crun(const char *base)
{
	return strstr(base, "crun") != NULL;
}

static const char *const names[] = { "crun", NULL };
static const char *const bundled[] = { "crun-%", "crun", NULL };
static const char *const modes[] = { "R1", "R2", "R3", NULL };
static const char *const no_cgroups[] = { "--cgroup-manager=disabled", NULL };
static const struct find_rule rule = { CONF_USE_RUNC_EXECUTABLE, names, bundled, is_crun };
static const struct oci_delegate delegate = {
	.engine = &engine_crun,
	.rule = &rule,
	.version_mark = "version ",
	.no_cgroups = no_cgroups,
	.package = "crun",
};

static int crun_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	return oci_delegate_probe(&delegate, mode, ret, err);
}

static int crun_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	return oci_delegate_plan(&delegate, ctx, probe, ret, err);
}

const struct engine engine_crun = {
	.name = "crun",
	.modes = modes,
	.kind = ENGINE_DELEGATE,
	.answers = crun_answers,
	.probe = crun_probe,
	.plan = crun_plan,
};
