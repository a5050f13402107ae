/* SPDX-License-Identifier: Apache-2.0 */
/* What of the machine the engine needs, tried: udocker-trap --probe. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "engines/trap/filter.h"
#include "engines/trap/launch.h"
#include "engines/trap/loader.h"
#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/signals.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

bool launch_has_openat2(void)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	long fd = SYS(openat2, AT_FDCWD, ".", &how, sizeof(how));

	if (fd >= 0)
		(void)SYS(close, fd);
	return fd != -ENOSYS && fd != -EPERM;
}

bool launch_has_faccessat2(void)
{
	long r = SYS(faccessat2, AT_FDCWD, ".", 0, 0);

	return r != -ENOSYS && r != -EPERM;
}

static void print(const char *word)
{
	char line[128];
	size_t n = strlen(word);

	memcpy(line, word, n);
	line[n] = '\n';
	(void)SYS(write, 1, line, n + 1); /* the caller misses the word then */
}

/* A call of uname() outside of the image: answered with our name only if it was trapped and its handler ran. */
static int call_outside(void)
{
	struct utsname names;
	long page = SYS(mmap, 0, machine_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long (*call)(struct utsname *) = NULL;

	if (sys_failed(page))
		return 2;
	memcpy((void *)page, machine_uname, sizeof(machine_uname));
	machine_code_changed((unsigned long)page, sizeof(machine_uname));
	if (SYS(mprotect, page, machine_page, PROT_READ | PROT_EXEC) < 0)
		return 3;
	memcpy(&call, &page, sizeof(call));
	return call(&names) == 0 && text_eq(names.nodename, "probe") ? 0 : 4;
}

static int try_filter(void)
{
	static struct sock_filter code[FILTER_MAX];
	struct trap_state *s = launch_state();
	const struct filter_options o = { .fd_low = 1000, .fd_high = 1001, .names = true };
	struct sock_fprog program = { .filter = code };

	s->hostname = launch_add_text("probe");
	s->flags = TRAP_NO_REWRITE;
	s->n_binds = 1;
	trap_state = s;
	program.len = (unsigned short)filter_build(code, &o);
	if (SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || signals_start() < 0)
		return 5;
	if (SYS(prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return 6;
	return call_outside();
}

static const char *reason(long status)
{
	if (WIFSIGNALED(status))
		return "no: a trapped system call ends the program here";
	switch (WEXITSTATUS(status)) {
	case 3:
		return "no: memory that was written cannot be made executable here";
	case 4:
		return "no: trapped system calls are not delivered here";
	case 6:
		return "no: seccomp filters are refused here";
	default:
		return "no: the probe failed";
	}
}

/* May text be changed? A private page of our own file, as a library's is. */
static bool can_rewrite(void)
{
	long fd = SYS(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC), page, r = -1;

	if (fd < 0)
		return true;
	page = SYS(mmap, 0, machine_page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (!sys_failed(page) && SYS(mprotect, page, machine_page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) {
		*(volatile char *)page = 0;
		r = SYS(mprotect, page, machine_page, PROT_READ | PROT_EXEC);
	}
	(void)SYS(close, fd);
	return r == 0;
}

void launch_probe(void)
{
	unsigned size = 0;
	int status = 0;
	long pid = SYS(clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		(void)SYS(exit_group, try_filter());
	if (pid < 0 || SYS(wait4, pid, &status, 0, 0) != pid) {
		print("no: no process can be started");
		trap_die(1, "no process can be started", NULL);
	}
	if (status != 0)
		print(reason(status));
	else
		print("filter");
	if (launch_has_openat2())
		print("openat2");
	if (can_rewrite())
		print("rewrite");
	if (SYS(prctl, PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0)
		print("mm_map");
	for (;;)
		(void)SYS(exit_group, status != 0);
}
