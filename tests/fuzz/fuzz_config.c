/* SPDX-License-Identifier: Apache-2.0 */
/* config: what passes the check of config.json can be read by every reader and edited, and passes again. */
#include "oci-spec/runtime_config.h"
#include "oci-spec/runtime_state.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_readers(const struct json *j)
{
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;
	auto_runtime_process p = RUNTIME_PROCESS_INIT;

	must(runtime_mounts_read(j, &m, NULL) == 0);
	for (size_t i = 0; i < m.n; i++)
		must(m.items[i].destination[0] == '/' && m.items[i].type && m.items[i].source);
	for (int kind = 0; kind < HOOK_N; kind++) {
		auto_runtime_hooks h = RUNTIME_HOOKS_INIT;

		must(runtime_hooks_read(j, (enum runtime_hook_kind)kind, &h, NULL) == 0);
		for (size_t i = 0; i < h.n; i++)
			must(h.items[i].path[0] == '/' && h.items[i].timeout >= 0);
	}
	if (json_is(json_get(j, "process"), JSON_OBJECT)) {
		must(runtime_process_read(json_get(j, "process"), "process", &p, NULL) == 0);
		must(p.args.n > 0 && p.cwd[0] == '/');
	}
	must(runtime_root_path(j) && runtime_version_parse(runtime_oci_version(j), NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const options[] = { "ro", NULL };
	auto_json *j = NULL;
	auto_err *err = NULL;
	auto_runtime_state s = RUNTIME_STATE_INIT;
	auto_runtime_process p = RUNTIME_PROCESS_INIT;
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;

	if (json_parse((const char *)data, size, "input", NULL, &j, NULL) < 0)
		return 0;
	(void)runtime_state_from_json(j, "state", &s, NULL); /* must not harm */
	(void)runtime_process_read(j, "process", &p, NULL); /* unchecked documents as well */
	(void)runtime_mounts_read(j, &m, NULL);
	if (runtime_config_check(j, &err) < 0) {
		must(err && !strchr(err_text(err), '\n'));
		return 0;
	}
	check_readers(j);
	runtime_set_annotation(j, "k", "v");
	runtime_add_mount(j, "/x", "bind", "/y", options);
	runtime_add_namespace(j, "user");
	runtime_remove_namespace(j, "pid");
	runtime_set_id_maps(j, 0, 1, 0, 1);
	must(runtime_config_check(j, NULL) == 0);
	check_readers(j);
	return 0;
}
