/* SPDX-License-Identifier: Apache-2.0 */
/* The table of media types. */
#include "oci-spec/media_types.h"
#include "tests/unit/tap.h"

int main(void)
{
	const struct media_type *t;

	is_int(media_type_kind(MEDIA_OCI_MANIFEST), MEDIA_MANIFEST, "manifest");
	is_int(media_type_kind("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), MEDIA_MANIFEST,
		"parameters");
	is_int(media_type_kind("Application/Vnd.Docker.Distribution.Manifest.List.v2+json"), MEDIA_INDEX,
		"case");
	is_int(media_type_kind("application/vnd.docker.distribution.manifest.v1+prettyjws"), MEDIA_SCHEMA1,
		"schema 1");
	is_int(media_type_kind("application/json"), MEDIA_UNKNOWN, "unknown");
	is_int(media_type_kind(""), MEDIA_UNKNOWN, "empty");
	is_int(media_type_kind(MEDIA_OCI_LAYER "+brotli"), MEDIA_UNKNOWN, "no prefix matches");
	t = media_type_find(MEDIA_OCI_LAYER_ZSTD);
	ok(t->kind == MEDIA_LAYER && t->compression == MEDIA_ZSTD && !t->docker && !t->foreign, "zstd layer");
	t = media_type_find("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
	ok(t->kind == MEDIA_LAYER && t->docker && t->foreign && t->compression == MEDIA_GZIP,
		"foreign layer");
	is_str(media_type_layer(true, MEDIA_GZIP), MEDIA_DOCKER_LAYER_GZIP, "docker gzip layer");
	is_str(media_type_layer(false, MEDIA_PLAIN), MEDIA_OCI_LAYER, "oci tar layer");
	is_str(media_type_layer(true, MEDIA_PLAIN), MEDIA_DOCKER_LAYER, "docker tar layer");
	return tap_done();
}
