/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: $UDOCKER_DIR with repos/ layers/ containers/ bin/ lib/ doc/, shared with udocker 1.3.x both ways (udocker-store(5)).
 * 1.3.x takes no locks and may delete anything at any moment: a name that vanished is an answer (ERR_NOT_FOUND), not a crash.
 */
#ifndef UDOCKER_STORE_H
#define UDOCKER_STORE_H

#include "pkg/base/base.h"

struct err;

enum store_mode {
	STORE_READ, /* never creates anything; a store that does not exist is an empty one (descriptors -1) */
	STORE_WRITE, /* creates the tree (0700) on first use; ERR_DENIED when it cannot be written or belongs to another user */
	STORE_UPDATE, /* as STORE_WRITE, but a store that does not exist stays so: for rm, rename, protect */
};

struct store_held {
	char *name;
	int fd;
};

struct store {
	char *top; /* absolute */
	char *repos, *layers, *containers;
	int top_fd; /* O_DIRECTORY descriptors; -1 in a store that does not exist */
	int repos_fd, layers_fd, containers_fd;
	int lock_fd; /* .lock, shared: held from open to close by writers; -1 when refused */
	bool exists;
	bool writable;
	bool made; /* by store_open_at() */
	bool cleaned; /* temporary files of dead writers in layers/ were looked for */
	struct store_stage *scratch; /* by store_scratch(), or NULL */
	struct store_held *held; /* blobs that image_open_held() has opened */
	size_t n_held, cap_held;
	void (*at_close)(struct store *); /* what is done last, or NULL */
};

/* Paths come from conf (CONF_TOPDIR, CONF_REPOSDIR …). Caller closes with store_close(). */
int store_open(enum store_mode mode, struct store **ret, struct err **err);
/* A new one of our own for a while, in an absolute path, for writing; no setting says where its parts are. ERR_EXISTS. */
int store_open_at(const char *top, struct store **ret, struct err **err);
void store_close(struct store *s);
DEFINE_CLEANUP(store_cleanup, struct store, store_close);
#define auto_store CLEANUP(store_cleanup) struct store

/* mkrepo: make the six directories below dir, which must not exist (ERR_EXISTS) or be empty or what a killed mkrepo left. */
int store_make(const char *dir, struct err **err);

/* Is `dir` a repository (repos layers containers bin lib)? For --repo, which must name one. */
bool store_is_repository(const char *dir);

/*
 * Swap the shared lock for an exclusive one and back. Returns 1 when it is held: nobody else writes. 0 when others hold it or locks are
 * refused here: then the shared one is held again, as after store_lock_shared().
 */
int store_lock_exclusive(struct store *s, struct err **err);
int store_lock_shared(struct store *s, struct err **err);
/*
 * For a long read: take the shared lock of a store that was opened with STORE_READ, so that no udocker removes layers meanwhile. Where it cannot
 * be taken (a store that cannot be written) nothing happens.
 */
void store_hold(struct store *s);

/* ---- staging: stage.c ---- */

/*
 * A staging directory `.stage/<random>` (0700, flock()ed while it is open) for work that is renamed into place; where containers/ is on another file
 * system, it is a dot-name below containers/ itself. Dead ones (lock free, or older than a day) are removed by store_clean_stage(), which whoever opens
 * the store for writing has done.
 */
struct store_stage {
	int fd; /* of the staging directory */
	int parent_fd;
	char *name; /* below parent_fd */
	bool no_sync; /* set by the caller: what is published need not survive a power cut */
};
#define STORE_STAGE_INIT ((struct store_stage){ .fd = -1, .parent_fd = -1 })
int store_stage_begin(struct store *s, struct store_stage *ret, struct err **err);
void store_stage_drop(struct store_stage *st); /* removes what is left of it; safe on a published one */
void store_clean_stage(struct store *s);

/*
 * The process's own staging directory, made when it is first asked for, gone with store_close(): its descriptor, or -1. Blobs that were
 * brought into layers/ keep a second name here, called by their digest (layers.h).
 */
int store_scratch(struct store *s, struct err **err);
bool store_same_fs(int a, int b);
/* Replace a small file of repos/ atomically and durably; what a crash leaves lies in the staging directory. */
int store_write(struct store *s, int dirfd, const char *name, const char *text, size_t n, struct err **err);

#endif
