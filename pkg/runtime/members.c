/* SPDX-License-Identifier: Apache-2.0 */
/* Who belongs to a container. */
#include "pkg/runtime/members.h"

#include <signal.h>

#include "pkg/base/proc.h"
#include "pkg/runtime/execs.h"
#include "pkg/runtime/mark.h"

/* Of one that is being started nobody has said yet which child is the tracer: it is waited for. */
static void spare_exec(struct tree *t, const struct exec_record *e)
{
	for (size_t i = 0; e->program.pid == 0 && i < t->n; i++)
		if (t->v[i].parent == e->supervisor.pid)
			t->v[i].chosen = false;
	tree_spare(t, e->tracer);
}

void members_find(const struct instance *c, struct tree *ret)
{
	uid_t owner = instance_trusted_owner(c);
	struct runtime_proc program;
	auto_execs execs;
	pid_t tracer;
	bool alive;

	alive = runtime_proc_alive(&c->rec.proc, owner);
	tree_find(ret, alive ? c->rec.proc.pid : 0, c->rec.mark, owner);
	if (alive && c->rec.delegate)
		tree_choose_one(ret, &c->rec.proc);
	/* Delegates have none, nor what has not been started. */
	if (instance_program(c, &program, &tracer)) {
		tree_spare(ret, tracer);
		/* One that has no supervisor. */
		if (alive && program.pid == c->rec.proc.pid)
			tree_choose_one(ret, &c->rec.proc);
	}
	execs_read(c->dirfd, owner, &execs);
	for (size_t i = 0; i < execs.n; i++)
		spare_exec(ret, &execs.v[i]);
}

size_t members_signal(const struct instance *c, int sig)
{
	auto_tree t;

	members_find(c, &t);
	return tree_signal(&t, sig, 0);
}

size_t members_kill_makers(const struct instance *c)
{
	uint64_t mark = mark_of_maker(c->rec.mark);
	auto_tree t = { 0 };

	if (mark)
		tree_find(&t, 0, mark, instance_trusted_owner(c));
	return tree_signal(&t, SIGKILL, 0);
}

/* A pid is believed only if it is a child of the one who should have it. */
static void signal_tracer(pid_t tracer, pid_t supervisor, int sig)
{
	struct tree_proc p;

	if (tracer > 0 && tree_look(tracer, &p) && p.parent == supervisor)
		(void)proc_kill(tracer, p.start, sig); /* it may have ended by itself */
}

void members_signal_tracers(const struct instance *c, int sig)
{
	uid_t owner = instance_trusted_owner(c);
	struct runtime_proc program;
	auto_execs execs;
	pid_t tracer;

	if (runtime_proc_alive(&c->rec.proc, owner) && instance_program(c, &program, &tracer))
		signal_tracer(tracer, c->rec.proc.pid, sig);
	execs_read(c->dirfd, owner, &execs);
	for (size_t i = 0; i < execs.n; i++)
		signal_tracer(execs.v[i].tracer, execs.v[i].supervisor.pid, sig);
}
