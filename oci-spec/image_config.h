/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image configurations (image-spec, config.md) as docker, OCI tools and udocker 1.3.x write them: `config`, else `container_config`; a missing
 * member is looked for in lower case too; a string where a list belongs is split at blanks (udocker-compat 6.6).
 */
#ifndef UDOCKER_IMAGE_CONFIG_H
#define UDOCKER_IMAGE_CONFIG_H

#include "oci-spec/digest.h"
#include "oci-spec/platform.h"
#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;

#define IMAGE_CONFIG_MAX_BYTES ((size_t)8 << 20)

struct image_history {
	char *created, *author, *created_by, *comment; /* each may be NULL */
	bool empty_layer;
};

struct image_config {
	struct platform platform; /* as written, normalised; parts may be "" */
	char *created; /* RFC 3339 as written, or NULL */
	char *author; /* or NULL */
	struct digest *diff_ids; /* base first; may be none (1.3.x) */
	size_t n_diff_ids;
	struct image_history *history;
	size_t n_history;

	char *user; /* each may be NULL */
	char *working_dir;
	char *stop_signal;
	char *hostname, *domainname;
	struct strv env; /* KEY=VALUE */
	struct strv entrypoint;
	struct strv cmd;
	struct strv exposed_ports; /* "80/tcp", in the document's order */
	struct strv volumes;
	struct strv labels; /* KEY=VALUE, the key holds no '=' by what tools write; split at the first */
};

/* ERR_CORRUPT with the path of what is wrong. Caller frees. */
int image_config_from_json(
	const struct json *j, const char *where, struct image_config **ret, struct err **err);
int image_config_parse(
	const char *text, size_t n, const char *where, struct image_config **ret, struct err **err);
/*
 * What a listing shows, of a text that may be large: `platform` and `created` alone are set, and of the rest nothing but that it is JSON was
 * looked at. Caller frees.
 */
int image_config_skim(
	const char *text, size_t n, const char *where, struct image_config **ret, struct err **err);
void image_config_free(struct image_config *c);
DEFINE_CLEANUP(image_config_cleanup, struct image_config, image_config_free);
#define auto_image_config CLEANUP(image_config_cleanup) struct image_config

/* Of content that has no configuration (`import`). */
struct image_config_facts {
	const struct platform *platform;
	const char *id; /* or NULL */
	const char *created; /* RFC 3339 */
	int64_t size; /* of what is stored; 0: there is no layer */
	const struct digest *diff_id; /* of the one layer, or NULL */
};

/* Has the members that 1.3.x and `docker import` write, all empty, and one history entry. */
struct json *image_config_build(const struct image_config_facts *facts);

#endif
