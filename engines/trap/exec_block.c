/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of memory for exec: see exec_block.h. */
#include "engines/trap/exec_block.h"

#include <sys/mman.h>

#include "engines/trap/sys.h"

static struct exec_block first;

/* The kernel marks a futex whose owner is gone. */
static bool take(struct exec_block *b, uint32_t tid)
{
	uint32_t owner = __atomic_load_n(&b->owner, __ATOMIC_RELAXED);

	return (owner == 0 || (owner & FUTEX_OWNER_DIED)) &&
	       __atomic_compare_exchange_n(&b->owner, &owner, tid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* A thread with a list of its own is none of a vfork child: its memory ends with its program. */
static void let_kernel_give(struct exec_block *b)
{
	void *list = NULL;
	size_t size;

	if (SYS(get_robust_list, 0, &list, &size) < 0 || list)
		return;
	b->entry.next = &b->list.list;
	b->list = (struct robust_list_head){
		.list = { &b->entry },
		.futex_offset = (long)((char *)&b->owner - (char *)&b->entry),
	};
	(void)SYS(set_robust_list, &b->list, sizeof(b->list));
}

static struct exec_block *make(uint32_t tid)
{
	long r = SYS(mmap, 0, sizeof(first), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct exec_block *b = (struct exec_block *)r;

	if (sys_failed(r))
		return NULL;
	b->owner = tid;
	b->next = __atomic_load_n(&first.next, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(
		&first.next, &b->next, b, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return b;
}

struct exec_block *exec_block_take(void)
{
	uint32_t tid = (uint32_t)SYS(gettid);
	struct exec_block *b = &first;

	while (b && !take(b, tid))
		b = __atomic_load_n(&b->next, __ATOMIC_ACQUIRE);
	if (!b)
		b = make(tid);
	if (b)
		let_kernel_give(b);
	return b;
}

void exec_block_give(struct exec_block *b)
{
	void *list = NULL;
	size_t size;

	if (SYS(get_robust_list, 0, &list, &size) == 0 && list == &b->list)
		(void)SYS(set_robust_list, NULL, sizeof(b->list));
	__atomic_store_n(&b->owner, 0, __ATOMIC_RELEASE);
}

const char **exec_block_words(struct exec_block *b, size_t n)
{
	size_t size = n * sizeof(b->more[0]);
	long r;

	if (n <= EXEC_SHORT)
		return b->words;
	if (size > b->more_size) {
		if (b->more)
			(void)SYS(munmap, b->more, b->more_size);
		r = SYS(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		b->more = sys_failed(r) ? NULL : (const char **)r;
		b->more_size = b->more ? size : 0;
	}
	return b->more;
}
