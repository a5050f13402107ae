/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's seccomp programs behind the engine's prefix, and prctl() as the guest sees it. */
#include "engines/trap/guestsec.c"

#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"
#include "tests/unit/trap_guest.h"

static long ask(call_handler handler, long nr, unsigned long a, unsigned long b, unsigned long c)
{
	struct call call = { .nr = nr, .arg = { a, b, c } };

	return handler(&call);
}

/* What a guest's filter that refuses everything says of a call from `ip`. */
static uint32_t answer(uint64_t ip)
{
	struct sock_filter refuse[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 5) };
	struct sock_fprog fprog = { 1, refuse };
	struct seccomp_data data = { .nr = 1, .arch = ARCH, .instruction_pointer = ip };
	size_t size;
	long error;
	struct sock_filter *program = copy_program(&fprog, &size, &error);
	uint32_t r = bpf_run(program, PREFIX + 1, &data);

	munmap(program, size);
	return r;
}

static void test_prefix(void)
{
	const uint32_t refused = SECCOMP_RET_ERRNO | 5;

	ok(answer(TRAP_BASE) == SECCOMP_RET_ALLOW, "the first byte of the image passes");
	ok(answer(TRAP_BASE + TRAP_SPAN - 1) == SECCOMP_RET_ALLOW, "and the last");
	ok(answer(TRAP_BASE + TRAP_SPAN) == refused, "what follows it does not");
	ok(answer(TRAP_BASE + (uint32_t)(uintptr_t)judge_place) == refused, "nor the place that is judged");
	ok(answer(TRAP_BASE - 1) == refused, "nor what is before it");
	ok(answer(TRAP_BASE + (1ull << 32)) == refused, "nor the same below another upper half");
	ok(answer(0x1000) == refused, "nor a low address");
}

static void test_strict(void)
{
	static const long allowed[] = { SYS_read, SYS_write, SYS_exit, SYS_rt_sigreturn };
	struct seccomp_data data = { .arch = ARCH, .instruction_pointer = TRAP_BASE };
	unsigned passed = 0;

	for (int nr = 0; nr < 500; nr++) {
		data.nr = nr;
		passed += bpf_run(strict, sizeof(strict) / sizeof(strict[0]), &data) == SECCOMP_RET_ALLOW;
	}
	is_int(passed, 4, "strict mode lets four calls pass");
	passed = 0;
	for (unsigned i = 0; i < 4; i++) {
		data.nr = (int)allowed[i];
		passed += bpf_run(strict, sizeof(strict) / sizeof(strict[0]), &data) == SECCOMP_RET_ALLOW;
	}
	is_int(passed, 4, "these");
	data.arch = 1;
	ok(bpf_run(strict, sizeof(strict) / sizeof(strict[0]), &data) == SECCOMP_RET_KILL,
		"not under other numbers");
}

/* As a container's process: the kernel's no_new_privs is set, the guest's is not. */
static int as_guest(int (*f)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* musl's header of prctl() excludes the kernel's, which the engine has. */
		syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(f());
	}
	waitpid(pid, &status, 0);
	return status;
}

static int install_and_use(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = { 4, program };
	unsigned long at = (unsigned long)&fprog;

	ids_own()->cap[IDS_EFFECTIVE] = 0;
	if (ask(call_seccomp, SYS_seccomp, 1, 0, at) != -EACCES)
		return 1;
	if (ask(call_prctl, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) ||
		ask(call_prctl, SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0) != 1)
		return 2;
	if (ask(call_prctl, SYS_prctl, PR_GET_SECCOMP, 0, 0) || ask(call_seccomp, SYS_seccomp, 1, 0, at))
		return 3;
	if (ask(call_prctl, SYS_prctl, PR_GET_SECCOMP, 0, 0) != 2 || syscall(SYS_getppid) != -1 ||
		errno != 77)
		return 4;
	return ask(call_prctl, SYS_prctl, PR_SET_SECCOMP, 2, at) ? 5 : 0;
}

static int go_strict(void)
{
	if (ask(call_prctl, SYS_prctl, PR_SET_SECCOMP, 1, 0))
		return 1;
	syscall(SYS_getppid);
	return 2;
}

static void test_install(void)
{
	struct sock_fprog none = { 0, NULL }, bad = { 3, (struct sock_filter *)8 }, long_one = { 4096, NULL };

	is_int(as_guest(install_and_use), 0, "a filter is installed, by who set no_new_privs");
	ok(WIFSIGNALED(as_guest(go_strict)), "strict mode ends who makes another call");
	is_int(ask(call_seccomp, SYS_seccomp, 1, 0, 0), -EFAULT,
		"libseccomp's question for a flag that there is");
	is_int(ask(call_seccomp, SYS_seccomp, 1, 1u << 30, 0), -EINVAL, "and for one that there is not");
	is_int(ask(call_seccomp, SYS_seccomp, 1, 0, 8), -EFAULT, "a program nowhere");
	is_int(ask(call_seccomp, SYS_seccomp, 1, 0, (unsigned long)&none), -EINVAL, "an empty one");
	is_int(ask(call_seccomp, SYS_seccomp, 1, 0, (unsigned long)&bad), -EFAULT, "instructions nowhere");
	is_int(ask(call_seccomp, SYS_seccomp, 1, 0, (unsigned long)&long_one), -EINVAL, "too many");
	is_int(ask(call_seccomp, SYS_seccomp, 0, 1, 0), -EINVAL, "strict mode has no flags");
	is_int(ask(call_seccomp, SYS_seccomp, 77, 0, 0), -EINVAL, "no such operation");
}

static void test_prctl(void)
{
	is_int(ask(call_prctl, SYS_prctl, PR_SET_NO_NEW_PRIVS, 2, 0), -EINVAL, "no_new_privs is set to 1");
	is_int(ask(call_prctl, SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0), 0, "and is not set at first");
	is_int(ask(call_prctl, SYS_prctl, PR_CAPBSET_READ, 0, 0), 1, "a capability of the bounding set");
	is_int(ask(call_prctl, SYS_prctl, PR_CAPBSET_READ, 1000, 0), -EINVAL, "no capability");
	is_int(ask(call_prctl, SYS_prctl, PR_CAPBSET_DROP, 3, 0), 0, "dropped");
	is_int(ask(call_prctl, SYS_prctl, PR_CAPBSET_READ, 3, 0), 0, "is gone");
	is_int(ask(call_prctl, SYS_prctl, PR_SET_KEEPCAPS, 1, 0), 0, "KEEPCAPS");
	is_int(ask(call_prctl, SYS_prctl, PR_GET_KEEPCAPS, 0, 0), 1, "is kept");
	is_int(ask(call_prctl, SYS_prctl, PR_GET_SECUREBITS, 0, 0), 16, "in a secure bit");
	is_int(ask(call_prctl, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5), -EPERM,
		"ambient is what is inheritable");
	is_int(ask(call_prctl, SYS_prctl, PR_CAP_AMBIENT, 99, 5), -EINVAL, "no such operation");
	is_int(ask(call_prctl, SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, 0), -EPERM,
		"the link to the program stays");
	is_int(ask(call_prctl, SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, 1, 0), -EINVAL,
		"no dispatch past the engine");
	is_int(ask(call_prctl, SYS_prctl, PR_SET_NAME, (unsigned long)"tap", 0), 0,
		"the rest is the kernel's");
}

int main(void)
{
	trap_state = trap_guest("/", TRAP_IDS, false);
	ids_start();
	test_prefix();
	test_strict();
	test_install();
	test_prctl();
	return tap_done();
}
