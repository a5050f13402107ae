/* SPDX-License-Identifier: Apache-2.0 */
/* Media types of the OCI image specification and of Docker, in one table: what each one is and how it is compressed. */
#ifndef UDOCKER_MEDIA_TYPES_H
#define UDOCKER_MEDIA_TYPES_H

#include "pkg/base/base.h"

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_INDEX, /* OCI index, Docker manifest list */
	MEDIA_MANIFEST, /* OCI manifest, Docker schema 2 */
	MEDIA_SCHEMA1, /* Docker schema 1, signed or not */
	MEDIA_CONFIG, /* an image configuration */
	MEDIA_LAYER, /* a tar, maybe compressed */
	MEDIA_LAYOUT, /* oci-layout */
	MEDIA_EMPTY, /* the two bytes {} of artifacts */
};

enum media_compression { MEDIA_PLAIN, MEDIA_GZIP, MEDIA_ZSTD };

struct media_type {
	const char *name;
	enum media_kind kind;
	enum media_compression compression;
	bool docker;
	bool foreign; /* non-distributable: may be absent from a registry and is fetched from `urls` */
};

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"

/* The row of a name; parameters behind ';' and case are ignored. A row of kind MEDIA_UNKNOWN for what is not there, never NULL. */
const struct media_type *media_type_find(const char *name);
enum media_kind media_type_kind(const char *name);
/* The name for a layer of that compression in a manifest of that family. */
const char *media_type_layer(bool docker, enum media_compression compression);
/* All rows, the last with a NULL name. */
const struct media_type *media_type_table(void);

#endif
