/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ELF file says of itself, as far as Fakechroot must know it. The files are of containers: nothing in them is believed before it is
 * checked, every read is bounded, and what contradicts itself is a file of no use. Only the host's byte order is read.
 */
#ifndef UDOCKER_ELF_FILE_H
#define UDOCKER_ELF_FILE_H

#include "pkg/base/base.h"

#define ELF_PATH_MAX 4096
#define ELF_GLIBC(major, minor) ((unsigned)((major)*1000 + (minor)))

enum elf_kind {
	ELF_NONE, /* not ELF, broken, of the other byte order, an object or a core */
	ELF_STATIC, /* a program without a loader */
	ELF_DYNAMIC, /* a program that names its loader */
	ELF_SHARED, /* a library; a loader too */
};

struct elf_facts {
	enum elf_kind kind;
	unsigned machine; /* e_machine */
	bool wide; /* 64 bits */
	char interp[ELF_PATH_MAX]; /* of ELF_DYNAMIC */
	unsigned needs_glibc; /* the newest GLIBC_x.y that it needs as ELF_GLIBC(x, y), 0: none */
	unsigned has_glibc; /* the newest that it defines: of libc.so.6 its version */
	bool needs_libc_so_6; /* linked against glibc */
	bool has_stat; /* it defines stat(): what programs of glibc 2.33 and later call */
	bool has_soname; /* a library, though it may name a loader: libc.so.6 does */
};

/* The facts of an open file, whose position stays. -1 with errno when it cannot be read; a file that is no ELF is no failure. */
int elf_read(int fd, struct elf_facts *ret);

/* The places where a file names others by their paths. */
enum elf_path_kind {
	ELF_PATH_INTERP,
	ELF_PATH_RPATH,
	ELF_PATH_RUNPATH,
	ELF_PATH_NEEDED,
	ELF_PATH_VERSIONS, /* a needed library again, by which versions of symbols are looked for in it */
};
struct elf_path {
	enum elf_path_kind kind;
	uint64_t at; /* of its text in the file, which ends with a NUL byte */
	char *text;
};
struct elf_paths {
	struct elf_path *items;
	size_t n, cap;
};
void elf_paths_free(struct elf_paths *p);
#define auto_elf_paths CLEANUP(elf_paths_free) struct elf_paths

/* The loader, the search paths and those needed libraries that have a '/' in their names. As elf_read(); what is broken is left out. */
int elf_paths_read(int fd, struct elf_paths *ret);

/* Do programs of this machine run here without an emulator, with libraries of this build's kind? */
bool elf_is_native(const struct elf_facts *f);

#endif
