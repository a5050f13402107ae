/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repos/: image tags. A tag is the folder repos/<repo>/<tag>/ with TAG, v1 or v2, manifest (v2) or ancestry (v1), PROTECT and
 * relative links into layers/ (udocker-compat 2.2, 2.3). We write v2 alone and read both. Nothing here unpacks anything.
 */
#ifndef UDOCKER_IMAGES_H
#define UDOCKER_IMAGES_H

#include "pkg/base/base.h"
#include "pkg/base/str.h"

struct err;
struct json;
struct store;
struct strv;

#define IMAGE_MANIFEST_MAX ((size_t)4 << 20)
#define IMAGE_CONFIG_MAX ((size_t)8 << 20)
#define IMAGE_LAYERS_MAX 4096

/* ---- one image ---- */

struct image_layer {
	char *file; /* name in layers/ */
	char *digest; /* the same, if it is a digest; else NULL (images that 1.3.x loaded or imported) */
	char *media_type; /* from the manifest, or NULL: look at the content */
	int64_t size; /* from the manifest, -1 if unknown */
};

struct image {
	char *repo, *tag;
	char *name; /* "repo:tag" as it is stored, which may differ from what was asked for */
	char *dir; /* absolute path of the folder */
	int fd; /* the folder */
	int version; /* 1 or 2: the metadata's flavour */
	bool protected;
	char *manifest; /* v2: the manifest's text, else NULL */
	size_t manifest_len;
	char *digest; /* by image_digest() */
	char *config_file; /* name in layers/; NULL when the config lies inside a schema 1 manifest */
	char *config_digest; /* config_file if it is a digest, else NULL */
	int64_t config_size; /* from the manifest, -1 if unknown */
	char *inline_config; /* schema 1: the text */
	uint64_t meta_ino,
		meta_ctime_ns; /* of the file with the metadata, when it was opened: image_is_current() */
	struct image_layer *layers; /* base first */
	size_t n_layers;
};

/*
 * References are those of oci-spec/reference.h, ERR_USAGE when malformed. Find one in the store: the literal folder; else the folder into which 1.3.x mis-splits "host:port/name:tag" (FIX-12); for a digest
 * reference also a tag of that repository whose manifest has the digest. ERR_NOT_FOUND "no such image: REF"; ERR_CORRUPT when the tag is broken.
 * That the blobs exist is not looked at: opening them says so. Caller frees.
 */
int image_open(struct store *s, const char *ref, struct image **ret, struct err **err);
/*
 * The same for long work: the blobs are opened as well, and layer_open() finds them for as long as the store is open, even when somebody
 * removes or replaces the image. Missing blobs are no error here.
 */
int image_open_held(struct store *s, const char *ref, struct image **ret, struct err **err);
/* False when it was removed or replaced since it was opened: what then looks like damage may be none. */
bool image_is_current(const struct image *img);
void image_free(struct image *img);
DEFINE_CLEANUP(image_cleanup, struct image, image_free);
#define auto_image CLEANUP(image_cleanup) struct image

/*
 * The digest of the manifest's bytes, inside img; NULL for a v1 image and where there is no libcrypto. It is not the registry's where 1.3.x
 * re-serialised the manifest.
 */
const char *image_digest(struct image *img);

/* True if the reference names an image (a TAG file is there); reads nothing more. */
bool image_exists(struct store *s, const char *ref);

/* The config's bytes, as they are stored (at most IMAGE_CONFIG_MAX), into an empty ret; ERR_NOT_FOUND when the blob is gone. */
int image_read_config(struct store *s, const struct image *img, struct str *ret, struct err **err);
/* The same, parsed; an object or ERR_CORRUPT. Caller frees. */
int image_config(struct store *s, const struct image *img, struct json **ret, struct err **err);

/* ---- listing ---- */

struct image_info {
	char *repo, *tag, *name; /* name: "repo:tag" */
	char *dir; /* absolute */
	bool protected;
	/* The rest with IMAGE_LIST_DETAILS only; empty or -1 when the metadata cannot be read. */
	char *digest; /* as image_digest(), or NULL */
	char *created; /* RFC 3339 as the config has it, or NULL */
	char *os, *architecture, *variant; /* NULL when unknown */
	int64_t size; /* bytes of all layers as stored */
	size_t n_layers;
	bool broken;
};
struct image_list {
	struct image_info *v; /* sorted by name */
	size_t n, cap;
};
enum image_list_flags {
	IMAGE_LIST_DETAILS = 1,
	IMAGE_LIST_REMEMBER =
		2, /* use and, in a large store, keep what a listing has read (listing.h); for looking alone */
};

/* A store that does not exist has no images. Folders that vanish or cannot be read on the way are left out (logged at debug level). */
int image_list(struct store *s, unsigned flags, struct image_list *ret, struct err **err);
void image_list_free(struct image_list *l);
/* List for the sake of the next one alone (store.at_close). */
void image_list_remember(struct store *s);
#define auto_image_list CLEANUP(image_list_free) struct image_list

/* The symbolic links of an image's folder, sorted, with the bytes they lead to (images -l). */
struct image_link {
	char *name;
	char *target; /* last component of the link's text: the name in layers/ */
	int64_t size; /* -1 when dangling */
};
int image_links(struct store *s, const char *dir, struct image_link **ret, size_t *ret_n, struct err **err);
void image_links_free(struct image_link *v, size_t n);

/* ---- changing ---- */

struct image_put {
	const char *ref; /* where to */
	const void *manifest; /* the bytes to store: an image manifest, OCI or docker */
	size_t manifest_len;
	bool must_be_new; /* an existing tag is ERR_EXISTS */
	/*
	 * Gets the names of blobs that the old image linked and the new one does not, for gc_drop() when all images of a load are stored.
	 * NULL: done at once.
	 */
	struct strv *dropped;
};
/*
 * Store a manifest under a reference, whose blobs (config and layers) must be in layers/ already: a new tag, or an existing one replaced
 * in place. At every instant, power cuts included, the tag is the old image or the new one. A blob that vanished meanwhile is
 * ERR_NOT_FOUND (the caller fetches it again or gives up) and leaves the tag as it was. A protected tag is ERR_DENIED.
 * *ret_name (may be NULL): "repo:tag".
 */
int image_put(struct store *s, const struct image_put *put, char **ret_name, struct err **err);

/* Give an image a further name, which must be free (ERR_EXISTS); an image of either flavour keeps it. */
int image_tag(struct store *s, const char *src, const char *dst, struct err **err);

/*
 * Remove a tag and the blobs nobody else links (compared by link target, FIX-14); with `dropped`, whatever it linked is added there for
 * one gc_drop() after several removals. ERR_DENIED when it is protected.
 */
int image_remove(struct store *s, const char *ref, struct strv *dropped, struct err **err);

/* Protecting an image that is, and unprotecting one that is not, is success. */
int image_protect(struct store *s, const char *ref, bool on, struct err **err);

#endif
