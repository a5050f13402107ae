/* SPDX-License-Identifier: Apache-2.0 */
/* The segments of an ELF file in memory, as the kernel's own loader has them. */
#include "engines/trap/elf_map.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define HUGE (2ul << 20)
#define NOTES_MAX 1024
#define FIXED_NOREPLACE 0x100000 /* MAP_FIXED_NOREPLACE; before Linux 4.17 a hint */

struct mapper {
	int fd;
	bool is_program;
	Elf64_Ehdr head;
	Elf64_Phdr segment[ELF_MAX_SEGMENTS];
	unsigned long low, high, align, size;
	struct elf_image *image;
};

static long read_headers(struct mapper *m)
{
	const Elf64_Ehdr *h = &m->head;
	struct stat st;
	long size;

	if (SYS(newfstatat, m->fd, "", &st, AT_EMPTY_PATH) < 0)
		return -ENOEXEC;
	m->size = (unsigned long)st.st_size; /* what lies behind the end of a file is a fault */
	if (SYS(pread64, m->fd, &m->head, sizeof(m->head), 0) != (long)sizeof(m->head))
		return -ENOEXEC;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
		h->e_machine != MACHINE_ELF || (h->e_type != ET_EXEC && h->e_type != ET_DYN) ||
		h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > ELF_MAX_SEGMENTS)
		return -ENOEXEC;
	size = (long)(h->e_phnum * sizeof(Elf64_Phdr));
	return SYS(pread64, m->fd, m->segment, size, h->e_phoff) == size ? 0 : -ENOEXEC;
}

/* A note of Go's linker: its name alone tells. */
static bool notes_name_go(const struct mapper *m, const Elf64_Phdr *s)
{
	char notes[NOTES_MAX];
	long n = SYS(pread64, m->fd, notes, s->p_filesz < NOTES_MAX ? s->p_filesz : NOTES_MAX, s->p_offset);
	unsigned long at = 0;
	Elf64_Nhdr note;

	while (n > 0 && at + sizeof(note) + 4 <= (unsigned long)n) {
		memcpy(&note, notes + at, sizeof(note));
		if (note.n_namesz == 4 && memcmp(notes + at + sizeof(note), "Go\0", 4) == 0)
			return true;
		if (note.n_namesz > NOTES_MAX || note.n_descsz > NOTES_MAX)
			return false;
		at += sizeof(note) + ((note.n_namesz + 3ul) & ~3ul) + ((note.n_descsz + 3ul) & ~3ul);
	}
	return false;
}

static long read_interpreter(struct mapper *m, const Elf64_Phdr *s)
{
	char *name = m->image->interpreter;

	if (s->p_filesz < 2 || s->p_filesz > sizeof(m->image->interpreter) ||
		SYS(pread64, m->fd, name, s->p_filesz, s->p_offset) != (long)s->p_filesz ||
		name[s->p_filesz - 1])
		return -ENOEXEC;
	return 0;
}

static long survey_load(struct mapper *m, const Elf64_Phdr *s)
{
	const unsigned long limit = 1ul << 47;

	if (s->p_filesz > s->p_memsz || s->p_vaddr >= limit || s->p_memsz >= limit ||
		(s->p_vaddr - s->p_offset) % machine_page != 0 || s->p_offset > m->size ||
		s->p_filesz > m->size - s->p_offset)
		return -ENOEXEC;
	if (s->p_vaddr < m->low)
		m->low = PAGE_DOWN(s->p_vaddr);
	if (s->p_vaddr + s->p_memsz > m->high)
		m->high = PAGE_UP(s->p_vaddr + s->p_memsz);
	if (s->p_align > m->align && s->p_align <= HUGE && (s->p_align & (s->p_align - 1)) == 0)
		m->align = s->p_align;
	return 0;
}

static long survey(struct mapper *m)
{
	long r = 0;

	m->low = ~0ul;
	m->align = machine_page;
	for (unsigned i = 0; r == 0 && i < m->head.e_phnum; i++) {
		const Elf64_Phdr *s = &m->segment[i];

		if (s->p_type == PT_LOAD)
			r = survey_load(m, s);
		else if (s->p_type == PT_INTERP && m->is_program)
			r = read_interpreter(m, s);
		else if (s->p_type == PT_GNU_STACK)
			m->image->executable_stack = s->p_flags & PF_X;
		else if (s->p_type == PT_NOTE && m->is_program)
			m->image->go = m->image->go || notes_name_go(m, s);
	}
	return r < 0 ? r : m->high > m->low ? 0 : -ENOEXEC;
}

/* Where a position-independent program goes; one without interpreter may be one, which must not be in the way of what it loads. */
static unsigned long choose_base(const struct mapper *m)
{
	unsigned long random = 0;

	if (!m->is_program || !m->image->interpreter[0])
		return 0;
	if (!(SYS(personality, 0xffffffff) & ADDR_NO_RANDOMIZE))
		(void)SYS(getrandom, &random, sizeof(random), 1 /* GRND_NONBLOCK */);
	return (machine_pie_base() + (random & (machine_pie_range() - 1))) & ~(m->align - 1);
}

/* Room for all of it, so that no part can come to lie on something else. */
static long reserve(struct mapper *m)
{
	unsigned long size = m->high - m->low, extra = m->align > machine_page ? m->align : 0, want, at;
	const bool fixed = m->head.e_type == ET_EXEC;
	long r;

	want = fixed ? m->low : choose_base(m);
	if (fixed && m->low < TRAP_BASE + TRAP_SPAN && m->high > TRAP_BASE)
		return -ENOEXEC;
	r = SYS(mmap, want, size + (fixed ? 0 : extra), PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (fixed ? FIXED_NOREPLACE : 0), -1, 0);
	if (sys_failed(r))
		return r;
	at = (unsigned long)r;
	if (fixed && at != want) {
		(void)SYS(munmap, at, size);
		return -ENOEXEC;
	}
	if (!fixed && extra) {
		unsigned long aligned = (at + m->align - 1) & ~(m->align - 1);

		if (aligned > at)
			(void)SYS(munmap, at, aligned - at);
		if (at + extra > aligned)
			(void)SYS(munmap, aligned + size, at + extra - aligned);
		at = aligned;
	}
	m->image->base = at - m->low;
	m->image->low = at;
	m->image->end = at + size;
	return 0;
}

/* From a file system where nothing can be executed: a copy. */
static long map_copy(struct mapper *m, unsigned long at, unsigned long size, int prot, unsigned long offset)
{
	long r = SYS(mmap, at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(r))
		return r;
	r = SYS(pread64, m->fd, at, size, offset);
	return r < 0 ? r : SYS(mprotect, at, PAGE_UP(size), prot);
}

static int protection(const Elf64_Phdr *s)
{
	return (s->p_flags & PF_R ? PROT_READ : 0) | (s->p_flags & PF_W ? PROT_WRITE : 0) |
	       (s->p_flags & PF_X ? PROT_EXEC : 0);
}

static long map_segment(struct mapper *m, const Elf64_Phdr *s)
{
	const int prot = protection(s);
	unsigned long start = m->image->base + s->p_vaddr, at = PAGE_DOWN(start), skip = start - at;
	unsigned long file_end = start + s->p_filesz, end = PAGE_UP(start + s->p_memsz);
	unsigned long filled = s->p_filesz ? PAGE_UP(file_end) : at;
	long r = 0;

	if (s->p_filesz) {
		r = SYS(mmap, at, s->p_filesz + skip, prot, MAP_PRIVATE | MAP_FIXED, m->fd,
			s->p_offset - skip);
		if (r == -EPERM && (prot & PROT_EXEC))
			r = map_copy(m, at, s->p_filesz + skip, prot, s->p_offset - skip);
		/* The rest of the last page, which allocators rely on. */
		if (!sys_failed(r) && (prot & PROT_WRITE) && filled > file_end)
			memset((void *)file_end, 0, filled - file_end);
	}
	if (!sys_failed(r) && end > filled)
		r = SYS(mmap, filled, end - filled, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
	if ((prot & PROT_EXEC) && file_end > m->image->code_end)
		m->image->code_end = file_end;
	if (m->head.e_phoff >= s->p_offset && m->head.e_phoff < s->p_offset + s->p_filesz)
		m->image->phdr = start + (m->head.e_phoff - s->p_offset);
	return sys_failed(r) ? r : 0;
}

long elf_map(int fd, bool is_program, struct elf_image *ret)
{
	static struct mapper m;
	long r;

	m = (struct mapper){ .fd = fd, .is_program = is_program, .image = ret };
	memset(ret, 0, sizeof(*ret));
	r = read_headers(&m);
	if (r == 0)
		r = survey(&m);
	if (r == 0)
		r = reserve(&m);
	for (unsigned i = 0; r == 0 && i < m.head.e_phnum; i++)
		if (m.segment[i].p_type == PT_LOAD && m.segment[i].p_memsz)
			r = map_segment(&m, &m.segment[i]);
	ret->entry = ret->base + m.head.e_entry;
	ret->phnum = m.head.e_phnum;
	ret->dynamic = m.head.e_type == ET_DYN;
	return r;
}
