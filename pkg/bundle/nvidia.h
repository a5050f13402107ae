/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs of a container need of the host's NVIDIA driver: its user-space half in exactly the version of the kernel's half (FIX-49), found
 * by a specification of the Container Device Interface or by looking for it; shown in the container by mounts, or copied into ROOT where a mode
 * cannot mount (udocker-compat 7.8). Nothing of the host or the container is run to find it.
 */
#ifndef UDOCKER_BUNDLE_NVIDIA_H
#define UDOCKER_BUNDLE_NVIDIA_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct container;
struct err;
struct json;

/*
 * In a container's folder: it was set up. 1.3.x writes it empty and asks only whether it is there. Ours is a JSON object: `copied` says what was put
 * into ROOT, so that it can be taken out again.
 */
#define NVIDIA_FILE "nvidia"

enum nvidia_kind { NVIDIA_PLAIN, NVIDIA_DEVICE, NVIDIA_SOCKET };
struct nvidia_item {
	enum nvidia_kind kind;
	char *host; /* absolute, without links */
	char *cont; /* absolute, clean */
};
struct nvidia_set {
	struct nvidia_item *items; /* each place once */
	size_t n, cap;
	char *version; /* of the driver, "" if a specification does not say */
	char *source; /* the specification's path, or "the driver's files" */
	struct strv env; /* KEY=VALUE, stronger than the image's */
	struct strv
		folders; /* of the container: behind LD_LIBRARY_PATH, for its loader's cache is not made anew */
	struct strv notes; /* what was left out, a line each, for people */
};
#define NVIDIA_SET_INIT ((struct nvidia_set){ 0 })
void nvidia_set_free(struct nvidia_set *s); /* leaves it empty */
#define auto_nvidia_set CLEANUP(nvidia_set_free) struct nvidia_set

/*
 * What the host has, for the container whose root directory is rootfd. `devices`: NULL or "all" for all of them, else the names of a specification's
 * devices or the numbers of GPUs, parted by commas. ERR_NOT_FOUND when there is no driver or no such device; ERR_UNSUPPORTED when the container has no
 * directory for libraries; ERR_CORRUPT for a broken specification.
 */
int nvidia_find(int rootfd, const char *devices, struct nvidia_set *ret, struct err **err);

/* Was the container set up, by us or by 1.3.x? */
bool nvidia_is_set_up(int dirfd);
/* Are the driver's files in ROOT, by our own mark? */
bool nvidia_is_copied(const struct container *c);

/*
 * Set up: `copy` puts the driver's files into ROOT, else runs mount them. What was copied before is replaced by what belongs there now. A file that is not
 * the driver's stops it (ERR_EXISTS) unless `force` puts it aside. A crash leaves a record that nvidia_undo() can follow.
 */
int nvidia_set_up(const struct container *c, bool copy, bool force, struct err **err);

/* Take out what was copied and put back what was put aside; changed files stay, with a warning. The mark goes with `forget`. */
int nvidia_undo(const struct container *c, bool forget, struct err **err);

/* linux.devices for those of the set, for engines that give a container a /dev of its own. */
int nvidia_add_devices(struct json *config, const struct nvidia_set *s, struct err **err);

#endif
