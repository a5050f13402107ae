/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ids this process has: the book. Memory alone does not say whose it is: a fork child has a copy of its parent's, a vfork child has the parent's
 * itself. A page that the kernel empties at fork tells them apart. As long as nobody who shares the memory changed ids, nobody has to be told
 * apart, and asking costs no call.
 */
#include "engines/trap/ids.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "engines/trap/judge.h"
#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define BOOK_MAGIC 0x756469647331ull
/* vfork children that live at once in one memory and have changed their ids; the oldest entry is reused. */
#define BOOK_CHILDREN 7

static struct {
	uint64_t magic;
	bool changed; /* not all entries are the same */
	unsigned next;
	struct ids self; /* of the process whose memory this is */
	struct ids child[BOOK_CHILDREN]; /* of its vfork children */
} book;

_Static_assert(sizeof(book) <= TRAP_PATH_ROOM, "a buffer holds another process's book");

static struct {
	volatile int ours; /* 0: forked since it was set */
	char rest[MACHINE_PAGE_MOST - sizeof(int)];
} since_fork __attribute__((aligned(MACHINE_PAGE_MOST)));
static bool since_fork_works;

static void book_open(void)
{
	book.magic = BOOK_MAGIC;
	book.self.pid = (int)SYS(getpid);
	since_fork_works = !SYS(madvise, &since_fork, sizeof(since_fork), MADV_WIPEONFORK);
	since_fork.ours = 1;
}

static struct ids *entry_of(int pid)
{
	if (book.self.pid == pid)
		return &book.self;
	for (unsigned i = 0; i < BOOK_CHILDREN; i++)
		if (book.child[i].pid == pid)
			return &book.child[i];
	return NULL;
}

/* The first look of a fork child at its copy: it belongs to it now, with what its parent had. Two threads may do that at once. */
static void adopt(int pid)
{
	struct ids *parent;

	if (!since_fork_works || since_fork.ours)
		return;
	parent = entry_of((int)SYS(getppid));
	if (parent && parent != &book.self)
		book.self = *parent;
	book.self.pid = pid;
	for (unsigned i = 0; i < BOOK_CHILDREN; i++)
		book.child[i].pid = 0;
	since_fork.ours = 1;
}

const struct ids *ids_get(void)
{
	const struct ids *e;
	int pid;

	if (!book.changed)
		return &book.self;
	pid = (int)SYS(getpid);
	adopt(pid);
	e = entry_of(pid);
	/* A vfork child that changed nothing has what its parent has, which may be such a child too. */
	if (!e)
		e = entry_of((int)SYS(getppid));
	return e ? e : &book.self;
}

struct ids *ids_own(void)
{
	int pid = (int)SYS(getpid);
	struct ids *e;

	adopt(pid);
	e = entry_of(pid);
	if (!e) {
		const struct ids *now = ids_get();

		e = &book.child[__atomic_fetch_add(&book.next, 1, __ATOMIC_RELAXED) % BOOK_CHILDREN];
		if (e != now)
			*e = *now;
		e->pid = pid;
	}
	book.changed = true;
	return e;
}

static bool peek_other(int pid, struct ids *ret)
{
	char *room = buffer_take();
	__typeof__(book) *copy = (void *)room;
	struct iovec to = { copy, sizeof(*copy) }, from = { &book, sizeof(book) };
	const struct ids *e = &copy->self;
	bool found;

	/* The image lies at one address in all processes, and nothing else does. */
	found = SYS(process_vm_readv, pid, &to, 1, &from, 1, 0) == sizeof(*copy) && copy->magic == BOOK_MAGIC;
	for (unsigned i = 0; found && copy->changed && i < BOOK_CHILDREN; i++)
		if (copy->child[i].pid == pid)
			e = &copy->child[i];
	if (found)
		*ret = *e;
	buffer_give(room);
	return found;
}

bool ids_peek(int pid, struct ids *ret)
{
	if (pid == (int)SYS(getpid)) {
		*ret = *ids_get();
		return true;
	}
	return peek_other(pid, ret);
}

static void all_same(uint32_t id[4], uint32_t value)
{
	for (int i = 0; i < 4; i++)
		id[i] = value;
}

void ids_start(void)
{
	struct ids *e = &book.self;

	all_same(e->uid, trap_has(TRAP_IDS) ? trap_state->uid : trap_state->real_uid);
	all_same(e->gid, trap_has(TRAP_IDS) ? trap_state->gid : trap_state->real_gid);
	e->n_groups = 0;
	e->cap[IDS_BOUNDING] = IDS_ALL_CAPS;
	if (!e->uid[1])
		e->cap[IDS_EFFECTIVE] = e->cap[IDS_PERMITTED] = IDS_ALL_CAPS;
	book_open();
}

/* What exec makes of the capabilities of who becomes `e`. */
static void caps_at_exec(struct ids *e)
{
	bool root = !(e->securebits & SECBIT_NOROOT);

	e->cap[IDS_AMBIENT] &= e->cap[IDS_PERMITTED] & e->cap[IDS_INHERITABLE];
	if (root && (!e->uid[0] || !e->uid[1])) {
		e->cap[IDS_PERMITTED] = e->cap[IDS_INHERITABLE] | e->cap[IDS_BOUNDING];
		e->cap[IDS_EFFECTIVE] = e->uid[1] ? 0 : e->cap[IDS_PERMITTED];
	} else {
		e->cap[IDS_PERMITTED] = e->cap[IDS_EFFECTIVE] = e->cap[IDS_AMBIENT];
	}
	e->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
}

static void at_exec(struct ids *e)
{
	if (e->set_id) {
		if (e->set_uid != e->uid[1] || e->set_gid != e->gid[1])
			e->cap[IDS_AMBIENT] = 0;
		e->uid[1] = e->set_uid;
		e->gid[1] = e->set_gid;
		e->set_id = false;
	}
	e->uid[2] = e->uid[3] = e->uid[1];
	e->gid[2] = e->gid[3] = e->gid[1];
	caps_at_exec(e);
}

void ids_exec(const struct stat *st, uint32_t ret_uid[4], uint32_t ret_gid[4])
{
	const struct ids *now = ids_get();
	bool group = (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	struct ids next;

	if (now->set_id || ((st->st_mode & S_ISUID || group) && trap_has(TRAP_IDS) && !now->no_new_privs)) {
		struct ids *e = ids_own();

		e->set_uid = st->st_mode & S_ISUID ? ids_show_uid(st->st_uid) : e->uid[1];
		e->set_gid = group ? ids_show_gid(st->st_gid) : e->gid[1];
		e->set_id = (st->st_mode & S_ISUID || group) && trap_has(TRAP_IDS) && !e->no_new_privs;
		now = e;
	}
	next = *now;
	at_exec(&next);
	memcpy(ret_uid, next.uid, sizeof(next.uid));
	memcpy(ret_gid, next.gid, sizeof(next.gid));
}

static char *put_number(char *to, uint64_t v)
{
	to = text_number(to, v);
	*to++ = ',';
	*to = 0;
	return to;
}

size_t ids_to_text(char *to)
{
	struct ids e = *ids_get();
	char *p = to;

	at_exec(&e);
	for (int i = 0; i < 4; i++)
		p = put_number(p, e.uid[i]);
	for (int i = 0; i < 4; i++)
		p = put_number(p, e.gid[i]);
	p = put_number(p, e.n_groups);
	for (uint32_t i = 0; i < e.n_groups; i++)
		p = put_number(p, e.group[i]);
	p = put_number(p, e.securebits);
	p = put_number(p, e.no_new_privs | e.filtered << 1);
	/* The others follow from these and the ids, but for who has given up some of them. */
	p = put_number(p, e.cap[IDS_INHERITABLE]);
	p = put_number(p, e.cap[IDS_BOUNDING]);
	p = put_number(p, e.cap[IDS_AMBIENT]);
	return (size_t)(p - to);
}

static uint64_t get_number(const char **text, uint64_t max)
{
	unsigned long v = 0;

	if (!text_to_number(text, max, &v))
		return 0;
	if (**text == ',')
		++*text;
	return v;
}

void ids_from_text(const char *text)
{
	struct ids *e = &book.self;
	unsigned bits;

	for (int i = 0; i < 4; i++)
		e->uid[i] = (uint32_t)get_number(&text, UINT32_MAX);
	for (int i = 0; i < 4; i++)
		e->gid[i] = (uint32_t)get_number(&text, UINT32_MAX);
	e->n_groups = (uint32_t)get_number(&text, IDS_MAX_GROUPS);
	for (uint32_t i = 0; i < e->n_groups; i++)
		e->group[i] = (uint32_t)get_number(&text, UINT32_MAX);
	e->securebits = (uint32_t)get_number(&text, UINT32_MAX);
	bits = (unsigned)get_number(&text, UINT32_MAX);
	e->no_new_privs = bits & 1;
	e->filtered = bits & 2;
	judge_is_needed = e->filtered;
	e->cap[IDS_INHERITABLE] = get_number(&text, IDS_ALL_CAPS);
	e->cap[IDS_BOUNDING] = get_number(&text, IDS_ALL_CAPS);
	e->cap[IDS_AMBIENT] = get_number(&text, IDS_ALL_CAPS);
	e->cap[IDS_PERMITTED] = e->cap[IDS_AMBIENT];
	e->set_id = false;
	e->root = *text == '/' ? text : NULL;
	caps_at_exec(e);
	book_open();
}

uint32_t ids_show_uid(uint32_t uid)
{
	return trap_has(TRAP_IDS) && uid == trap_state->real_uid ? trap_state->uid : uid;
}

uint32_t ids_show_gid(uint32_t gid)
{
	return trap_has(TRAP_IDS) && gid == trap_state->real_gid ? trap_state->gid : gid;
}

static bool one_of(const uint32_t id[4], uint32_t value)
{
	return value == id[0] || value == id[1] || value == id[2];
}

/* Who may be anybody cannot be that for the kernel: the receiver sees what it sees of everybody in the container. */
uint32_t ids_real_uid(uint32_t uid)
{
	bool own = trap_has(TRAP_IDS) && (one_of(ids_get()->uid, uid) || ids_capable(CAP_SETUID));

	return own ? trap_state->real_uid : uid;
}

uint32_t ids_real_gid(uint32_t gid)
{
	bool own = trap_has(TRAP_IDS) && (one_of(ids_get()->gid, gid) || ids_capable(CAP_SETGID));

	return own ? trap_state->real_gid : gid;
}

bool ids_capable(int cap)
{
	if (!trap_has(TRAP_IDS))
		return !trap_state->real_uid;
	return ids_get()->cap[IDS_EFFECTIVE] >> cap & 1;
}

void ids_fix_caps(struct ids *e, const uint32_t old[4])
{
	bool was = !old[0] || !old[1] || !old[2], is = !e->uid[0] || !e->uid[1] || !e->uid[2];

	if (e->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was && !is) {
		if (!(e->securebits & SECBIT_KEEP_CAPS))
			e->cap[IDS_PERMITTED] = e->cap[IDS_EFFECTIVE] = 0;
		e->cap[IDS_AMBIENT] = 0;
	}
	if (!old[1] && e->uid[1])
		e->cap[IDS_EFFECTIVE] = 0;
	else if (old[1] && !e->uid[1])
		e->cap[IDS_EFFECTIVE] = e->cap[IDS_PERMITTED];
}
