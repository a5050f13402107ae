/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one `save` takes out of the store: images, each once however many names it goes by, and their layers, each once however many images
 * share it. Private to save*.c.
 */
#ifndef UDOCKER_IMAGE_SAVE_SET_H
#define UDOCKER_IMAGE_SAVE_SET_H

#include "oci-spec/digest.h"
#include "oci-spec/platform.h"
#include "pkg/archive/inflate.h"
#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct image;
struct progress;
struct store;

struct save_layer {
	char *file; /* name in layers/ */
	enum inflate_kind kind; /* by its content */
	struct digest
		digest; /* of the stored bytes: its name, or (images that 1.3.x loaded) as they were found */
	uint64_t size; /* stored */
	struct digest diff_id; /* as the configurations say, or as it was found */
	bool looked; /* all of it was read: digest, diff id and plain size are facts */
	uint64_t plain_size; /* when looked at */

	/* After save_layer_convert(): what is saved in its place. */
	bool converted;
	enum inflate_kind new_kind;
	struct digest new_digest;
	uint64_t new_size;
	int new_fd; /* of a file without a name; -1 */
};

struct save_image {
	struct image *img;
	struct strv names; /* "repo:tag", or "repo@digest" for an image that is kept under its digest */
	struct save_layer **layers; /* base first; borrowed from the set */
	size_t n_layers;
	char *config; /* the text to save */
	size_t config_len;
	struct digest config_digest;
	bool config_changed; /* its diff ids were missing or wrong: not the text in the store */
	struct platform platform; /* as the configuration says */
	char *created; /* as the configuration says, or NULL */
};

/* Images that are saved under one name: one, or one for each platform. */
struct save_group {
	struct strv names;
	struct save_image **images; /* borrowed from the set */
	size_t n_images;
};

struct save_set {
	struct store *store;
	struct save_image **images;
	size_t n_images, cap_images;
	struct save_layer **layers;
	size_t n_layers, cap_layers;
	struct save_group *groups;
	size_t n_groups, cap_groups;
	struct progress *progress;
	uint64_t done; /* bytes of layers, for progress */
};
void save_set_free(struct save_set *set);
#define auto_save_set CLEANUP(save_set_free) struct save_set

/*
 * Add what a reference names; with `all` the tags that hold the same image for other platforms (image_platform_tag()) as well. Metadata is
 * read and checked, configurations against their digests; layers are not read, but for their first bytes.
 */
int save_set_add(struct save_set *set, const char *ref, bool all, struct err **err);

/*
 * When all are added: every layer gets its digest and diff id. Layers are read only where nothing says what they are (what 1.3.x loaded or
 * imported), or what is said cannot be right (FIX-58: diff ids of compressed files). Configurations are corrected in these cases alone.
 */
int save_set_settle(struct save_set *set, struct err **err);

/* Stored bytes of all layers. */
uint64_t save_set_bytes(const struct save_set *set);

/* ---- the bytes of a layer (save_layer.c) ---- */

typedef int save_sink(void *arg, const void *p, size_t n, struct err **err);

/* Read it all for digest, diff id and plain size. ERR_CORRUPT when a digest is not what its name says. */
int save_layer_look(struct save_set *set, struct save_layer *l, struct err **err);
/* The bytes as they are stored, or as they were converted. Behind the last one digest and size are checked: ERR_CORRUPT. */
int save_layer_send(struct save_set *set, struct save_layer *l, save_sink *sink, void *arg, struct err **err);
/* The plain tar; digest and diff id are checked behind the last byte. */
int save_layer_unpack(
	struct save_set *set, struct save_layer *l, save_sink *sink, void *arg, struct err **err);
/* Make another compression of it in fd (taken over), from which it is sent then. */
int save_layer_convert(
	struct save_set *set, struct save_layer *l, enum inflate_kind kind, int fd, struct err **err);

/* What save_layer_send() gives. */
const struct digest *save_layer_digest(const struct save_layer *l);
uint64_t save_layer_size(const struct save_layer *l);
enum inflate_kind save_layer_kind(const struct save_layer *l);

#endif
