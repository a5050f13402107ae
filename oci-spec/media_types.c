/* SPDX-License-Identifier: Apache-2.0 */
/* The table of media types. */
#include "oci-spec/media_types.h"

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

/* clang-format off: a table reads best in columns */
static const struct media_type table[] = {
	/* name                                              kind            compression  docker foreign */
	{ MEDIA_OCI_INDEX, MEDIA_INDEX, MEDIA_PLAIN, false, false },
	{ MEDIA_OCI_MANIFEST, MEDIA_MANIFEST, MEDIA_PLAIN, false, false },
	{ MEDIA_OCI_CONFIG, MEDIA_CONFIG, MEDIA_PLAIN, false, false },
	{ MEDIA_OCI_LAYER, MEDIA_LAYER, MEDIA_PLAIN, false, false },
	{ MEDIA_OCI_LAYER_GZIP, MEDIA_LAYER, MEDIA_GZIP, false, false },
	{ MEDIA_OCI_LAYER_ZSTD, MEDIA_LAYER, MEDIA_ZSTD, false, false },
	{ OCI "layer.nondistributable.v1.tar", MEDIA_LAYER, MEDIA_PLAIN, false, true },
	{ OCI "layer.nondistributable.v1.tar+gzip", MEDIA_LAYER, MEDIA_GZIP, false, true },
	{ OCI "layer.nondistributable.v1.tar+zstd", MEDIA_LAYER, MEDIA_ZSTD, false, true },
	{ "application/vnd.oci.layout.header.v1+json", MEDIA_LAYOUT, MEDIA_PLAIN, false, false },
	{ "application/vnd.oci.empty.v1+json", MEDIA_EMPTY, MEDIA_PLAIN, false, false },
	{ MEDIA_DOCKER_LIST, MEDIA_INDEX, MEDIA_PLAIN, true, false },
	{ MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST, MEDIA_PLAIN, true, false },
	{ DOCKER "distribution.manifest.v1+json", MEDIA_SCHEMA1, MEDIA_PLAIN, true, false },
	{ DOCKER "distribution.manifest.v1+prettyjws", MEDIA_SCHEMA1, MEDIA_PLAIN, true, false },
	{ MEDIA_DOCKER_CONFIG, MEDIA_CONFIG, MEDIA_PLAIN, true, false },
	{ MEDIA_DOCKER_LAYER_GZIP, MEDIA_LAYER, MEDIA_GZIP, true, false },
	{ MEDIA_DOCKER_LAYER, MEDIA_LAYER, MEDIA_PLAIN, true, false },
	{ DOCKER "image.rootfs.diff.tar.zstd", MEDIA_LAYER, MEDIA_ZSTD, true, false },
	{ DOCKER "image.rootfs.foreign.diff.tar.gzip", MEDIA_LAYER, MEDIA_GZIP, true, true },
	{ DOCKER "image.rootfs.foreign.diff.tar", MEDIA_LAYER, MEDIA_PLAIN, true, true },
	{ DOCKER "container.image.rootfs.diff+x-gtar", MEDIA_LAYER, MEDIA_GZIP, true, false },
	{ NULL, MEDIA_UNKNOWN, MEDIA_PLAIN, false, false },
};
/* clang-format on */

const struct media_type *media_type_table(void)
{
	return table;
}

const struct media_type *media_type_find(const char *name)
{
	const struct media_type *t = table;
	size_t n = strcspn(name, "; \t");

	while (t->name && (strlen(t->name) != n || strncasecmp(t->name, name, n) != 0))
		t++;
	return t;
}

enum media_kind media_type_kind(const char *name)
{
	return media_type_find(name)->kind;
}

const char *media_type_layer(bool docker, enum media_compression compression)
{
	const struct media_type *t = table;

	while (t->name && !(t->kind == MEDIA_LAYER && t->docker == docker && t->compression == compression &&
				  !t->foreign))
		t++;
	return t->name;
}
