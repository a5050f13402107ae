/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image manifests: OCI, Docker schema 2, and schema 1 for reading (also as udocker 1.3.x renders them back). Layers are always listed from the
 * base up. Manifests are never written back: their bytes are kept; manifest_build() makes new ones for images that come without.
 */
#ifndef UDOCKER_MANIFEST_H
#define UDOCKER_MANIFEST_H

#include "oci-spec/descriptor.h"
#include "oci-spec/media_types.h"
#include "pkg/base/base.h"

struct err;
struct json;

#define MANIFEST_MAX_BYTES ((size_t)4 << 20)
#define MANIFEST_MAX_LAYERS 4096

struct manifest {
	enum media_kind kind; /* MEDIA_MANIFEST or MEDIA_SCHEMA1 */
	bool docker; /* Docker schema 2 or 1 */
	char *media_type; /* never NULL: as written, or concluded from the content */
	struct descriptor config; /* digest unset in schema 1 */
	struct descriptor
		*layers; /* base first; in schema 1 sizes are -1, media type is Docker's gzip layer */
	size_t n_layers;
	char *v1_config; /* schema 1: the text of history[0].v1Compatibility, else NULL */
	char *artifact_type; /* of an OCI artifact, or NULL */
	struct json *annotations; /* or NULL; owned */
};

/* What a document is by its content and `mediaType`: MEDIA_INDEX, MEDIA_MANIFEST, MEDIA_SCHEMA1 or MEDIA_UNKNOWN. `header` (may be NULL) is a Content-Type, a hint only. */
enum media_kind manifest_sniff(const struct json *j, const char *header);

/*
 * True for what one reader may take for a manifest and another for an index (CVE-2021-41190): members of both, or a mediaType that its members belie. Such
 * a document is nobody's image.
 */
bool manifest_is_ambiguous(const struct json *j);

/* `where` names the source in messages. ERR_CORRUPT; ERR_UNSUPPORTED for an index. Caller frees with manifest_free(). */
int manifest_from_json(const struct json *j, const char *where, struct manifest **ret, struct err **err);
int manifest_parse(const char *text, size_t n, const char *where, struct manifest **ret, struct err **err);
void manifest_free(struct manifest *m);
DEFINE_CLEANUP(manifest_cleanup, struct manifest, manifest_free);
#define auto_manifest CLEANUP(manifest_cleanup) struct manifest

/* A new document from config and layers with the media types they carry; Docker schema 2 or OCI by `docker`. Both must have a size. */
struct json *manifest_build(
	bool docker, const struct descriptor *config, const struct descriptor *layers, size_t n);

/* The config is an image's (not an artifact's): Docker or OCI config type, or none stated. */
bool manifest_is_image(const struct manifest *m);

#endif
