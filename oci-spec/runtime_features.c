/* SPDX-License-Identifier: Apache-2.0 */
/* The features document. */
#include "oci-spec/runtime_features.h"

#include "pkg/base/json.h"

static void add_list(struct json *object, const char *key, const char *const *list)
{
	struct json *a;

	if (!list)
		return;
	a = json_need_array(object, key);
	for (; *list; list++)
		json_append(a, json_new_str(*list));
}

struct json *runtime_features_to_json(const struct runtime_features *f)
{
	struct json *j = json_new_object(), *linux_part;

	json_set_str(j, "ociVersionMin", f->oci_version_min);
	json_set_str(j, "ociVersionMax", f->oci_version_max);
	add_list(j, "hooks", f->hooks);
	add_list(j, "mountOptions", f->mount_options);
	linux_part = json_need_object(j, "linux");
	add_list(linux_part, "namespaces", f->namespaces);
	add_list(linux_part, "capabilities", f->capabilities);
	if (f->has_seccomp)
		json_set_bool(json_need_object(linux_part, "seccomp"), "enabled", f->seccomp);
	if (f->has_idmap) {
		struct json *ext = json_need_object(linux_part, "mountExtensions");

		json_set_bool(json_need_object(ext, "idmap"), "enabled", f->idmap);
	}
	for (size_t i = 0; f->annotations && f->annotations[i] && f->annotations[i + 1]; i += 2)
		json_set_str(json_need_object(j, "annotations"), f->annotations[i], f->annotations[i + 1]);
	return j;
}
