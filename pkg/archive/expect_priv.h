/* SPDX-License-Identifier: Apache-2.0 */
/* What expect.c (names) and expect_layer.c (entries) share. */
#ifndef UDOCKER_EXPECT_PRIV_H
#define UDOCKER_EXPECT_PRIV_H

#include "pkg/archive/expect.h"

struct expect {
	struct expect_node *root;
	struct expect_node **slots; /* a power of two */
	size_t n_slots;
	size_t n; /* nodes without the root */
	uint64_t seed;
	unsigned layer; /* the number of the one at hand, from 1 */
};

/* Without a name yet. */
struct expect_file *expect_file_new(enum reader_type type, mode_t mode);
/* One name less; without any it is freed. */
void expect_file_drop(struct expect_file *f);

struct expect_node *expect_child(
	const struct expect *x, const struct expect_node *dir, const char *name, size_t n);
/* The name must be free. */
struct expect_node *expect_add(
	struct expect *x, struct expect_node *dir, const char *name, size_t n, struct expect_file *f);
/* With all below it; not the root. */
void expect_remove(struct expect *x, struct expect_node *top);

/*
 * The directory that the first n bytes of a clean path lead to, through symbolic links as in a chroot; `make`: what is missing on the way
 * is made, as dirs_open() does. NULL with errno.
 */
struct expect_node *expect_resolve(struct expect *x, const char *path, size_t n, bool make);

#endif
