/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, loader, dynamic section, versions of symbols: both classes in one wide form. */
#include "engines/elf_file.h"

#include <elf.h>
#include <errno.h>

#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define SEGMENTS_MAX 256
#define DYNAMIC_MAX 4096 /* entries */
#define VERSIONS_MAX 4096
#define SYMBOLS_MAX 65536
#define SYMBOL_BLOCK 256
#define STRINGS_MAX ((size_t)1 << 20)
#define NAME_LIMIT 256

struct segment {
	uint32_t type;
	uint64_t offset, address, size;
};

struct reader {
	int fd;
	bool wide;
	struct segment segments[SEGMENTS_MAX];
	size_t n;
	/* Of the dynamic section; addresses. */
	uint64_t strings, strings_size, symbols, needed_versions, n_needed_versions, versions, n_versions;
	struct elf_facts *facts;
	struct elf_paths *paths; /* or NULL */
};

static bool read_at(const struct reader *r, void *to, size_t n, uint64_t at)
{
	return at <= (uint64_t)INT64_MAX - n && fd_pread_full(r->fd, to, n, (off_t)at) == (ssize_t)n;
}

/* Where the file has what the program sees at an address; false if it has it nowhere. */
static bool offset_of(const struct reader *r, uint64_t address, uint64_t *ret)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct segment *s = &r->segments[i];

		if (s->type == PT_LOAD && address >= s->address && address - s->address < s->size &&
			s->offset <= UINT64_MAX / 2) {
			*ret = s->offset + (address - s->address);
			return true;
		}
	}
	return false;
}

static bool read_address(const struct reader *r, void *to, size_t n, uint64_t address)
{
	uint64_t at;

	return offset_of(r, address, &at) && read_at(r, to, n, at);
}

/* A string of the string table; one that is too long for any name we look for is cut. */
static bool read_name(const struct reader *r, uint64_t index, char ret[NAME_LIMIT])
{
	uint64_t at;
	ssize_t n;

	if (index >= r->strings_size || !offset_of(r, r->strings + index, &at) || at > INT64_MAX)
		return false;
	n = fd_pread_full(r->fd, ret, NAME_LIMIT - 1, (off_t)at);
	if (n <= 0)
		return false;
	ret[n] = '\0';
	return true;
}

/* ---- headers ---- */
static bool read_segments(struct reader *r, uint64_t at, unsigned n, unsigned size)
{
	unsigned want = r->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (n > SEGMENTS_MAX || (n > 0 && size != want) || at > INT64_MAX / 2)
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct segment *s = &r->segments[i];
		Elf64_Phdr w;
		Elf32_Phdr h;

		if (r->wide ? !read_at(r, &w, sizeof(w), at + (uint64_t)i * size)
			    : !read_at(r, &h, sizeof(h), at + (uint64_t)i * size))
			return false;
		if (r->wide)
			*s = (struct segment){ w.p_type, w.p_offset, w.p_vaddr, w.p_filesz };
		else
			*s = (struct segment){ h.p_type, h.p_offset, h.p_vaddr, h.p_filesz };
		r->n++;
	}
	return true;
}

/* False for what is no program and no library of this byte order. */
static bool read_head(struct reader *r)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr half;
		Elf64_Ehdr wide;
	} h = { 0 };
	ssize_t n = fd_pread_full(r->fd, &h, sizeof(h), 0);
	const unsigned char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	unsigned type;

	if (n < (ssize_t)sizeof(h.half) || memcmp(h.ident, ELFMAG, SELFMAG) != 0 || h.ident[EI_DATA] != order)
		return false;
	r->wide = h.ident[EI_CLASS] == ELFCLASS64;
	if (r->wide ? n < (ssize_t)sizeof(h.wide) : h.ident[EI_CLASS] != ELFCLASS32)
		return false;
	type = r->wide ? h.wide.e_type : h.half.e_type;
	r->facts->machine = r->wide ? h.wide.e_machine : h.half.e_machine;
	r->facts->wide = r->wide;
	if (type != ET_EXEC && type != ET_DYN)
		return false;
	return r->wide ? read_segments(r, h.wide.e_phoff, h.wide.e_phnum, h.wide.e_phentsize)
		       : read_segments(r, h.half.e_phoff, h.half.e_phnum, h.half.e_phentsize);
}

static const struct segment *find_segment(const struct reader *r, uint32_t type)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->segments[i].type == type)
			return &r->segments[i];
	return NULL;
}

static bool read_interp(struct reader *r, const struct segment *s)
{
	char *text = r->facts->interp;

	if (s->size < 2 || s->size > ELF_PATH_MAX || !read_at(r, text, (size_t)s->size, s->offset) ||
		text[s->size - 1] != '\0' || text[0] != '/') {
		*text = '\0';
		return false;
	}
	return true;
}

/* ---- the dynamic section ---- */
static void take_entry(struct reader *r, uint64_t tag, uint64_t value)
{
	const struct {
		uint64_t tag;
		uint64_t *to;
	} wanted[] = {
		{ DT_STRTAB, &r->strings },
		{ DT_STRSZ, &r->strings_size },
		{ DT_SYMTAB, &r->symbols },
		{ DT_VERNEED, &r->needed_versions },
		{ DT_VERNEEDNUM, &r->n_needed_versions },
		{ DT_VERDEF, &r->versions },
		{ DT_VERDEFNUM, &r->n_versions },
	};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (wanted[i].tag == tag)
			*wanted[i].to = value;
	if (tag == DT_SONAME)
		r->facts->has_soname = true;
}

/* Each entry, until DT_NULL, the end of the segment or of our patience. */
static void walk_dynamic(
	struct reader *r, const struct segment *s, void (*take)(struct reader *, uint64_t, uint64_t))
{
	size_t size = r->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);

	for (uint64_t i = 0; i < DYNAMIC_MAX && (i + 1) * size <= s->size; i++) {
		Elf64_Dyn w = { 0 };
		Elf32_Dyn h = { 0 };
		uint64_t tag, value;

		if (r->wide ? !read_at(r, &w, size, s->offset + i * size)
			    : !read_at(r, &h, size, s->offset + i * size))
			return;
		tag = r->wide ? (uint64_t)w.d_tag : (uint64_t)(uint32_t)h.d_tag;
		value = r->wide ? w.d_un.d_val : h.d_un.d_val;
		if (tag == DT_NULL)
			return;
		take(r, tag, value);
	}
}

static void take_needed(struct reader *r, uint64_t tag, uint64_t value)
{
	char name[NAME_LIMIT];

	if (tag == DT_NEEDED && read_name(r, value, name) && str_eq(name, "libc.so.6"))
		r->facts->needs_libc_so_6 = true;
}

/* "GLIBC_2.34" as a number; 0 for others, GLIBC_PRIVATE too. */
static unsigned glibc_version(const char *name)
{
	auto_strv parts = STRV_INIT;
	int major, minor;

	if (!str_starts(name, "GLIBC_"))
		return 0;
	strv_split(&parts, name + strlen("GLIBC_"), ".");
	if (parts.n < 2 || num_parse_int(parts.v[0], 0, 99, &major) < 0 ||
		num_parse_int(parts.v[1], 0, 999, &minor) < 0)
		return 0;
	return ELF_GLIBC(major, minor);
}

static void raise(unsigned *to, unsigned version)
{
	if (version > *to)
		*to = version;
}

static void add_path(struct elf_paths *p, enum elf_path_kind kind, uint64_t at, const char *text)
{
	p->items = mem_grow(p->items, &p->cap, p->n + 1, sizeof(*p->items));
	p->items[p->n++] = (struct elf_path){ .kind = kind, .at = at, .text = xstrdup(text) };
}

/* A whole string of the string table; none that is empty, or has no end in time. */
static bool read_string(const struct reader *r, uint64_t index, char ret[ELF_PATH_MAX], uint64_t *ret_at)
{
	ssize_t n;

	if (index >= r->strings_size || !offset_of(r, r->strings + index, ret_at) || *ret_at > INT64_MAX)
		return false;
	n = fd_pread_full(r->fd, ret, ELF_PATH_MAX, (off_t)*ret_at);
	return n > 0 && *ret && memchr(ret, '\0', (size_t)n);
}

/* A path of the string table; of libraries only those that are one. */
static void take_path(struct reader *r, enum elf_path_kind kind, uint64_t index)
{
	char text[ELF_PATH_MAX];
	uint64_t at;
	bool library = kind == ELF_PATH_NEEDED || kind == ELF_PATH_VERSIONS;

	if (r->paths && read_string(r, index, text, &at) && (!library || strchr(text, '/')))
		add_path(r->paths, kind, at, text);
}

/* The forms of the two tables are the same in both classes. */
static void read_needed_versions(struct reader *r)
{
	uint64_t at = r->needed_versions;
	unsigned left = VERSIONS_MAX;

	for (uint64_t i = 0; i < r->n_needed_versions && left; i++) {
		Elf64_Verneed need;
		uint64_t aux_at;

		if (!read_address(r, &need, sizeof(need), at))
			return;
		take_path(r, ELF_PATH_VERSIONS, need.vn_file);
		aux_at = at + need.vn_aux;
		for (unsigned k = 0; k < need.vn_cnt && left; k++, left--) {
			Elf64_Vernaux aux;
			char name[NAME_LIMIT];

			if (!read_address(r, &aux, sizeof(aux), aux_at))
				return;
			if (read_name(r, aux.vna_name, name))
				raise(&r->facts->needs_glibc, glibc_version(name));
			if (!aux.vna_next)
				break;
			aux_at += aux.vna_next;
		}
		if (!need.vn_next)
			return;
		at += need.vn_next;
		left -= left > 0;
	}
}

static void read_versions(struct reader *r)
{
	uint64_t at = r->versions;

	for (uint64_t i = 0; i < r->n_versions && i < VERSIONS_MAX; i++) {
		Elf64_Verdef def;
		Elf64_Verdaux aux;
		char name[NAME_LIMIT];

		if (!read_address(r, &def, sizeof(def), at))
			return;
		if (read_address(r, &aux, sizeof(aux), at + def.vd_aux) && read_name(r, aux.vda_name, name))
			raise(&r->facts->has_glibc, glibc_version(name));
		if (!def.vd_next)
			return;
		at += def.vd_next;
	}
}

/* Of the name at `index` in the string table, is it "stat"? */
static bool is_stat(const char *strings, size_t n, uint64_t index)
{
	return index < n && n - index > strlen("stat") &&
	       memcmp(strings + index, "stat", sizeof("stat")) == 0;
}

static bool find_stat(const struct reader *r, const char *strings, size_t n, void *block, size_t size)
{
	for (uint64_t i = 0; i < SYMBOLS_MAX; i += SYMBOL_BLOCK) {
		uint64_t left = (r->strings - r->symbols) / size;
		size_t here = left <= i ? 0 : left - i < SYMBOL_BLOCK ? (size_t)(left - i) : SYMBOL_BLOCK;

		if (here == 0 || !read_address(r, block, here * size, r->symbols + i * size))
			return false;
		for (size_t k = 0; k < here; k++) {
			const Elf64_Sym *w = (const Elf64_Sym *)block + k;
			const Elf32_Sym *h = (const Elf32_Sym *)block + k;

			if (r->wide ? w->st_shndx != SHN_UNDEF && is_stat(strings, n, w->st_name)
				    : h->st_shndx != SHN_UNDEF && is_stat(strings, n, h->st_name))
				return true;
		}
	}
	return false;
}

/* Nothing says how many symbols there are; their names come behind them in every file that a linker makes. */
static void read_symbols(struct reader *r)
{
	size_t size = r->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	size_t n = r->strings_size < STRINGS_MAX ? (size_t)r->strings_size : STRINGS_MAX;
	autofree char *strings = xcalloc(1, n + 1);
	autofree void *block = xcalloc(SYMBOL_BLOCK, size);

	if (r->strings > r->symbols && read_address(r, strings, n, r->strings))
		r->facts->has_stat = find_stat(r, strings, n, block, size);
}

int elf_read(int fd, struct elf_facts *ret)
{
	autofree struct reader *r = xcalloc(1, sizeof(*r));
	const struct segment *interp, *dynamic;
	char byte;

	*ret = (struct elf_facts){ 0 };
	r->fd = fd;
	r->facts = ret;
	if (fd_pread_full(fd, &byte, 1, 0) < 0)
		return -1;
	if (!read_head(r))
		return 0;
	dynamic = find_segment(r, PT_DYNAMIC);
	if (dynamic) {
		walk_dynamic(r, dynamic, take_entry);
		walk_dynamic(r, dynamic, take_needed);
		read_needed_versions(r);
		read_versions(r);
	}
	interp = find_segment(r, PT_INTERP);
	if (interp)
		ret->kind = read_interp(r, interp) ? ELF_DYNAMIC : ELF_NONE;
	else
		ret->kind = ret->has_soname ? ELF_SHARED : ELF_STATIC;
	if (ret->kind == ELF_SHARED)
		read_symbols(r);
	return 0;
}

/* ---- paths ---- */
void elf_paths_free(struct elf_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].text);
	free(p->items);
	*p = (struct elf_paths){ .items = NULL };
}

static void take_path_entry(struct reader *r, uint64_t tag, uint64_t value)
{
	if (tag == DT_RPATH)
		take_path(r, ELF_PATH_RPATH, value);
	else if (tag == DT_RUNPATH)
		take_path(r, ELF_PATH_RUNPATH, value);
	else if (tag == DT_NEEDED)
		take_path(r, ELF_PATH_NEEDED, value);
}

int elf_paths_read(int fd, struct elf_paths *ret)
{
	autofree struct reader *r = xcalloc(1, sizeof(*r));
	autofree struct elf_facts *facts = xcalloc(1, sizeof(*facts));
	const struct segment *interp, *dynamic;
	char byte;

	*ret = (struct elf_paths){ .items = NULL };
	r->fd = fd;
	r->facts = facts;
	r->paths = ret;
	if (fd_pread_full(fd, &byte, 1, 0) < 0)
		return -1;
	if (!read_head(r))
		return 0;
	interp = find_segment(r, PT_INTERP);
	if (interp && read_interp(r, interp))
		add_path(ret, ELF_PATH_INTERP, interp->offset, facts->interp);
	dynamic = find_segment(r, PT_DYNAMIC);
	if (dynamic) {
		walk_dynamic(r, dynamic, take_entry);
		walk_dynamic(r, dynamic, take_path_entry);
		read_needed_versions(r);
	}
	return 0;
}

bool elf_is_native(const struct elf_facts *f)
{
#if defined(__x86_64__)
	return f->wide && f->machine == EM_X86_64;
#elif defined(__i386__)
	return !f->wide && f->machine == EM_386;
#elif defined(__aarch64__)
	return f->wide && f->machine == EM_AARCH64;
#elif defined(__arm__)
	return !f->wide && f->machine == EM_ARM;
#elif defined(__riscv)
	return f->wide && f->machine == EM_RISCV;
#elif defined(__powerpc64__)
	return f->wide && f->machine == EM_PPC64;
#else
	(void)f;
	return false;
#endif
}
