/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udocker-trap [-r ROOT | -R ROOT] [-b HOST GUEST]… [-B HOST GUEST]… [-w DIR] [-i UID:GID | -n] [-k RELEASE] [-H NAME] [-2] [-d] [-m] [-x] [-a ARGV0]
 * PROGRAM ARGUMENT…, or udocker-trap --probe. Options are single letters, each its own word: this is called by the runtime, not by people.
 *   -r  root directory (/), first; -R  read-only                          -b  bind, -B  read-only
 *   -w  working directory inside (/)
 *   -i  ids shown to programs (0:0)   -n  the caller's own               -k  release of uname()          -H  its nodename
 *   -2  sites are not rewritten       -d  counts when a process ends     -m  owners and devices are remembered in extended attributes
 *   -x  PROGRAM is a path of the host                                    -a  its argv[0]
 */
#include "engines/trap/launch.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "engines/trap/exec.h"
#include "engines/trap/filter.h"
#include "engines/trap/ids.h"
#include "engines/trap/judge.h"
#include "engines/trap/loader.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/signals.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define USAGE 125

struct options {
	const char *root, *cwd, *argv0;
	bool on_host, own_ids, no_new_privs;
	long next; /* word of argv that is the program */
};

static const char *word(const struct process *p, struct options *o)
{
	if (o->next >= p->argc)
		trap_die(USAGE, "an option lacks its word", NULL);
	return p->argv[o->next++];
}

static void add_bind(const struct process *p, struct options *o, bool readonly)
{
	const char *host = word(p, o);

	launch_add_bind(&(struct launch_bind){ host, word(p, o), readonly });
}

static void read_ids(const char *text)
{
	struct trap_state *s = launch_state();
	unsigned long uid = 0, gid = 0;
	const char *t = text;

	if (!text_to_number(&t, UINT32_MAX - 1, &uid) || *t++ != ':' ||
		!text_to_number(&t, UINT32_MAX - 1, &gid) || *t)
		trap_die(USAGE, "-i takes UID:GID", text);
	s->uid = (uint32_t)uid;
	s->gid = (uint32_t)gid;
}

static void read_option(const struct process *p, struct options *o, char letter)
{
	struct trap_state *s = launch_state();
	const char one[] = { letter, '\0' };

	switch (letter) {
	case 'b':
		add_bind(p, o, false);
		break;
	case 'B':
		add_bind(p, o, true);
		break;
	case 'w':
		o->cwd = word(p, o);
		break;
	case 'i':
		read_ids(word(p, o));
		break;
	case 'n':
		o->own_ids = true;
		break;
	case 'k':
		s->release = launch_add_text(word(p, o));
		break;
	case 'H':
		s->hostname = launch_add_text(word(p, o));
		break;
	case '2':
		s->flags |= TRAP_NO_REWRITE;
		break;
	case 'd':
		s->flags |= TRAP_DEBUG;
		break;
	case 'm':
		s->flags |= TRAP_REMEMBER;
		break;
	case 'x':
		o->on_host = true;
		break;
	case 'a':
		o->argv0 = word(p, o);
		break;
	default:
		trap_die(USAGE, "no such option", one);
	}
}

/* The root is the first word there is, or the host's. */
static void add_root(const struct process *p, struct options *o)
{
	const char *first = o->next < p->argc ? p->argv[o->next] : "";
	bool readonly = text_eq(first, "-R");

	if (readonly || text_eq(first, "-r")) {
		o->next++;
		o->root = word(p, o);
	}
	launch_add_bind(&(struct launch_bind){ o->root, "", readonly });
}

static void read_options(const struct process *p, struct options *o)
{
	while (o->next < p->argc && p->argv[o->next][0] == '-') {
		const char *w = p->argv[o->next++];

		if (text_eq(w, "--"))
			break;
		if (strlen(w) != 2)
			trap_die(USAGE, "no such option", w);
		read_option(p, o, w[1]);
	}
	if (o->next >= p->argc)
		trap_die(USAGE, "a program is needed", NULL);
}

static void set_flags(const struct options *o)
{
	struct trap_state *s = launch_state();

	s->real_uid = (uint32_t)SYS(geteuid);
	s->real_gid = (uint32_t)SYS(getegid);
	if (!o->own_ids)
		s->flags |= TRAP_IDS;
	if (!launch_has_openat2())
		s->flags |= TRAP_NO_OPENAT2;
	if (!launch_has_faccessat2())
		s->flags |= TRAP_NO_FACCESSAT2;
}

static void enter_directory(const char *path)
{
	long fd = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0 || SYS(fchdir, fd) < 0)
		trap_die(126, "cannot enter the directory", path);
	(void)SYS(close, fd);
}

static void install_filter(void)
{
	static struct sock_filter code[FILTER_MAX];
	const struct trap_state *s = trap_state;
	const struct filter_options o = { s->fd_low, s->fd_high, s->flags & TRAP_IDS,
		s->release || s->hostname, s->flags & TRAP_DEBUG, (uint32_t)(uintptr_t)judge_place };
	struct sock_fprog program = { .filter = code };
	long r;

	program.len = (unsigned short)filter_build(code, &o);
	if (!program.len)
		trap_die(USAGE, "the filter is too long", NULL);
	(void)SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* the next call tells */
	r = SYS(prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
	if (r < 0)
		trap_die(126,
			r == -EINVAL ? "seccomp filters are refused here (EINVAL)"
				     : "seccomp filters are refused here",
			NULL);
}

static const char *failure(long r)
{
	switch (r) {
	case -ENOENT:
		return "no such program";
	case -EACCES:
		return "the program may not be executed";
	case -ENOEXEC:
		return "not a program";
	default:
		return "cannot execute the program";
	}
}

/* The ids of the first program; it has no_new_privs if whoever called us has set it, and not because the filter needs it. */
static void start_ids(bool no_new_privs)
{
	ids_start();
	ids_own()->no_new_privs = no_new_privs;
}

/* The runtime's first program, which the guest has no name for. */
__attribute__((noreturn)) static void run_on_host(
	const struct process *p, const struct options *o, long fd, const char *name)
{
	static char program[32];

	(void)text_fd_path(program, fd);
	exec_set_program(program);
	if (signals_start() < 0)
		trap_die(126, "signals are refused here", NULL);
	start_ids(o->no_new_privs);
	if (o->argv0)
		p->argv[o->next] = (char *)(uintptr_t)o->argv0;
	loader_run(p, &(struct loader_program){ (int)fd, name, o->next });
}

__attribute__((noreturn)) static void run_inside(
	const struct process *p, const struct options *o, const char *name)
{
	const char *why;
	long r;

	start_ids(o->no_new_privs);
	if (o->argv0)
		p->argv[o->next] = (char *)(uintptr_t)o->argv0;
	r = exec_program_at(AT_FDCWD, name, 0, p->argv + o->next, p->envp);
	why = r == -ENOEXEC ? exec_why_not(name) : NULL;
	trap_die(r == -ENOENT ? 127 : 126, why ? why : failure(r), name);
}

void launch_main(const struct process *p)
{
	struct options o = { .root = "/", .cwd = "/", .next = 1 };
	const char *name, *image = (const char *)process_aux(p, AT_EXECFN);
	long fd = -1;

	if (p->argc > 1 && text_eq(p->argv[1], "--probe"))
		launch_probe();
	add_root(p, &o);
	read_options(p, &o);
	name = p->argv[o.next];
	set_flags(&o);
	if (o.on_host) {
		fd = SYS(openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			trap_die(fd == -ENOENT ? 127 : 126, "cannot open the program", name);
	}
	launch_seal(image);
	enter_directory(o.cwd);
	o.no_new_privs = SYS(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	install_filter();
	if (o.on_host)
		run_on_host(p, &o, fd, name);
	run_inside(p, &o, name);
}
