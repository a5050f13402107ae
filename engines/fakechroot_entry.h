/* SPDX-License-Identifier: Apache-2.0 */
/* How programs get into a Fakechroot container: what the plan has found out, for fakechroot_entry.c and the mount points. */
#ifndef UDOCKER_FAKECHROOT_ENTRY_H
#define UDOCKER_FAKECHROOT_ENTRY_H

#include "engines/engine.h"
#include "engines/fakechroot_view.h"
#include "engines/guest_root.h"

struct fakechroot_entry {
	struct engine_entry entry; /* first: engine_entry.free() gets this */
	char mode[4];
	char *bundle, *guest_init, *keeper; /* guest_keep.c's library */
	struct fakechroot_view view;
	struct guest_library library;
	struct guest_facts guest;
	struct strv folders; /* of libraries, as the host names them */
	struct strv links; /* guest paths that become links to what the view has there */
};

struct fakechroot_entry *fakechroot_entry_new(void);
/* Cleanup of a pointer to one. */
void fakechroot_entry_drop(struct fakechroot_entry **e);

/*
 * fakechroot_links.c: the volumes that the library itself cannot show, as symbolic links in ROOT. Where a link is to be there is nothing, or
 * an empty directory: ERR_UNSUPPORTED else. Each is recorded beside ROOT before it is made.
 */
bool fakechroot_link_fits(const struct fakechroot_view *v, const char *guest, const char *host);
int fakechroot_links_make(const struct fakechroot_entry *e, struct err **err);

#endif
