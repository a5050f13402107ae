/* SPDX-License-Identifier: Apache-2.0 */
/* Between rewrite.c, which says when a site is changed, and rewrite_*.c, which know what a site looks like and what its veneer is. */
#ifndef UDOCKER_TRAP_REWRITE_FORM_H
#define UDOCKER_TRAP_REWRITE_FORM_H

#include <stdbool.h>

#include "engines/trap/text_map.h"

struct rewrite_counts {
	unsigned long traps, number, call, formless, roomless;
	bool off; /* text cannot be changed */
};
extern struct rewrite_counts rewrite_counts;

/* Memory for veneers, near the text that jumps there. */
struct rewrite_area {
	unsigned long at;
	unsigned used;
};

/* ---- rewrite_*.c ---- */
struct rewrite_form {
	unsigned long reach; /* of a jump, with something to spare */
	unsigned long step,
		step_above; /* between the places that are tried for an area, below the text and above it */
	unsigned pages; /* of an area */
	unsigned veneer; /* bytes; there are as many as its first page holds */
};
extern const struct rewrite_form rewrite_form;
/* Change the site before `next`, or count why not. */
bool rewrite_change(unsigned long next, long nr, const struct text_range *text);
/* Fill a new area, and leave its first page executable. */
bool rewrite_fill_area(unsigned long at);

/* ---- rewrite.c ---- */
/* An area with a free veneer that can be reached from `next`; NULL is counted. The veneer is the caller's. */
struct rewrite_area *rewrite_find_area(unsigned long next, const struct text_range *text);
/* Its place in the area, which has one less then. */
unsigned long rewrite_take_veneer(struct rewrite_area *area);
bool rewrite_allow_writing(unsigned long from, unsigned long to);
void rewrite_forbid_writing(unsigned long from, unsigned long to);
/* Other processors forget what they have decoded, as far as the kernel can make them. */
void rewrite_make_others_see(void);

#endif
