/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of a file that grows, taken by a thread behind its writer, so that receiving and hashing have a processor each. */
#ifndef UDOCKER_FILE_HASH_H
#define UDOCKER_FILE_HASH_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;
struct file_hash;

/* fd is open for reading and outlives the result; it is read by position alone. NULL with *err when there is no libcrypto, or no thread. */
struct file_hash *file_hash_begin(enum sha_kind kind, int fd, struct err **err);
/* The file has so many bytes now. */
void file_hash_grow(struct file_hash *h, uint64_t size);
/*
 * It grows no more: hash the rest and make all of it durable (fsync(2)). wake_fd, an eventfd(2) or -1, is told when file_hash_wait() will
 * not wait any more.
 */
void file_hash_settle(struct file_hash *h, int wake_fd);
bool file_hash_is_settled(struct file_hash *h);
/* After file_hash_settle(): wait and give the digest. ERR_SYSTEM when the file could not be read back (ENODATA: it was cut) or made durable. */
int file_hash_wait(struct file_hash *h, char ret_hex[SHA_HEX_MAX + 1], struct err **err);
/* Stops at once, settled or not. NULL is fine. */
void file_hash_free(struct file_hash *h);

#endif
