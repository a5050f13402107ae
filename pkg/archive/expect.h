/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ROOT holds when layers have been applied to it, worked out without one: the rules of layer.h on a tree in memory. To verify a
 * container, and nothing else.
 */
#ifndef UDOCKER_EXPECT_H
#define UDOCKER_EXPECT_H

#include <sys/types.h>
#include <time.h>

#include "pkg/archive/content.h"
#include "pkg/archive/reader.h"
#include "pkg/base/base.h"

struct err;
struct expect;

/* A file, under one name or several. */
struct expect_file {
	enum reader_type type; /* READER_FILE, READER_DIR, READER_SYMLINK or READER_FIFO */
	mode_t mode; /* 07777: what the layer says, and what owners get in any case */
	bool made; /* a directory that no layer has, but that is on the way to something */
	int64_t size;
	struct timespec mtime;
	char content[CONTENT_LEN]; /* of a regular file */
	char *link; /* target of a symbolic link, else NULL */
	unsigned names;
};

/* A name in a directory. The root has the name "". */
struct expect_node {
	struct expect_file *file;
	struct expect_node *parent, *child; /* child: the first one; NULL for none */
	struct expect_node *prev, *next; /* in the parent's list, in no order */
	struct expect_node *chain; /* private */
	unsigned hash; /* private */
	unsigned hidden; /* private */
	bool met; /* the caller's */
	char name[];
};

/* An empty root. Never NULL. */
struct expect *expect_new(void);
void expect_free(struct expect *x);
DEFINE_CLEANUP(expect_cleanup, struct expect, expect_free);
#define auto_expect CLEANUP(expect_cleanup) struct expect

/*
 * Apply the entries of r, reading all content. Errors are those of layer_apply(); ERR_UNSUPPORTED for more names than can be held. About
 * 200 bytes for each name that is left.
 */
int expect_layer(struct expect *x, struct reader *r, struct err **err);

struct expect_node *expect_root(const struct expect *x);
/* By a clean relative path; links are not followed. "" is the root. NULL when there is none. */
struct expect_node *expect_find(const struct expect *x, const char *path);
/* The node behind this one in the order of a walk that ends with `top`: parents first. NULL at the end. `into`: also below it. */
struct expect_node *expect_next(const struct expect_node *top, const struct expect_node *node, bool into);

#endif
