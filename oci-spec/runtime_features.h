/* SPDX-License-Identifier: Apache-2.0 */
/* The features document (runtime-spec, features.md), put together from lists. */
#ifndef UDOCKER_RUNTIME_FEATURES_H
#define UDOCKER_RUNTIME_FEATURES_H

#include "pkg/base/base.h"

struct json;

/* Lists are NULL-terminated; a NULL list leaves its member out. */
struct runtime_features {
	const char *oci_version_min, *oci_version_max;
	const char *const *hooks;
	const char *const *mount_options;
	const char *const *namespaces;
	const char *const *capabilities;
	const char *const *annotations; /* key, value, key, value … */
	bool has_seccomp;
	bool seccomp;
	bool has_idmap;
	bool idmap;
};

struct json *runtime_features_to_json(const struct runtime_features *f);

#endif
