/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp: a profile is refused in one line or becomes a program that the kernel's limits allow; and what root's answers add to it (fake_root.h) can be
 * built if it could be before.
 */
#include <linux/filter.h>

#include "engines/fake_root.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/runtime/seccomp.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

static bool builds(const struct json *config)
{
	auto_seccomp_program p = SECCOMP_PROGRAM_INIT;
	auto_err *err = NULL;

	if (seccomp_build(config, &p, &err) < 0) {
		must(err && !strchr(err_text(err), '\n'));
		must(!p.words && !p.listener_path);
		return false;
	}
	must(!err && p.n <= BPF_MAXINSNS && (p.n == 0) == (p.words == NULL));
	must(!p.notifies || (p.listener_path && *p.listener_path == '/'));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json *config = json_new_object();
	struct json *profile = NULL, *linux_part = json_new_object();
	bool before;

	log_set_level(LOG_LEVEL_ERROR);
	if (json_parse((const char *)data, size, "input", NULL, &profile, NULL) < 0)
		profile = json_new_object();
	json_set(linux_part, "seccomp", profile);
	json_set(config, "linux", linux_part);
	before = builds(config);
	fake_root_seccomp(config, FAKE_ROOT_ALL);
	must(!before || builds(config));
	return 0;
}
