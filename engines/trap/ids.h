/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids that a process is told it has, while they are emulated (TRAP_IDS). They lie in the process's memory, by pid, since a vfork child
 * writes into its parent's, and pass exec as text. Threads of a process share them: C libraries set the ids of all threads anyway.
 */
#ifndef UDOCKER_TRAP_IDS_H
#define UDOCKER_TRAP_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat;
struct statx;

enum ids_cap_set {
	IDS_EFFECTIVE,
	IDS_PERMITTED,
	IDS_INHERITABLE,
	IDS_BOUNDING,
	IDS_AMBIENT,
	IDS_CAP_SETS,
};

#define IDS_ALL_CAPS 0x1ffffffffffull
#define IDS_MAX_GROUPS 64
struct ids {
	int pid;
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	uint32_t n_groups;
	uint32_t group[IDS_MAX_GROUPS];
	uint32_t securebits;
	bool no_new_privs; /* as the guest set it: the kernel's is always set; both pass exec */
	bool filtered; /* the guest has installed a seccomp filter */
	bool set_id; /* the program that it is about to execute brings the next two */
	uint32_t set_uid, set_gid;
	uint64_t cap[IDS_CAP_SETS];
	const char *root; /* the canonical name of its root, NULL: the run's; in its memory (root.h) */
};

/* At a program's start: from the state for the first one; for the others from what ids_to_text() wrote and the name of its root, which stays where it is. */
void ids_start(void);
void ids_from_text(const char *text);
/*
 * What a program executed now by this process starts with, "UID,GID,…"; the number of bytes without the NUL. IDS_TEXT_MAX is enough. Changes
 * nothing, so that exec may still fail.
 */
#define IDS_TEXT_MAX (11 * (9 + IDS_MAX_GROUPS) + 3 * 17 + 32)
size_t ids_to_text(char *to);
/*
 * An executable with set-id bits becomes its owner, as far as ids are emulated: the next ids_to_text() of this process says so. The ids that the
 * program will see, for its auxiliary vector.
 */
void ids_exec(const struct stat *st, uint32_t ret_uid[4], uint32_t ret_gid[4]);

const struct ids *ids_get(void); /* of this process */
struct ids *ids_own(void); /* to be changed */
/* Those of another process, if it runs under an engine like this one and may be looked into. */
bool ids_peek(int pid, struct ids *ret);
/* May it do what needs this capability? Without TRAP_IDS: as far as the kernel's ids tell. */
bool ids_capable(int cap);
/* After `e` has changed its uids from `old`: which capabilities that takes and gives. */
void ids_fix_caps(struct ids *e, const uint32_t old[4]);

/* A real id as the guest sees it, and the other way, for credentials in messages. */
uint32_t ids_show_uid(uint32_t uid);
uint32_t ids_show_gid(uint32_t gid);
uint32_t ids_real_uid(uint32_t uid);
uint32_t ids_real_gid(uint32_t gid);
/* What a stat call found, as the guest sees it: owners (and remembered ones, of what is open at `fd`; -1: of nothing). */
void ids_show_stat(int fd, struct stat *st);
void ids_show_statx(int fd, struct statx *st);
/*
 * mknodat() of a device while ids are emulated: an empty file, which stat shows as the device if such things are remembered. -EPERM for who may
 * not make devices.
 */
long ids_make_device(int dirfd, const char *name, unsigned mode, uint32_t dev);

#endif
