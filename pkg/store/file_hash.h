/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that grows and its digest, taken by a thread behind its writer, so that receiving and hashing have a processor each. The thread
 * hashes what was written a moment ago out of the writer's blocks, as long as these last, and reads back the rest; nobody waits for it.
 */
#ifndef UDOCKER_FILE_HASH_H
#define UDOCKER_FILE_HASH_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"

struct err;
struct file_hash;

/*
 * fd is open for reading and writing and outlives the result; its position is its end, `size`, and what is there already is hashed first. NULL with
 * *err when there is no libcrypto, or no thread.
 */
struct file_hash *file_hash_begin(enum sha_kind kind, int fd, uint64_t size, struct err **err);
/* Append. Small pieces are collected: the file has them after the next flush. 0, or -1 with errno. */
int file_hash_write(struct file_hash *h, const void *data, size_t n);
int file_hash_flush(struct file_hash *h);
/*
 * It grows no more: flush, hash the rest and make all of it durable (fsync(2)). wake_fd, an eventfd(2) or -1, is told when file_hash_wait() will
 * not wait any more.
 */
void file_hash_settle(struct file_hash *h, int wake_fd);
bool file_hash_is_settled(struct file_hash *h);
/* After file_hash_settle(): wait and give the digest. ERR_SYSTEM when the file could not be written, read back (ENODATA: it was cut) or made durable. */
int file_hash_wait(struct file_hash *h, char ret_hex[SHA_HEX_MAX + 1], struct err **err);
/* Stops at once, settled or not; what was not flushed is lost. NULL is fine. */
void file_hash_free(struct file_hash *h);

#endif
