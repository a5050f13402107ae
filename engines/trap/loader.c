/* SPDX-License-Identifier: Apache-2.0 */
/* From an open ELF file to a running program; the entry of the image. */
#include "engines/trap/loader.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/mman.h>

#include "engines/trap/elf_map.h"
#include "engines/trap/exec.h"
#include "engines/trap/ids.h"
#include "engines/trap/launch.h"
#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/rewrite.h"
#include "engines/trap/root.h"
#include "engines/trap/signals.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define BRK_RANDOM_PAGES 0x1ffful

void trap_main(long *stack);
__attribute__((noreturn)) void trap_enter(long *stack, unsigned long entry);
extern const char trap_image_begin[], trap_image_end[]; /* of the linker's */

static struct elf_image program_image, interpreter_image;

static void say(const char *text)
{
	(void)SYS(write, 2, text, strlen(text)); /* without it there is nobody to tell */
}

void trap_die(int status, const char *what, const char *name)
{
	say("udocker-trap: ");
	say(what);
	if (name) {
		say(": ");
		say(name);
	}
	say("\n");
	for (;;)
		(void)SYS(exit_group, status);
}

/* ---- the kernel's vectors ---- */
void process_read(struct process *ret, long *stack)
{
	char **env;

	ret->stack = stack;
	ret->argc = stack[0];
	ret->argv = (char **)(stack + 1);
	ret->envp = ret->argv + ret->argc + 1;
	for (env = ret->envp; *env; env++)
		;
	ret->auxv = (Elf64_auxv_t *)(env + 1);
}

unsigned long process_aux(const struct process *p, unsigned long type)
{
	for (const Elf64_auxv_t *a = p->auxv; a->a_type != AT_NULL; a++)
		if (a->a_type == type)
			return a->a_un.a_val;
	return 0;
}

/* Drop the first words of argv where they are; the stack stays aligned to 16 bytes. */
static void drop_words(struct process *p, long n)
{
	long *to = p->stack + n;

	to[0] = p->argc - n;
	if (n % 2) {
		Elf64_auxv_t *end = p->auxv;

		while (end->a_type != AT_NULL)
			end++;
		memmove(to - 1, to, (size_t)((char *)(end + 1) - (char *)to));
		to--;
	}
	process_read(p, to);
}

static void set_aux(const struct process *p, const char *name)
{
	const struct ids *id = trap_has(TRAP_IDS) ? ids_get() : NULL;
	const struct {
		unsigned long type, value;
	} own[] = {
		{ AT_PHDR, program_image.phdr },
		{ AT_PHNUM, program_image.phnum },
		{ AT_ENTRY, program_image.entry },
		{ AT_BASE, program_image.interpreter[0] ? interpreter_image.base : 0 },
		{ AT_EXECFN, (unsigned long)name },
		{ AT_UID, id ? id->uid[0] : 0 },
		{ AT_EUID, id ? id->uid[1] : 0 },
		{ AT_GID, id ? id->gid[0] : 0 },
		{ AT_EGID, id ? id->gid[1] : 0 },
	};
	const size_t n = sizeof(own) / sizeof(own[0]) - (id ? 0 : 4);

	for (Elf64_auxv_t *a = p->auxv; a->a_type != AT_NULL; a++)
		for (size_t i = 0; i < n; i++)
			if (a->a_type == own[i].type)
				a->a_un.a_val = own[i].value;
}

/* ---- what /proc tells ---- */
static unsigned long string_end(char *const *v, unsigned long otherwise)
{
	char *last = NULL;

	for (; *v; v++)
		last = *v;
	return last ? (unsigned long)last + strlen(last) + 1 : otherwise;
}

static unsigned long heap_start(void)
{
	unsigned long random = 0;
	const struct elf_image *m = &program_image;
	/* Behind what stands alone among the mappings no heap could grow. */
	unsigned long base = m->dynamic && !m->interpreter[0] ? machine_pie_base() : PAGE_UP(m->end);

	(void)SYS(getrandom, &random, sizeof(random), 1 /* GRND_NONBLOCK */);
	return base + (random & BRK_RANDOM_PAGES) * machine_page;
}

/* Best effort: without CONFIG_CHECKPOINT_RESTORE in the kernel ps shows the loader's words, and the heap lies behind the image. */
static void tell_kernel(const struct process *p)
{
	unsigned long args = p->argc > 0 ? (unsigned long)p->argv[0] : (unsigned long)p->stack;
	struct prctl_mm_map map = {
		.start_code = program_image.low,
		.end_code = program_image.code_end > program_image.low ? program_image.code_end
								       : program_image.low + machine_page,
		.start_data = program_image.low,
		.end_data = program_image.low,
		.start_stack = (unsigned long)p->stack,
		.arg_start = args,
		.arg_end = string_end(p->argv, args),
		.auxv = (void *)p->auxv,
		.exe_fd = (unsigned)-1,
	};
	const Elf64_auxv_t *end = p->auxv;

	map.start_brk = map.brk = heap_start();
	map.env_start = *p->envp ? (unsigned long)*p->envp : map.arg_end;
	map.env_end = string_end(p->envp, map.env_start);
	while (end->a_type != AT_NULL)
		end++;
	map.auxv_size = (unsigned)((const char *)(end + 1) - (const char *)p->auxv);
	(void)SYS(prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

static void set_name(const char *path)
{
	const char *base = path;

	for (const char *p = path; *p; p++)
		if (*p == '/' && p[1])
			base = p + 1;
	(void)SYS(prctl, PR_SET_NAME, base); /* only a name */
}

/* ---- run ---- */
static unsigned long map_interpreter(void)
{
	const char *name = program_image.interpreter;
	long fd, r;

	if (!name[0])
		return program_image.entry;
	fd = path_open(AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		trap_die(127, "the program's interpreter is missing", name);
	r = elf_map((int)fd, false, &interpreter_image);
	if (r < 0)
		trap_die(127, "the program's interpreter cannot be loaded", name);
	(void)SYS(close, fd);
	return interpreter_image.entry;
}

/* The guest cannot take the engine's memory away by accident, since Linux 6.10. */
static void seal(void)
{
	unsigned long begin = PAGE_DOWN((unsigned long)trap_image_begin);

	(void)SYS(mseal, begin, PAGE_UP((unsigned long)trap_image_end) - begin, 0);
}

void loader_run(const struct process *from, const struct loader_program *program)
{
	struct process p = *from;
	unsigned long entry;

	if (elf_map(program->fd, true, &program_image) < 0)
		trap_die(126, "the program cannot be loaded", program->name);
	if (exec_program_is_kept())
		(void)SYS(dup3, program->fd, trap_state->program, O_CLOEXEC);
	(void)SYS(close, program->fd);
	rewrite_program_is_go = program_image.go;
	if (program_image.interpreter[0])
		rewrite_keep_out(program_image.low, program_image.end);
	entry = map_interpreter();
	drop_words(&p, program->dropped);
	set_aux(&p, program->name);
	if (program_image.executable_stack)
		(void)SYS(mprotect, PAGE_DOWN((unsigned long)p.stack), machine_page,
			PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	tell_kernel(&p);
	set_name(program->name);
	seal();
	trap_enter(p.stack, entry);
}

/* "\1T", the descriptor, ',', ids. */
static const char *read_mark(const char *mark)
{
	const char *s = mark + 2;
	unsigned long fd = 0;
	long r;

	if (mark[1] != 'T' || !text_to_number(&s, 1 << 20, &fd) || *s != ',')
		trap_die(126, "this is the loader of a run, not a command", NULL);
	r = SYS(mmap, 0, TRAP_STATE_MAX, PROT_READ, MAP_SHARED, fd, 0);
	if (sys_failed(r))
		trap_die(126, "the run's state is lost", NULL);
	trap_state = (const struct trap_state *)r;
	if (trap_state->magic != TRAP_STATE_MAGIC)
		trap_die(126, "the run's state is another version's", NULL);
	return s + 1;
}

void loader_main(const struct process *p)
{
	const char *ids, *number;
	unsigned long fd = 0;

	if (p->argc < EXEC_WORDS)
		trap_die(126, "this is the loader of a run, not a command", NULL);
	ids = read_mark(p->argv[EXEC_MARK]);
	if (signals_start() < 0)
		trap_die(126, "signals are refused here", NULL);
	ids_from_text(ids);
	root_start();
	number = p->argv[EXEC_FD];
	if (!text_to_number(&number, 1 << 30, &fd))
		trap_die(126, "this is the loader of a run, not a command", NULL);
	exec_set_program(p->argv[EXEC_PROGRAM]);
	loader_run(p, &(struct loader_program){ (int)fd, p->argv[EXEC_NAME], EXEC_WORDS });
}

__attribute__((used)) void trap_main(long *stack)
{
	struct process p;

	process_read(&p, stack);
	machine_set_page(process_aux(&p, AT_PAGESZ));
	if (p.argc > 0 && p.argv[0][0] == EXEC_MARK_BYTE)
		loader_main(&p);
	launch_main(&p);
}
