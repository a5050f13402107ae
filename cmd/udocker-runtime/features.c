/* SPDX-License-Identifier: Apache-2.0 */
/* features: the features document of the runtime specification. */
#include "oci-spec/runtime_features.h"

#include "cmd/udocker-runtime/program.h"
#include "pkg/base/json.h"
#include "pkg/cli/output.h"

static int features_run(const struct cli_call *call UNUSED, struct err **err UNUSED)
{
	static const char *const hooks[] = { "prestart", "createRuntime", "createContainer", "startContainer",
		"poststart", "poststop", NULL };
	static const char *const mount_options[] = { "async", "atime", "bind", "defaults", "dev", "diratime",
		"dirsync", "exec", "iversion", "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime",
		"noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid",
		"private", "rbind", "relatime", "remount", "ro", "rprivate", "rshared", "rslave",
		"runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid", "sync", "unbindable",
		NULL };
	static const char *const namespaces[] = { "cgroup", "ipc", "mount", "network", "pid", "user", "uts",
		NULL };
	static const char *const annotations[] = { "org.udocker.runtime.version", UDOCKER_VERSION, NULL };
	const struct runtime_features f = {
		.oci_version_min = "1.0.0",
		.oci_version_max = "1.3.0",
		.hooks = hooks,
		.mount_options = mount_options,
		.namespaces = namespaces,
		.annotations = annotations,
		.has_seccomp = true,
		.seccomp = true,
	};
	auto_json *j = runtime_features_to_json(&f);

	output_json(j);
	return 0;
}

const struct cli_command cmd_runtime_features = {
	.name = "features",
	.max_args = 0,
	.summary = "print what this runtime knows, for programs",
	.about = "The document lists what some engine can do; which engine does what is in "
		 "udocker-engines(7).",
	.run = features_run,
};
