/* SPDX-License-Identifier: Apache-2.0 */
/* Where `copy` reads and writes, as skopeo and podman write it: docker://REF, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], store:REF. */
#ifndef UDOCKER_IMAGE_TRANSPORT_H
#define UDOCKER_IMAGE_TRANSPORT_H

#include "pkg/base/base.h"

struct err;

enum transport_kind {
	TRANSPORT_REGISTRY,
	TRANSPORT_OCI,
	TRANSPORT_OCI_ARCHIVE,
	TRANSPORT_DOCKER_ARCHIVE,
	TRANSPORT_STORE,
};

struct transport {
	enum transport_kind kind;
	char *path; /* NULL for a registry and the store */
	char *name; /* a reference; of a layout what comes behind its colon. NULL where it was left out */
	const char *text; /* as typed; borrowed */
};

/* A path ends at its first colon. ERR_USAGE. Caller frees. */
int transport_parse(const char *text, struct transport *ret, struct err **err);
void transport_free(struct transport *t); /* leaves it empty */
#define auto_transport CLEANUP(transport_free) struct transport

#endif
