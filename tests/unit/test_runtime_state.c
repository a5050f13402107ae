/* SPDX-License-Identifier: Apache-2.0 */
/* The state and features documents. */
#include "oci-spec/runtime_features.h"
#include "oci-spec/runtime_state.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static void refused(const char *text, const char *path)
{
	auto_json *j = NULL;
	auto_runtime_state s = RUNTIME_STATE_INIT;
	auto_err *err = NULL;

	if (json_parse(text, strlen(text), "state", NULL, &j, NULL) < 0)
		ok(false, "json");
	ok(runtime_state_from_json(j, "state", &s, &err) < 0 && strstr(err_text(err), path), "refused: %s",
		path);
}

int main(void)
{
	char version[] = "1.0.2", id[] = "c", bundle[] = "/b", created[] = "2024-01-01T00:00:00Z";
	struct runtime_state s = { .oci_version = version,
		.id = id,
		.status = STATUS_RUNNING,
		.pid = 42,
		.bundle = bundle,
		.created = created };
	static const char *const hooks[] = { "prestart", NULL };
	struct runtime_features f = {
		.oci_version_min = "1.0.0", .oci_version_max = "1.2.0", .hooks = hooks
	};
	auto_json *j = runtime_state_to_json(&s), *stopped = NULL, *features = runtime_features_to_json(&f);
	autofree char *text = json_text(j, 0), *text2 = NULL, *text3 = json_text(features, 0);
	auto_runtime_state back = RUNTIME_STATE_INIT;
	enum runtime_status st;

	is_str(text,
		"{\"ociVersion\":\"1.0.2\",\"id\":\"c\",\"pid\":42,\"status\":\"running\",\"bundle\":\"/b\","
		"\"created\":\"2024-01-01T00:00:00Z\"}",
		"state");
	ok(runtime_state_from_json(j, "state", &back, NULL) == 0, "read back");
	ok(back.pid == 42 && back.status == STATUS_RUNNING, "with pid and status");
	s.status = STATUS_STOPPED;
	s.created = NULL;
	stopped = runtime_state_to_json(&s);
	text2 = json_text(stopped, 0);
	is_str(text2,
		"{\"ociVersion\":\"1.0.2\",\"id\":\"c\",\"pid\":0,\"status\":\"stopped\",\"bundle\":\"/b\"}",
		"no pid when stopped");
	refused("{}", "state.ociVersion");
	refused("[]", "state: expected");
	refused("{\"ociVersion\":\"1.0.2\",\"id\":\"c\",\"status\":\"gone\",\"bundle\":\"/b\"}",
		"state.status");
	refused("{\"ociVersion\":\"1.0.2\",\"id\":\"c\",\"status\":\"running\",\"bundle\":\"/b\",\"pid\":-7}",
		"state.pid");
	ok(runtime_status_parse("paused", &st) == 0 && st == STATUS_PAUSED, "status names");
	ok(runtime_status_parse("", &st) < 0, "no status");
	is_str(text3,
		"{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.2.0\",\"hooks\":[\"prestart\"],\"linux\":"
		"{}}",
		"features");
	return tap_done();
}
