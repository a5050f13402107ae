/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What docker's options of `run` (cli/docker_options.h) make of a run: mounts, host names, capabilities, limits, namespaces. Each goes into config.json as the
 * runtime specification has it; an engine that cannot apply it says so itself.
 */
#ifndef UDOCKER_BUNDLE_DOCKER_H
#define UDOCKER_BUNDLE_DOCKER_H

#include "pkg/base/base.h"

struct bundle_volumes;
struct docker_options;
struct err;
struct json;
struct strv;

/* ---- docker_mounts.c ---- */

/* --mount, --tmpfs and --shm-size. ERR_USAGE; a source that is missing is an error of the system. */
int bundle_docker_volumes(const struct docker_options *d, struct bundle_volumes *v, struct err **err);

/* ---- docker_names.c ---- */

/*
 * Contents of /etc/hosts and /etc/resolv.conf where options change them, else NULL. A default bind of that file is taken off the list; one that the user
 * asked for stays, with a warning. `rootfd`: whose own /etc/hosts is the beginning.
 */
struct bundle_names {
	char *hosts, *resolv;
};
#define BUNDLE_NAMES_INIT ((struct bundle_names){ NULL, NULL })
int bundle_docker_names(const struct docker_options *d, int rootfd, struct bundle_volumes *v,
	struct bundle_names *ret, struct err **err);
void bundle_names_free(struct bundle_names *n);

/* ---- docker_process.c ---- */

/* Capabilities: `caps` holds the defaults. ERR_USAGE for one that does not exist. */
int bundle_docker_caps(const struct docker_options *d, struct strv *caps, struct err **err);
/* Security options, limits, labels: into config.json. ERR_USAGE. */
int bundle_docker_process(const struct docker_options *d, struct json *config, struct err **err);
/* May the label be an annotation? Those with a meaning for runtimes do not come from images. */
bool bundle_annotation_is_reserved(const char *key);

/* ---- docker_namespaces.c ---- */

/* Namespaces and control groups: into config.json; what has no effect is added to `ignored`. ERR_USAGE. */
int bundle_docker_namespaces(
	const struct docker_options *d, struct json *config, struct strv *ignored, struct err **err);
/* What engines call the properties that these options ask for (ANNOTATION_ASKED). */
void bundle_docker_asked(const struct docker_options *d, struct strv *ret);
/* --gpus: "all" or numbers, as nvidia_find() takes them; NULL: none. Caller frees. ERR_USAGE. */
int bundle_docker_gpus(const struct docker_options *d, char **ret, struct err **err);

#endif
