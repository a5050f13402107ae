/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all processes of a run share and none can change: a sealed memfd on a reserved descriptor, mapped read-only at each exec. Root and
 * binds are O_PATH descriptors beside it. What belongs to one process lies in its memory (ids.h) and passes exec in the loader's argv[0].
 */
#ifndef UDOCKER_TRAP_STATE_H
#define UDOCKER_TRAP_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* Where the image is linked, and what the filter trusts. Sanitizers, PIEs and the kernel's own mappings keep away from it. */
#ifdef __aarch64__
#define TRAP_BASE 0x5500000000ul
#define TRAP_SPAN 0x200000ul /* pages may be of 64 KiB */
#else
#define TRAP_BASE 0x550000000000ul
#define TRAP_SPAN 0x100000ul
#endif

#define TRAP_FD_TOP \
	1023 /* the memfd; root and binds lie below: fork copies a descriptor table of this size */
#define TRAP_MAX_BINDS 200
#define TRAP_BUCKETS 512
#define TRAP_MAX_STUBS 256
#define TRAP_NAME_BITS 4096u
#define TRAP_STATE_MAX 0x40000ul /* bytes; mapped whole, used as far as `size` */
#define TRAP_STATE_MAGIC 0x5452415031ull

enum trap_bind_flag {
	TRAP_BIND_READONLY = 1,
	TRAP_BIND_FILE = 2, /* not a directory */
	TRAP_BIND_PROC = 4, /* a procfs: its magic links are translated */
};

struct trap_bind {
	int32_t fd; /* O_PATH */
	uint16_t flags;
	uint16_t guest_len, host_len;
	uint16_t next; /* in the bucket of its guest name, index + 1; 0: none */
	uint32_t guest, host; /* offsets in the text; a guest name has no '/' at its end, root's is "" */
};

/* What lies hidden in the root under a mount point, and within that. */
struct trap_stub {
	uint64_t dev, ino;
};

enum trap_flag {
	TRAP_NO_OPENAT2 = 1, /* the kernel or an outer filter refuses it: every path is walked */
	TRAP_NO_FACCESSAT2 = 2,
	TRAP_NO_REWRITE = 4, /* T2 */
	TRAP_ANY_READONLY = 8,
	TRAP_OVERLAP = 16, /* a source lies in another one: the way back is ambiguous */
	TRAP_UNCLEAN =
		32, /* something lies hidden under a mount point: links must not be followed by the kernel */
	TRAP_IDS = 64, /* ids are emulated */
	TRAP_DEBUG = 128, /* counts are printed when a process ends */
	TRAP_REMEMBER = 256, /* owners and device nodes are kept in extended attributes */
};

struct trap_state {
	uint64_t magic;
	uint32_t size; /* of all of it, the text included */
	uint32_t flags;
	uint32_t real_uid, real_gid; /* shown as `uid` and `gid` */
	uint32_t uid, gid;
	uint16_t n_binds; /* the first one is the root */
	uint16_t fd_low, fd_high; /* reserved descriptors, both included */
	uint16_t self; /* descriptor of the image, to execute */
	uint16_t program; /* of a program that no name leads to, while it runs */
	uint32_t release, hostname; /* of uname(), offsets in the text; 0: the kernel's */
	uint16_t n_stubs;
	uint64_t stub_inodes; /* a set of their numbers' last six bits */
	struct trap_stub stub[TRAP_MAX_STUBS];
	uint32_t last_names[TRAP_NAME_BITS / 32]; /* two bits for each of the last names of mount points */
	uint16_t bucket[TRAP_BUCKETS]; /* guest name's hash to bind, index + 1 */
	struct trap_bind bind[TRAP_MAX_BINDS + 1];
	char text[];
};

extern const struct trap_state *trap_state;

static inline const char *trap_bind_guest(const struct trap_bind *b)
{
	return trap_state->text + b->guest;
}

static inline const char *trap_bind_host(const struct trap_bind *b)
{
	return trap_state->text + b->host;
}

static inline const struct trap_bind *trap_root(void)
{
	return &trap_state->bind[0];
}

static inline bool trap_is_reserved(unsigned long fd)
{
	return (uint32_t)fd >= trap_state->fd_low && (uint32_t)fd <= trap_state->fd_high;
}

/* The bits of a name's hash: one in a thousand of other names has those of one of 60 mount points. */
static inline bool trap_is_last_name(const struct trap_state *s, uint32_t hash)
{
	const uint32_t a = hash % TRAP_NAME_BITS, b = hash / TRAP_NAME_BITS % TRAP_NAME_BITS;

	return (s->last_names[a / 32] & 1u << a % 32) && (s->last_names[b / 32] & 1u << b % 32);
}

static inline void trap_add_last_name(struct trap_state *s, uint32_t hash)
{
	const uint32_t a = hash % TRAP_NAME_BITS, b = hash / TRAP_NAME_BITS % TRAP_NAME_BITS;

	s->last_names[a / 32] |= 1u << a % 32;
	s->last_names[b / 32] |= 1u << b % 32;
}

static inline bool trap_has(uint32_t flag)
{
	return trap_state->flags & flag;
}

#endif
