/* SPDX-License-Identifier: Apache-2.0 */
/* The state document. */
#include "oci-spec/runtime_state.h"

#include <limits.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

static const char *const names[] = {
	[STATUS_CREATING] = "creating",
	[STATUS_CREATED] = "created",
	[STATUS_RUNNING] = "running",
	[STATUS_STOPPED] = "stopped",
	[STATUS_PAUSED] = "paused",
};

const char *runtime_status_name(enum runtime_status s)
{
	return names[s];
}

int runtime_status_parse(const char *text, enum runtime_status *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(text, names[i])) {
			*ret = (enum runtime_status)i;
			return 0;
		}
	}
	return -1;
}

struct json *runtime_state_to_json(const struct runtime_state *s)
{
	struct json *j = json_new_object();

	json_set_str(j, "ociVersion", s->oci_version);
	json_set_str(j, "id", s->id);
	json_set_i64(j, "pid", s->status == STATUS_STOPPED ? 0 : s->pid);
	json_set_str(j, "status", runtime_status_name(s->status));
	json_set_str(j, "bundle", s->bundle);
	json_set_str(j, "rootfs", s->rootfs);
	json_set_str(j, "created", s->created);
	if (s->annotations)
		json_set(j, "annotations", json_clone(s->annotations));
	json_set_str(j, "owner", s->owner);
	return j;
}

static int get_copy(
	const struct json *j, const char *where, const char *key, bool required, char **ret, struct err **err)
{
	const char *s = NULL;

	if (json_get_str(j, where, key, &s, err) < 0)
		return -1;
	if (!s && required)
		return err_make(err, ERR_CORRUPT, "%s.%s: missing", where, key);
	*ret = xstrdup_null(s);
	return 0;
}

static int read_state(const struct json *j, const char *where, struct runtime_state *s, struct err **err)
{
	autofree char *status = NULL;
	struct json *annotations = NULL;
	int64_t pid = 0;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (get_copy(j, where, "ociVersion", true, &s->oci_version, err) < 0 ||
		get_copy(j, where, "id", true, &s->id, err) < 0 ||
		get_copy(j, where, "status", true, &status, err) < 0 ||
		get_copy(j, where, "bundle", true, &s->bundle, err) < 0 ||
		get_copy(j, where, "rootfs", false, &s->rootfs, err) < 0 ||
		get_copy(j, where, "created", false, &s->created, err) < 0 ||
		get_copy(j, where, "owner", false, &s->owner, err) < 0 ||
		json_get_i64(j, where, "pid", 0, INT_MAX, &pid, err) < 0 ||
		json_get_object(j, where, "annotations", &annotations, err) < 0)
		return -1;
	if (runtime_status_parse(status, &s->status) < 0)
		return err_make(err, ERR_CORRUPT, "%s.status: '%.40s' is not a status", where, status);
	s->pid = (pid_t)pid;
	s->annotations = annotations ? json_clone(annotations) : NULL;
	return 0;
}

int runtime_state_from_json(
	const struct json *j, const char *where, struct runtime_state *ret, struct err **err)
{
	struct runtime_state s = RUNTIME_STATE_INIT;

	if (read_state(j, where, &s, err) < 0) {
		runtime_state_free(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

void runtime_state_free(struct runtime_state *s)
{
	free(s->oci_version);
	free(s->id);
	free(s->bundle);
	free(s->rootfs);
	free(s->created);
	free(s->owner);
	json_free(s->annotations);
	*s = RUNTIME_STATE_INIT;
}
