/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps libfakechroot in programs that drop their environment (env -i, clearenv(), a shell that unsets all it has): the library asks
 * getenv() where it is confined to, each time, and a program that has dropped the answer would go on with the host's files. A library of
 * its own, preloaded beside it: when a program starts it copies those variables and leads that one library's calls of getenv(), and nobody
 * else's, here. It names no C library, so that one file does for all of a machine.
 */
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engines/guest_loader.h"
#include "engines/guest_text.h"

#define KEPT_MAX 32
#define DYNAMIC_MAX 256

#if __SIZEOF_POINTER__ == 8
#define SYMBOL_OF(info) ELF64_R_SYM(info)
#else
#define SYMBOL_OF(info) ELF32_R_SYM(info)
#endif

extern char **environ;

/* "KEY=VALUE" each, in memory of our own: programs write over what the kernel gave them, to show a title. */
static char *kept[KEPT_MAX];
static size_t n_kept;
static const char *library;

static char *value_of(char *const *entries, size_t max, const char *key)
{
	size_t n = length(key);

	for (size_t i = 0; i < max && entries[i]; i++)
		if (begins(entries[i], key, n) && entries[i][n] == '=')
			return entries[i] + n + 1;
	return NULL;
}

/* In the place of getenv(), for libfakechroot: what the program has set itself counts. */
static char *keep_getenv(const char *key)
{
	char *value = environ ? value_of(environ, SIZE_MAX, key) : NULL;

	return value ? value : value_of(kept, n_kept, key);
}

/* ---- what is kept ---- */

/* FAKECHROOT_CMD_ORIG and FAKECHROOT_BASE_ORIG are of one program alone. */
static int is_kept(const char *entry)
{
	size_t n = 0;

	if (begins(entry, "LD_PRELOAD=", 11))
		return 1;
	while (entry[n] && entry[n] != '=')
		n++;
	return begins(entry, "FAKECHROOT_", 11) && entry[n] && !begins(entry + n - 5, "_ORIG", 5);
}

static int copy_variables(char *const *env)
{
	size_t size = 0, n = 0;
	char *to;

	for (size_t i = 0; env[i] && n < KEPT_MAX; i++)
		if (is_kept(env[i])) {
			size += length(env[i]) + 1;
			n++;
		}
	if (n == 0)
		return 0;
	to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (to == MAP_FAILED)
		return 0;
	for (size_t i = 0; env[i] && n_kept < n; i++) {
		if (!is_kept(env[i]))
			continue;
		kept[n_kept++] = to;
		for (const char *from = env[i]; (*to++ = *from++);)
			;
	}
	return 1;
}

/* The second field of "FLAGS:LIBRARY:…". */
static void find_library(void)
{
	char *paths = value_of(kept, n_kept, GUEST_LOADER_PATHS);

	while (paths && *paths && *paths != ':')
		paths++;
	library = paths && *paths ? paths + 1 : NULL;
}

static int is_library(const char *name)
{
	size_t n = 0;

	while (library[n] && library[n] != ':')
		n++;
	return length(name) == n && begins(name, library, n);
}

/* ---- the library's calls ---- */

/* A table of what the loader has filled in. */
struct table {
	uintptr_t at;
	size_t size, each;
};

struct object {
	uintptr_t base, sealed, sealed_end; /* what the loader made read-only afterwards */
	const ElfW(Sym) * symbols;
	const char *names;
	struct table calls, data;
};

/* glibc has put the base in front of these, musl has not. */
static uintptr_t address(const struct object *o, uintptr_t value)
{
	return value < o->base ? o->base + value : value;
}

static void read_dynamic(struct object *o, const ElfW(Dyn) * d)
{
	for (size_t i = 0; i < DYNAMIC_MAX && d[i].d_tag != DT_NULL; i++) {
		uintptr_t value = d[i].d_un.d_val;

		if (d[i].d_tag == DT_SYMTAB)
			o->symbols = (const ElfW(Sym) *)address(o, value);
		else if (d[i].d_tag == DT_STRTAB)
			o->names = (const char *)address(o, value);
		else if (d[i].d_tag == DT_JMPREL)
			o->calls.at = address(o, value);
		else if (d[i].d_tag == DT_PLTRELSZ)
			o->calls.size = value;
		else if (d[i].d_tag == DT_PLTREL)
			o->calls.each = value == DT_RELA ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
		else if (d[i].d_tag == DT_RELA || d[i].d_tag == DT_REL)
			o->data.at = address(o, value);
		else if (d[i].d_tag == DT_RELASZ || d[i].d_tag == DT_RELSZ)
			o->data.size = value;
		else if (d[i].d_tag == DT_RELAENT || d[i].d_tag == DT_RELENT)
			o->data.each = value;
	}
}

static void lead_here(const struct object *o, uintptr_t slot)
{
	int is_sealed = slot >= o->sealed && slot < o->sealed_end;
	size_t n = o->sealed_end - o->sealed;

	if (is_sealed && mprotect((void *)o->sealed, n, PROT_READ | PROT_WRITE) < 0)
		return;
	*(char *(**)(const char *))slot = keep_getenv;
	if (is_sealed)
		(void)mprotect((void *)o->sealed, n, PROT_READ); /* it works without */
}

static void lead_calls(const struct object *o, const struct table *t)
{
	for (size_t at = 0; t->at && t->each >= sizeof(ElfW(Rel)) && at + t->each <= t->size; at += t->each) {
		/* Rela begins as Rel does. */
		const ElfW(Rel) *r = (const ElfW(Rel) *)(t->at + at);
		size_t symbol = SYMBOL_OF(r->r_info);

		if (symbol && begins(o->names + o->symbols[symbol].st_name, "getenv", sizeof("getenv")))
			lead_here(o, o->base + r->r_offset);
	}
}

static int look_at(struct dl_phdr_info *info, size_t size, void *found)
{
	struct object o = { .base = info->dlpi_addr };
	const ElfW(Dyn) *dynamic = NULL;

	(void)size;
	(void)found;
	if (!info->dlpi_name || !is_library(info->dlpi_name))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)(o.base + p->p_vaddr);
		if (p->p_type == PT_GNU_RELRO) {
			uintptr_t page = (uintptr_t)getpagesize();

			o.sealed = (o.base + p->p_vaddr) & ~(page - 1);
			o.sealed_end = (o.base + p->p_vaddr + p->p_memsz) & ~(page - 1);
		}
	}
	if (dynamic)
		read_dynamic(&o, dynamic);
	if (o.symbols && o.names) {
		lead_calls(&o, &o.calls);
		lead_calls(&o, &o.data);
	}
	return 1;
}

/* glibc may call us before it has set environ, but hands it over; musl has set it, and hands over nothing. */
static __attribute__((constructor)) void keep(int argc, char **argv, char **env)
{
	char *const *given = environ ? environ : env;

	(void)argc;
	(void)argv;
	if (given && copy_variables(given))
		find_library();
	if (library)
		(void)dl_iterate_phdr(look_at, NULL);
}
