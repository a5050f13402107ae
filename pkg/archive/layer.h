/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer applied to a ROOT (image-spec, layer.md): entries, whiteouts, opaque directories. The layer comes from a stranger: every
 * path resolves inside ROOT, through its symbolic links as in a chroot, and nothing outside is read or changed. Everything belongs to
 * the caller (one-id map); device nodes and sockets are left out and counted.
 */
#ifndef UDOCKER_LAYER_H
#define UDOCKER_LAYER_H

#include "pkg/base/base.h"

struct err;
struct reader;
struct reader_entry;

struct layer_options {
	bool keep_setid; /* keep set-user-id and set-group-id bits; 1.3.x drops them. The sticky bit is always kept */
	/* Owners other than 0:0 go into user.rootlesscontainers (as umoci writes it) of files and directories; links cannot have it. */
	bool record_owner;
	bool keep_record; /* an archive of ours: what it has in that attribute is such a record, and kept */
	bool plain; /* no layer but an archive of files: names that begin with .wh. are names */
	bool write_out; /* the files will be synced: have the disk begin with each as soon as it is complete */
};

struct layer_stats { /* layer_apply() adds to what is there */
	uint64_t files, dirs, links; /* regular files, directories, symbolic and hard links and FIFOs */
	uint64_t bytes; /* of regular files */
	uint64_t devices, sockets; /* left out */
	uint64_t whiteouts;
	uint64_t attrs; /* extended attributes that could not be set */
};

/*
 * Apply the entries of r to the directory root_fd. Owners can always read and write what they get (u+rw,
 * directories u+rwx); modes do not depend on the umask; times to the nanosecond, directories' too, and those
 * that only get or lose entries keep theirs. Extended attributes user.*, trusted.* and security.capability
 * where the kernel lets us. A directory that was there before keeps its content and loses its old attributes.
 * Memory grows with the number of entries alone, some 20 bytes for each. ERR_CORRUPT names the entry that
 * cannot be, ERR_UNSUPPORTED: owners cannot be recorded there, ERR_SYSTEM also for an interrupt. On failure
 * ROOT is half-made: it belongs into a staging directory. Not synced.
 */
int layer_apply(struct reader *r, int root_fd, const struct layer_options *o, struct layer_stats *stats,
	struct err **err);

/*
 * The same entry by entry, for archives in which not all belongs to one ROOT: r is read by the caller, who gives entries under the names (and
 * hard links the targets) that they have below root_fd. Names are checked here. `o` is borrowed.
 */
struct layer;
struct layer *layer_begin(struct reader *r, int root_fd, const struct layer_options *o,
	struct layer_stats *stats); /* never NULL */
int layer_apply_entry(struct layer *l, const struct reader_entry *e, struct err **err);
/* After the last entry: 0, or -1 with an error. */
int layer_end(struct layer *l, struct err **err);
void layer_free(struct layer *l); /* the times of directories are set here; NULL is fine */
DEFINE_CLEANUP(layer_cleanup, struct layer, layer_free);
#define auto_layer CLEANUP(layer_cleanup) struct layer

#define LAYER_PATH_MAX 4095 /* PATH_MAX without the NUL: programs in the container could not name more */
/* A name as layer_apply_entry() takes it: leading slashes and "." components go, "" is ROOT itself; ERR_CORRUPT for one with ".." or too long. */
int layer_clean_name(const char *name, char ret[LAYER_PATH_MAX + 1], struct err **err);

/* The name of an entry as layer_apply() judges it before it looks at a ROOT: ERR_CORRUPT for one that no ROOT could take. */
int layer_check_name(const char *name, struct err **err);

#endif
