/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids that a process is told it has, while they are emulated (TRAP_IDS). They lie in the process's memory, by pid, since a vfork child
 * writes into its parent's, and pass exec as text.
 */
#ifndef UDOCKER_TRAP_IDS_H
#define UDOCKER_TRAP_IDS_H

#include <stddef.h>
#include <stdint.h>

struct stat;
struct statx;

#define IDS_MAX_GROUPS 64
struct ids {
	int pid;
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	uint32_t n_groups;
	uint32_t group[IDS_MAX_GROUPS];
};

/* At a program's start: from the state for the first one, and from what ids_to_text() wrote for the others. */
void ids_start(void);
void ids_from_text(const char *text);
/* "UID,GID,…" of this process; the number of bytes without the NUL. IDS_TEXT_MAX is enough. */
#define IDS_TEXT_MAX (11 * (9 + IDS_MAX_GROUPS) + 8)
size_t ids_to_text(char *to);
/* An executable with set-id bits becomes its owner, as far as ids are emulated: before ids_to_text() in exec. */
void ids_exec(const struct stat *st, uint32_t ret_uid[4], uint32_t ret_gid[4]);

const struct ids *ids_get(void); /* of this process */

/* A real id as the guest sees it, and the other way, for credentials in messages. */
uint32_t ids_show_uid(uint32_t uid);
uint32_t ids_show_gid(uint32_t gid);
uint32_t ids_real_uid(uint32_t uid);
uint32_t ids_real_gid(uint32_t gid);
/* What a stat call found, as the guest sees it: owners (and remembered ones, of what is open at `fd`). */
void ids_show_stat(int fd, struct stat *st);
void ids_show_statx(int fd, struct statx *st);

#endif
