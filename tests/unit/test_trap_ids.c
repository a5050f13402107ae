/* SPDX-License-Identifier: Apache-2.0 */
/* Emulated ids against the kernel's own: the same calls in a process that is root; and whose they are after fork and vfork. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "engines/trap/call.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "tests/unit/tap.h"
#include "tests/unit/trap_guest.h"

static long ask(call_handler handler, unsigned long a, unsigned long b, unsigned long c)
{
	struct call call = { .nr = -1, .arg = { a, b, c } };

	return handler(&call);
}

static uint32_t random_state;

static unsigned next_random(unsigned n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 16) % n;
}

static const struct {
	const char *name;
	long nr;
	call_handler handler;
} setters[] = {
	{ "setuid", SYS_setuid, call_setuid },
	{ "setreuid", SYS_setreuid, call_setreuid },
	{ "setresuid", SYS_setresuid, call_setresuid },
	{ "setfsuid", SYS_setfsuid, call_setfsuid },
	{ "setgid", SYS_setgid, call_setgid },
	{ "setregid", SYS_setregid, call_setregid },
	{ "setresgid", SYS_setresgid, call_setresgid },
	{ "setfsgid", SYS_setfsgid, call_setfsgid },
	{ "setgroups", SYS_setgroups, call_setgroups },
};

static bool same_ids(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct real[2], ours[2];
	uint32_t u[4], g[4], group[8];
	const struct ids *e = ids_get();
	long n;

	syscall(SYS_getresuid, &u[0], &u[1], &u[2]);
	syscall(SYS_getresgid, &g[0], &g[1], &g[2]);
	u[3] = (uint32_t)syscall(SYS_setfsuid, -1);
	g[3] = (uint32_t)syscall(SYS_setfsgid, -1);
	n = syscall(SYS_getgroups, 8, group);
	syscall(SYS_capget, &header, real);
	ask(call_capget, (unsigned long)&header, (unsigned long)ours, 0);
	/* setfsuid() moves the capabilities on files; all others are looked at. */
	return !memcmp(u, e->uid, sizeof(u)) && !memcmp(g, e->gid, sizeof(g)) && n == (long)e->n_groups &&
	       !memcmp(group, e->group, (size_t)n * sizeof(group[0])) &&
	       !!(real[0].effective & 1 << CAP_SETUID) == !!(ours[0].effective & 1 << CAP_SETUID) &&
	       !!(real[0].permitted & 1 << CAP_SETUID) == !!(ours[0].permitted & 1 << CAP_SETUID);
}

/* In a child, so that the next one is root again. 0 if all was the same. */
static int compare_once(uint32_t seed)
{
	static const uint32_t ids[] = { 0, 0, 5, 7, 9, UINT32_MAX };
	uint32_t groups[] = { 3, 8, 3 };

	random_state = seed;
	syscall(SYS_setgroups, 0, NULL);
	ids_start();
	if (next_random(4) == 0) {
		prctl(PR_SET_KEEPCAPS, 1);
		ids_own()->securebits = 1 << 4;
	}
	for (int i = 0; i < 12; i++) {
		unsigned which = next_random(sizeof(setters) / sizeof(setters[0]));
		unsigned long a = ids[next_random(6)], b = ids[next_random(6)], c = ids[next_random(6)];
		long real, ours;

		if (setters[which].nr == SYS_setgroups) {
			a = next_random(4);
			b = (unsigned long)groups;
		}
		real = syscall(setters[which].nr, a, b, c);
		real = real < 0 && setters[which].nr != SYS_setfsuid && setters[which].nr != SYS_setfsgid
			       ? -errno
			       : real;
		ours = ask(setters[which].handler, a, b, c);
		if (real != ours || !same_ids()) {
			printf("# seed %u: %s(%lu, %lu, %lu): %ld, the kernel says %ld\n", seed,
				setters[which].name, a, b, c, ours, real);
			fflush(stdout);
			return 1;
		}
	}
	return 0;
}

static int in_child(int (*f)(uint32_t), uint32_t arg)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(f(arg));
	waitpid(pid, &status, 0);
	return status;
}

static void test_rules(void)
{
	unsigned bad = 0;

	if (geteuid()) {
		ok(true, "the kernel's rules are compared as root only # SKIP");
		return;
	}
	for (uint32_t seed = 1; seed <= 400 && bad < 3; seed++)
		bad += in_child(compare_once, seed) != 0;
	is_int(bad, 0, "400 series of set*id() calls answer as the kernel does");
}

static void test_dropped(void)
{
	uint32_t three[3];

	ids_start();
	is_int(ask(call_getuid, 0, 0, 0), 0, "root at first");
	is_int(ask(call_setresgid, 5, 5, 5), 0, "root sets any gid");
	is_int(ask(call_setresuid, 7, 7, 7), 0, "and any uid");
	is_int(ask(call_setuid, 0, 0, 0), -EPERM, "and is root no more");
	is_int(ask(call_setgroups, 0, 0, 0), -EPERM, "nor sets groups");
	is_int(ask(call_setgid, 0, 0, 0), -EPERM, "nor any gid");
	is_int(ask(call_geteuid, 0, 0, 0), 7, "the effective id");
	is_int(ask(call_getresuid, (unsigned long)&three[0], (unsigned long)&three[1],
		       (unsigned long)&three[2]),
		0, "all three");
	ok(three[0] == 7 && three[1] == 7 && three[2] == 7, "are the same");
	is_int(ask(call_getresuid, 8, 8, 8), -EFAULT, "into nowhere");
	is_int(ids_show_uid(getuid()), 0, "the user's files are root's all the same");
	is_int(ids_show_uid(getuid() + 1), getuid() + 1, "others' are theirs");
}

static void test_groups(void)
{
	uint32_t many[IDS_MAX_GROUPS + 1] = { 0 }, got[4];

	ids_start();
	is_int(ask(call_setgroups, IDS_MAX_GROUPS, (unsigned long)many, 0), 0,
		"as many groups as there is room for");
	is_int(ask(call_setgroups, IDS_MAX_GROUPS + 1, (unsigned long)many, 0), -ENOMEM, "one more");
	is_int(ask(call_setgroups, 65537, (unsigned long)many, 0), -EINVAL, "more than the kernel takes");
	is_int(ask(call_setgroups, 2, 8, 0), -EFAULT, "from nowhere");
	is_int(ask(call_getgroups, 1, (unsigned long)got, 0), -EINVAL, "too little room");
	is_int(ask(call_getgroups, (unsigned long)-1, (unsigned long)got, 0), -EINVAL, "less than none");
	is_int(ask(call_getgroups, 0, 0, 0), IDS_MAX_GROUPS, "how many there are");
}

static void test_text(void)
{
	char text[IDS_TEXT_MAX], again[IDS_TEXT_MAX];
	uint32_t groups[IDS_MAX_GROUPS];
	struct ids *e;

	memset(groups, 0xfe, sizeof(groups));
	ids_start();
	ask(call_setgroups, IDS_MAX_GROUPS, (unsigned long)groups, 0);
	e = ids_own();
	e->no_new_privs = true;
	e->cap[IDS_BOUNDING] = 0xff;
	ask(call_setresgid, 4294967294u, 4294967293u, 4294967294u);
	ask(call_setresuid, 4294967294u, 0, 4294967294u);
	ok(ids_to_text(text) < sizeof(text) && ids_to_text(text) == strlen(text), "the longest text fits");
	memset(e, 0, sizeof(*e));
	ids_from_text(text);
	ids_to_text(again);
	is_str(again, text, "what exec passes is what the next program has");
	ok(ids_get()->no_new_privs && ids_get()->n_groups == IDS_MAX_GROUPS && ids_get()->uid[2] == 0,
		"with the saved id the effective one");
	is_int((long long)ids_get()->cap[IDS_EFFECTIVE], 0xff, "and no capability that was given up");
	ids_from_text("1,2,x");
	ids_from_text("");
	ids_from_text("1,1,1,1,1,1,1,1,99999999999,");
	ok(ids_get()->n_groups <= IDS_MAX_GROUPS, "broken texts do no harm");
}

static void test_set_id(void)
{
	struct stat st = { .st_mode = S_IFREG | S_ISUID | 0755, .st_uid = getuid(), .st_gid = getgid() };
	uint32_t u[4], g[4];
	char text[IDS_TEXT_MAX];

	ids_start();
	ask(call_setresuid, 7, 7, 7);
	ids_exec(&st, u, g);
	ok(u[0] == 7 && u[1] == 0 && u[2] == 0, "a set-uid program of root's is root");
	ids_to_text(text);
	ok(strncmp(text, "7,0,0,0,", 8) == 0, "and its text says so");
	is_int(ask(call_geteuid, 0, 0, 0), 7, "whoever could not start it is who it was");
	st.st_mode &= ~(unsigned)S_ISUID;
	ids_exec(&st, u, g);
	ids_to_text(text);
	ok(u[1] == 7 && strncmp(text, "7,7,7,7,", 8) == 0, "the next program without the bit is not");
	st.st_mode |= S_ISUID;
	ids_own()->no_new_privs = true;
	ids_exec(&st, u, g);
	is_int(u[1], 7, "nor one with it under no_new_privs");
}

/* ---- whose ids ---- */
static int *shared;

static int vfork_child(void *arg)
{
	(void)arg;
	ask(call_setuid, 5, 0, 0);
	shared[0] = (int)ask(call_getuid, 0, 0, 0);
	return 0;
}

static int fork_child(uint32_t arg)
{
	return ask(call_getuid, 0, 0, 0) != (long)arg || ask(call_geteuid, 0, 0, 0) != (long)arg;
}

/* A daemon: changes, forks again, and is gone before the last one asks. */
static int fork_twice(uint32_t arg)
{
	pid_t pid;

	ask(call_setuid, arg, 0, 0);
	pid = fork();
	if (pid)
		_exit(0);
	usleep(50000);
	shared[1] = (int)ask(call_getuid, 0, 0, 0);
	shared[2] = 1;
	return 0;
}

static void test_whose(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ids_start();
	pid = clone(vfork_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	waitpid(pid, &status, 0);
	is_int(shared[0], 5, "a vfork child has the id that it set");
	is_int(ask(call_getuid, 0, 0, 0), 0, "its parent has its own");
	is_int(in_child(fork_child, 0), 0, "and so has a fork child of that");
	in_child(fork_twice, 9);
	for (int i = 0; i < 200 && !shared[2]; i++)
		usleep(10000);
	is_int(shared[1], 9, "a daemon's child has the daemon's, though that is gone");
	is_int(ask(call_getuid, 0, 0, 0), 0, "and nothing of it comes back");
}

static void test_caps(void)
{
	struct __user_cap_header_struct header = { 1, 0 };
	struct __user_cap_data_struct data[2];

	ids_start();
	is_int(ask(call_capget, (unsigned long)&header, 0, 0), 0, "which version of capabilities");
	is_int(header.version, _LINUX_CAPABILITY_VERSION_3, "the newest");
	header.version = 1;
	is_int(ask(call_capget, (unsigned long)&header, (unsigned long)data, 0), -EINVAL, "no such version");
	is_int(ask(call_capget, 8, (unsigned long)data, 0), -EFAULT, "a header nowhere");
	is_int(ask(call_capget, (unsigned long)&header, (unsigned long)data, 0), 0, "root's");
	ok(data[0].effective == UINT32_MAX && data[1].effective == 0x1ff, "are all");
	memset(data, 0, sizeof(data));
	is_int(ask(call_capset, (unsigned long)&header, (unsigned long)data, 0), 0, "given up");
	data[0].effective = data[0].permitted = 1;
	is_int(ask(call_capset, (unsigned long)&header, (unsigned long)data, 0), -EPERM, "for good");
	is_int(ask(call_setuid, 5, 0, 0), -EPERM, "root without them is nobody else");
	header.pid = 1;
	is_int(ask(call_capset, (unsigned long)&header, (unsigned long)data, 0), -EPERM, "another process's");
}

int main(void)
{
	trap_state = trap_guest("/", TRAP_IDS, false);
	test_rules();
	test_dropped();
	test_groups();
	test_text();
	test_set_id();
	test_whose();
	test_caps();
	return tap_done();
}
