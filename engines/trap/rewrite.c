/* SPDX-License-Identifier: Apache-2.0 */
/* When a site is changed, and memory for what takes its place: see rewrite.h. */
#include "engines/trap/rewrite.h"

#include <linux/membarrier.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/rewrite_form.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define HOT 2 /* traps of a site until it is changed: what is called once is cheaper left alone */
#define HEAT 512
#define AREAS 32

bool rewrite_program_is_go;
struct rewrite_counts rewrite_counts;

static struct {
	uint32_t site; /* that cannot be changed */
	uint32_t count;
} heat[HEAT];
#define NEVER 1000

static struct rewrite_area areas[AREAS];
static uint32_t lock;
static int barrier; /* 1: the kernel can make other processors forget what they have decoded; -1: it cannot */
static struct text_range keep_out;

void rewrite_keep_out(unsigned long from, unsigned long to)
{
	keep_out = (struct text_range){ from, to };
}

/* ---- memory for veneers ---- */
static unsigned long map_at(unsigned long where)
{
	const unsigned long size = rewrite_form.pages * machine_page;
	long r = SYS(mmap, where, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (sys_failed(r))
		return 0;
	if ((unsigned long)r == where)
		return where;
	(void)SYS(munmap, r, size); /* before Linux 4.17 the flag is none */
	return 0;
}

static unsigned long map_near(const struct text_range *text)
{
	const struct rewrite_form *f = &rewrite_form;
	unsigned long at = 0;

	for (unsigned long d = f->step; !at && d < f->reach && text->from > d + machine_page; d += f->step)
		at = map_at(PAGE_DOWN(text->from) - d);
	for (unsigned long d = f->step_above; !at && d < f->reach; d += f->step)
		at = map_at(PAGE_UP(text->to) + d);
	return at;
}

static bool make_area(struct rewrite_area *area, const struct text_range *text)
{
	unsigned long at = map_near(text);

	if (!at)
		return false;
	if (!rewrite_fill_area(at)) {
		(void)SYS(munmap, at, rewrite_form.pages * machine_page);
		rewrite_counts.off = true;
		return false;
	}
	*area = (struct rewrite_area){ .at = at };
	return true;
}

static bool is_near(unsigned long at, unsigned long site)
{
	return (at > site ? at - site : site - at) < rewrite_form.reach + rewrite_form.step;
}

struct rewrite_area *rewrite_find_area(unsigned long next, const struct text_range *text)
{
	const unsigned most = (unsigned)(machine_page / rewrite_form.veneer);
	unsigned i = 0;

	while (i < AREAS && areas[i].at && (areas[i].used == most || !is_near(areas[i].at, next)))
		i++;
	if (i < AREAS && (areas[i].at || make_area(&areas[i], text)))
		return &areas[i];
	rewrite_counts.roomless++;
	return NULL;
}

unsigned long rewrite_take_veneer(struct rewrite_area *area)
{
	return area->at + (unsigned long)area->used++ * rewrite_form.veneer;
}

/* ---- text ---- */
void rewrite_make_others_see(void)
{
	if (barrier == 0)
		barrier = SYS(membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0
				  ? 1
				  : -1;
	if (barrier > 0)
		(void)SYS(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
}

static long protect(unsigned long from, unsigned long to, int how)
{
	return SYS(mprotect, PAGE_DOWN(from), PAGE_UP(to) - PAGE_DOWN(from), how);
}

bool rewrite_allow_writing(unsigned long from, unsigned long to)
{
	if (protect(from, to, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
		return true;
	rewrite_counts.off = true;
	return false;
}

void rewrite_forbid_writing(unsigned long from, unsigned long to)
{
	(void)protect(from, to, PROT_READ | PROT_EXEC);
	rewrite_make_others_see();
}

static bool change(unsigned long next, long nr)
{
	struct text_range text;

	if ((next >= keep_out.from && next < keep_out.to) || !text_map_find(next, &text)) {
		rewrite_counts.formless++;
		return false;
	}
	return rewrite_change(next, nr, &text);
}

/* Is it time to change this site? Two that share a place in the table warm each other. */
static bool is_hot(unsigned long next, unsigned *ret_place)
{
	unsigned place = (unsigned)((next ^ next >> 9) % HEAT);

	*ret_place = place;
	if (heat[place].count == NEVER)
		return heat[place].site != (uint32_t)next;
	return ++heat[place].count >= HOT;
}

void rewrite_site(unsigned long next, long nr)
{
	unsigned place;

	rewrite_counts.traps++;
	if (rewrite_counts.off || trap_has(TRAP_NO_REWRITE) || !is_hot(next, &place))
		return;
	if (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		return;
	if (!change(next, nr)) {
		heat[place].site = (uint32_t)next;
		heat[place].count = NEVER;
	}
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static char *put_count(char *to, unsigned long n, const char *what)
{
	size_t length = strlen(what);

	to = text_number(to, n);
	memcpy(to, what, length + 1);
	return to + length;
}

void rewrite_text(char *to)
{
	const struct rewrite_counts *c = &rewrite_counts;

	to = put_count(to, c->traps, " stops, sites rewritten: ");
	to = put_count(to, c->number, " at the number, ");
	to = put_count(to, c->call, " at the call, left alone: ");
	to = put_count(to, c->formless, " by their form, ");
	to = put_count(to, c->roomless, " for want of room");
	if (c->off)
		memcpy(to, "; text cannot be changed", sizeof("; text cannot be changed"));
}
