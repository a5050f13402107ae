/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trapsignals CASE: what programs do with signals, threads and exec, in the working directory, which it may fill. It says what is not as Linux has
 * it and exits 1. Without CASE it lists them. Linked statically, with the C library of this machine and with musl: the engine meets each of them
 * at other instructions.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JUMPS = 300, THREADS = 4, ROUNDS = 300, SPAWNS = 40, TICK_US = 500, WORDS = 3000 };

static int failures;
static const char *self;
extern char **environ;

#define check(what) \
	do { \
		errno = 0; \
		if (!(what)) { \
			fprintf(stderr, "trapsignals:%d: %s (%s)\n", __LINE__, #what, strerror(errno)); \
			failures++; \
		} \
	} while (0)

static volatile sig_atomic_t caught;
static sigjmp_buf back;
static void *volatile nowhere = (void *)16;

static void on_signal(int sig)
{
	struct stat st;
	int e = errno;

	if (stat(".", &st) == 0)
		caught = sig;
	errno = e;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction a = { .sa_handler = handler, .sa_flags = flags };

	sigaction(sig, &a, NULL);
}

static void timer(int us)
{
	struct itimerval t = { .it_interval.tv_usec = us, .it_value.tv_usec = us };

	setitimer(ITIMER_REAL, &t, NULL);
}

static int status_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int run_self(const char *word)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(self, self, word, (char *)NULL);
		_exit(99);
	}
	return status_of(pid);
}

/* ---- calls that signals interrupt ---- */

static void fifo_eintr(void)
{
	mkfifo("fifo", 0600);
	handle(SIGALRM, on_signal, 0);
	timer(50000);
	check(open("fifo", O_RDONLY) < 0 && errno == EINTR);
	timer(0);
	check(caught == SIGALRM);
}

static void fifo_restart(void)
{
	pid_t pid;
	int fd;

	mkfifo("fifo", 0600);
	handle(SIGALRM, on_signal, SA_RESTART);
	pid = fork();
	if (pid == 0) {
		usleep(300000);
		_exit(open("fifo", O_WRONLY) < 0);
	}
	timer(20000);
	check((fd = open("fifo", O_RDONLY)) >= 0);
	timer(0);
	check(caught == SIGALRM);
	check(status_of(pid) == 0);
	close(fd);
}

static void jump(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void long_jump(void)
{
	volatile int jumps = 0;
	struct stat st;
	char to[64];

	handle(SIGALRM, jump, 0);
	if (sigsetjmp(back, 1))
		jumps++;
	timer(jumps < JUMPS ? TICK_US : 0);
	while (jumps < JUMPS)
		if (stat("/etc/passwd", &st) != 0 || readlink("/proc/self/exe", to, sizeof(to)) <= 0)
			break;
	timer(0);
	check(jumps == JUMPS);
	check(mkdir("after", 0700) == 0);
}

/* ---- masks ---- */

static void full_masks(void)
{
	struct timespec soon = { .tv_nsec = 1000000 }, later = { .tv_sec = 5 };
	sigset_t all, but_alarm;
	struct epoll_event e;
	struct stat st;

	sigfillset(&all);
	but_alarm = all;
	sigdelset(&but_alarm, SIGALRM);
	handle(SIGALRM, on_signal, 0);
	sigprocmask(SIG_SETMASK, &all, NULL);
	check(stat(".", &st) == 0);
	check(ppoll(NULL, 0, &soon, &all) == 0);
	check(stat(".", &st) == 0);
	timer(20000);
	check(ppoll(NULL, 0, &later, &but_alarm) < 0 && errno == EINTR && caught == SIGALRM);
	caught = 0;
	check(pselect(0, NULL, NULL, NULL, &later, &but_alarm) < 0 && errno == EINTR && caught == SIGALRM);
	caught = 0;
	check(epoll_pwait(epoll_create1(0), &e, 1, 5000, &but_alarm) < 0 && errno == EINTR);
	check(caught == SIGALRM);
	caught = 0;
	check(sigsuspend(&but_alarm) < 0 && errno == EINTR && caught == SIGALRM);
	check(sigtimedwait(&all, NULL, &later) == SIGALRM);
	timer(0);
	check(ppoll(NULL, 0, &soon, NULL) == 0 && pselect(0, NULL, NULL, NULL, &soon, NULL) == 0);
	check(stat(".", &st) == 0);
}

static void *stat_in_thread(void *arg)
{
	struct stat st;

	*(int *)arg = stat(".", &st) != 0;
	return NULL;
}

/* As Go and C libraries do it: every signal there is, by calls of their own, and what is begun meanwhile. */
static void raw_masks(void)
{
	const unsigned long all = ~0ul, none = 0;
	unsigned long old = 1;
	struct sigaction a;
	struct stat st;
	pthread_t thread;
	int bad = 1;
	pid_t pid;

	check(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8) == 0 && old == 0);
	check(stat(".", &st) == 0);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(stat(".", &st) != 0 || access("/etc", F_OK) != 0);
	check(status_of(pid) == 0);
	check(run_self("stats") == 0);
	pthread_create(&thread, NULL, stat_in_thread, &bad);
	check(pthread_join(thread, NULL) == 0 && bad == 0);
	check(syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &all, NULL, 8) == 0);
	check(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, 8) == 0 && old == 0);
	check(stat(".", &st) == 0);
	check(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8) == 0);
	/* In the handler all are blocked. */
	handle(SIGUSR1, on_signal, 0);
	sigaction(SIGUSR1, NULL, &a);
	memset(&a.sa_mask, 0xff, sizeof(a.sa_mask));
	sigaction(SIGUSR1, &a, NULL);
	caught = 0;
	raise(SIGUSR1);
	check(caught == SIGUSR1 && stat(".", &st) == 0);
}

static void signal_fd(void)
{
	struct signalfd_siginfo i = { 0 };
	sigset_t all;
	int fd;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	check((fd = signalfd(-1, &all, SFD_CLOEXEC)) >= 0);
	kill(getpid(), SIGUSR1);
	check(read(fd, &i, sizeof(i)) == sizeof(i) && i.ssi_signo == SIGUSR1);
}

static void mask_queries(void)
{
	sigset_t set, old;
	void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGSEGV);
	check(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && sigprocmask(SIG_BLOCK, NULL, &old) == 0);
	check(sigismember(&old, SIGUSR1) && sigismember(&old, SIGSEGV) && !sigismember(&old, SIGUSR2));
	/* How crash handlers ask whether memory is there, SIGSEGV being blocked. */
	check(syscall(SYS_rt_sigprocmask, ~0, none, NULL, 8) < 0 && errno == EFAULT);
	check(syscall(SYS_rt_sigprocmask, ~0, &set, NULL, 8) < 0 && errno == EINVAL);
	check(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4) < 0 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4) < 0 && errno == EINVAL);
	check(syscall(SYS_rt_sigaction, SIGKILL, (long[4]){ 0 }, NULL, 8) < 0 && errno == EINVAL);
}

/* ---- stacks ---- */

static volatile sig_atomic_t on_own_stack;
static char *stack_begin;
static size_t stack_size;

static void on_stack(int sig)
{
	stack_t s;

	on_signal(sig);
	on_own_stack = sigaltstack(NULL, &s) == 0 && s.ss_sp == (void *)stack_begin &&
		       s.ss_size == stack_size && (s.ss_flags & SS_ONSTACK);
}

static void alternate_stack(size_t size)
{
	stack_t s = { .ss_sp = malloc(size), .ss_size = size }, old;

	stack_begin = s.ss_sp;
	stack_size = size;
	check(sigaltstack(&s, NULL) == 0);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	for (int i = 0; i < 20; i++) {
		caught = on_own_stack = 0;
		raise(SIGUSR1);
		check(caught == SIGUSR1 && on_own_stack);
	}
	s.ss_flags = SS_DISABLE;
	check(sigaltstack(&s, &old) == 0 && old.ss_sp == (void *)stack_begin && old.ss_size == size);
	check(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE));
	free(stack_begin);
}

static void alternate_stacks(void)
{
	stack_t tiny = { .ss_sp = &tiny, .ss_size = 1000 };

	alternate_stack(16384);
	alternate_stack(8192);
	alternate_stack(6144);
	alternate_stack(65536);
	check(sigaltstack(&tiny, NULL) < 0 && errno == ENOMEM);
	check(syscall(SYS_sigaltstack, nowhere, NULL) < 0 && errno == EFAULT);
}

/* ---- SIGSYS and SIGSEGV of the guest ---- */

static volatile sig_atomic_t code, number;

static void on_info(int sig, siginfo_t *i, void *context)
{
	struct stat st;

	(void)context;
	code = i->si_code;
	number = sig == SIGSYS ? i->si_errno : i->si_addr == nowhere;
	if (stat(".", &st) == 0)
		caught = sig;
}

static void handle_info(int sig, int flags)
{
	struct sigaction a = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &a, NULL);
}

/* A filter of the guest that traps getpriority() with a number of its own; musl comes without the kernel's headers. */
static void own_filter(void)
{
	struct {
		unsigned short code;
		unsigned char yes, no;
		unsigned k;
	} code_[] = {
		{ 0x20, 0, 0, 0 }, /* the number */
		{ 0x15, 0, 1, SYS_getpriority }, { 0x06, 0, 0, 0x00030000 | 77 }, /* SECCOMP_RET_TRAP */
		{ 0x06, 0, 0, 0x7fff0000 }, /* SECCOMP_RET_ALLOW */
	};
	struct {
		unsigned short n;
		void *code;
	} program = { 4, code_ };

	caught = 0;
	handle_info(SIGSYS, 0);
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(syscall(SYS_seccomp, 1, 0, NULL) < 0 && errno == EFAULT);
	check(prctl(PR_SET_SECCOMP, 2, &program, 0, 0) == 0);
	syscall(SYS_getpriority, PRIO_PROCESS, 0);
	check(caught == SIGSYS && code == 1 && number == 77);
}

static void guest_sigsys(void)
{
	struct sigaction a;

	handle_info(SIGSYS, SA_RESTART);
	check(sigaction(SIGSYS, NULL, &a) == 0 && a.sa_sigaction == on_info);
	check((a.sa_flags & SA_SIGINFO) && (a.sa_flags & SA_RESTART) && !(a.sa_flags & SA_ONSTACK));
	raise(SIGSYS);
	check(caught == SIGSYS && code <= 0);
	caught = 0;
	handle_info(SIGSYS, (int)SA_RESETHAND);
	raise(SIGSYS);
	check(caught == SIGSYS);
	check(sigaction(SIGSYS, NULL, &a) == 0 && a.sa_handler == SIG_DFL);
	handle(SIGSYS, SIG_IGN, 0);
	raise(SIGSYS);
	check(sigaction(SIGSYS, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
	check(run_self("is-ignored") == 0);
	own_filter();
}

static void on_fault(int sig, siginfo_t *i, void *context)
{
	on_info(sig, i, context);
	siglongjmp(back, 1);
}

static void guest_sigsegv(void)
{
	static char stack[65536];
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;
	volatile int faults = 0;

	sigaltstack(&s, NULL);
	sigaddset(&a.sa_mask, SIGUSR1);
	sigaddset(&a.sa_mask, SIGSYS);
	check(sigaction(SIGSEGV, &a, NULL) == 0);
	check(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_sigaction == on_fault);
	check((old.sa_flags & (SA_SIGINFO | SA_ONSTACK)) == (SA_SIGINFO | SA_ONSTACK) &&
		sigismember(&old.sa_mask, SIGUSR1));
	if (sigsetjmp(back, 1))
		check(caught == SIGSEGV && code == SEGV_MAPERR && number);
	caught = 0;
	check(access(nowhere, F_OK) < 0 && errno == EFAULT && !caught);
	if (++faults < 5)
		*(volatile int *)nowhere = 1;
	check(faults == 5);
	handle_info(SIGSEGV, (int)SA_RESETHAND);
	check(sigaction(SIGSEGV, NULL, &old) == 0 && (old.sa_flags & (int)SA_RESETHAND));
	check(access(nowhere, F_OK) < 0 && errno == EFAULT && !caught);
	raise(SIGSEGV);
	check(caught == SIGSEGV && sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	check(access(nowhere, F_OK) < 0 && errno == EFAULT);
}

static int die_by(int how)
{
	struct rlimit none = { 0, 0 };
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		if (how == 2 || how == 3)
			signal(SIGSEGV, SIG_IGN);
		if (how == 0 || how == 3)
			*(volatile int *)nowhere = 1;
		if (how == 1 || how == 2)
			raise(SIGSEGV);
		if (how == 4)
			raise(SIGSYS);
		if (how == 5)
			signal(SIGBUS, on_signal), signal(SIGBUS, SIG_DFL), raise(SIGBUS);
		_exit(7);
	}
	return status_of(pid);
}

#define KILLED_BY(status, sig) (WIFSIGNALED(status) && WTERMSIG(status) == (sig))

static void deaths(void)
{
	check(KILLED_BY(die_by(0), SIGSEGV));
	check(KILLED_BY(die_by(1), SIGSEGV));
	check(WEXITSTATUS(die_by(2)) == 7);
	check(KILLED_BY(die_by(3), SIGSEGV));
	check(KILLED_BY(die_by(4), SIGSYS));
	check(KILLED_BY(die_by(5), SIGBUS));
}

static void efaults(void)
{
	const char *bad = nowhere;
	struct stat st;
	struct statfs fs;
	char *argv[] = { "x", NULL };

#define EFAULTS(call) check((call) < 0 && errno == EFAULT)
	EFAULTS(open(bad, O_RDONLY));
	EFAULTS(openat(AT_FDCWD, bad, O_RDONLY));
	EFAULTS(creat(bad, 0600));
	EFAULTS(stat(bad, &st));
	EFAULTS(lstat(bad, &st));
	EFAULTS(fstatat(AT_FDCWD, bad, &st, 0));
	EFAULTS(syscall(SYS_statx, AT_FDCWD, bad, 0, 0, &fs));
	EFAULTS(syscall(SYS_newfstatat, AT_FDCWD, ".", nowhere, 0));
#ifdef SYS_stat
	EFAULTS(syscall(SYS_stat, ".", nowhere));
#endif
	EFAULTS(access(bad, F_OK));
	EFAULTS(faccessat(AT_FDCWD, bad, F_OK, 0));
	EFAULTS(readlink(bad, (char *)&fs, 10));
	EFAULTS(readlink("/proc/self/exe", (char *)nowhere, 10));
	EFAULTS(syscall(SYS_getcwd, nowhere, 4096));
	EFAULTS(chdir(bad));
	EFAULTS(mkdir(bad, 0700));
	EFAULTS(rmdir(bad));
	EFAULTS(unlink(bad));
	EFAULTS(symlink(bad, "x"));
	EFAULTS(symlink("x", bad));
	EFAULTS(link(bad, "x"));
	EFAULTS(link("/etc/passwd", bad));
	EFAULTS(rename(bad, "x"));
	EFAULTS(rename(".", bad));
	EFAULTS(chmod(bad, 0600));
	EFAULTS(chown(bad, 0, 0));
	EFAULTS(truncate(bad, 0));
	EFAULTS(statfs(bad, &fs));
	EFAULTS(mknod(bad, S_IFREG | 0600, 0));
	EFAULTS(utimensat(AT_FDCWD, bad, NULL, 0));
	EFAULTS(execve(bad, argv, environ));
	EFAULTS(execve(self, nowhere, environ));
	EFAULTS(execve(self, argv, nowhere));
	EFAULTS(syscall(SYS_rt_sigaction, SIGUSR1, nowhere, NULL, 8));
	EFAULTS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, nowhere, NULL, 8));
	EFAULTS(syscall(SYS_rt_sigsuspend, nowhere, 8));
	EFAULTS(syscall(SYS_ppoll, NULL, 0, NULL, nowhere, 8));
	EFAULTS(syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, nowhere));
	EFAULTS(syscall(SYS_signalfd4, -1, nowhere, 8, 0));
}

static void *efaults_in_thread(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	if (arg)
		pthread_sigmask(SIG_SETMASK, &all, NULL);
	efaults();
	return NULL;
}

/* A fault that finds its signal blocked ends a process: none of ours may. And the mask stays what it is. */
static void efaults_blocked(void)
{
	sigset_t all, old, now;
	pthread_t one, two;
	int bad = 0, there = 1;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	efaults();
	sigprocmask(SIG_BLOCK, NULL, &now);
	check(sigismember(&now, SIGSEGV) && sigismember(&now, SIGBUS) && sigismember(&now, SIGUSR1));
	check(run_self("efaults") == 0);
	pid = fork();
	if (pid == 0) {
		efaults();
		_exit(failures);
	}
	check(status_of(pid) == 0);
	/* A thread that has inherited it, when its parent has it no more. */
	pthread_create(&one, NULL, efaults_in_thread, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	pthread_create(&two, NULL, efaults_in_thread, &there);
	bad += pthread_join(one, NULL) + pthread_join(two, NULL);
	check(bad == 0);
	efaults();
}

/* ---- threads and children ---- */

static void *work(void *arg)
{
	struct sigaction a;
	sigset_t set, old;
	char to[200];
	struct stat st;
	int bad = 0;

	sigfillset(&set);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

		bad += fd < 0 || close(fd) != 0;
		bad += stat("/usr/bin", &st) != 0 || lstat("/etc/none", &st) == 0 || errno != ENOENT;
		bad += readlink("/proc/self/exe", to, sizeof(to)) <= 0 || access("/etc", R_OK) != 0;
		bad += pthread_sigmask(SIG_BLOCK, &set, &old) != 0 || !getcwd(to, sizeof(to));
		bad += pthread_sigmask(SIG_SETMASK, &old, NULL) != 0 || sigaction(SIGUSR2, NULL, &a) != 0;
	}
	*(int *)arg = bad;
	return NULL;
}

static void threads(void)
{
	pthread_t t[THREADS];
	int bad[THREADS];

	handle(SIGALRM, on_signal, SA_RESTART);
	timer(TICK_US);
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&t[i], NULL, work, &bad[i]) == 0);
	for (int i = 0; i < THREADS; i++)
		check(pthread_join(t[i], NULL) == 0 && bad[i] == 0);
	timer(0);
	check(caught == SIGALRM);
}

static void *spawn_some(void *arg)
{
	char *argv[] = { (char *)self, "nothing", NULL };
	int bad = 0;

	for (int i = 0; i < SPAWNS; i++) {
		pid_t pid = -1;
		posix_spawnattr_t a;
		sigset_t all;

		posix_spawnattr_init(&a);
		sigfillset(&all);
		posix_spawnattr_setsigdefault(&a, &all);
		posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGDEF);
		bad += posix_spawn(&pid, self, NULL, &a, argv, environ) != 0 || status_of(pid) != 0;
		bad += posix_spawn(&pid, "/none", NULL, &a, argv, environ) != ENOENT;
		posix_spawnattr_destroy(&a);
	}
	*(int *)arg = bad;
	return NULL;
}

/* What children do to their signals is not done to ours, though vfork() and posix_spawn() share memory. */
static void spawns(void)
{
	pthread_t t[2];
	int bad[2];
	struct sigaction a;
	pid_t pid;

	handle_info(SIGSYS, 0);
	handle_info(SIGSEGV, SA_ONSTACK);
	handle(SIGALRM, on_signal, SA_RESTART);
	timer(TICK_US);
	for (int i = 0; i < 2; i++)
		check(pthread_create(&t[i], NULL, spawn_some, &bad[i]) == 0);
	for (int i = 0; i < 2; i++)
		check(pthread_join(t[i], NULL) == 0 && bad[i] == 0);
	timer(0);
	pid = vfork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGSYS, SIG_IGN);
		execl(self, self, "nothing", (char *)NULL);
		_exit(1);
	}
	check(status_of(pid) == 0);
	check(sigaction(SIGSYS, NULL, &a) == 0 && a.sa_sigaction == on_info);
	check(sigaction(SIGSEGV, NULL, &a) == 0 && a.sa_sigaction == on_info);
	raise(SIGSYS);
	check(caught == SIGSYS);
	raise(SIGSEGV);
	check(caught == SIGSEGV);
}

static void *block_in_open(void *arg)
{
	struct stat st;

	for (int i = 0; i < 5; i++) /* until the instruction is known */
		close(open("/etc/passwd", O_RDONLY));
	*(volatile int *)arg = stat(".", &st) == 0;
	open("fifo", O_RDONLY);
	return NULL;
}

static void *block_in_read(void *arg)
{
	int p[2];
	char c;

	check(pipe(p) == 0);
	*(volatile int *)arg = 1;
	return read(p[0], &c, 1) < 0 ? NULL : arg;
}

static void cancel(void *(*function)(void *))
{
	volatile int started = 0;
	void *result = NULL;
	pthread_t t;

	check(pthread_create(&t, NULL, function, (void *)&started) == 0);
	while (!started)
		sched_yield();
	usleep(100000);
	check(pthread_cancel(t) == 0);
	check(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
}

static void cancellation(void)
{
	mkfifo("fifo", 0600);
	cancel(block_in_read);
	cancel(block_in_open);
}

/* ---- programs ---- */

static void write_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
	close(fd);
}

static int exec_errno(const char *path)
{
	char *argv[] = { "x", NULL };

	errno = 0;
	execve(path, argv, environ);
	return errno;
}

static void exec_errors(void)
{
	char level[] = "#!./level0\n", name[] = "level0", long_name[5000];
	pid_t pid;

	write_file("empty", "", 0755);
	write_file("text", "some text, and nothing else", 0755);
	write_file("plain", "#!/bin/sh\n", 0644);
	write_file("to-dir", "#!/etc\n", 0755);
	write_file("to-none", "#!/no/such\n", 0755);
	write_file("to-crlf", "#!/bin/sh\r\n", 0755);
	write_file("no-name", "#!  \n", 0755);
	write_file("loop", "#!./loop\n", 0755);
	write_file("elf", "\177ELF\2\1\1 and more", 0755);
	symlink("circle", "circle");
	mkfifo("pipe", 0755);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	check(exec_errno("none") == ENOENT && exec_errno("") == ENOENT && exec_errno("/etc/") == EACCES);
	check(exec_errno(".") == EACCES && exec_errno("pipe") == EACCES && exec_errno("plain") == EACCES);
	check(exec_errno("empty") == ENOEXEC && exec_errno("text") == ENOEXEC &&
		exec_errno("elf") == ENOEXEC);
	check(exec_errno("no-name") == ENOEXEC && exec_errno("text/x") == ENOTDIR);
	check(exec_errno("to-dir") == EACCES && exec_errno("to-none") == ENOENT);
	check(exec_errno("to-crlf") == ENOENT && exec_errno("loop") == ELOOP);
	check(exec_errno("circle") == ELOOP && exec_errno(long_name) == ENAMETOOLONG);
	write_file("level0", "#!/bin/true\n", 0755);
	for (char c = '1'; c <= '5'; c++) {
		level[9] = (char)(c - 1);
		name[5] = c;
		write_file(name, level, 0755);
	}
	check(exec_errno("level5") == ELOOP);
	pid = fork();
	if (pid == 0) {
		execl("./level4", "x", (char *)NULL);
		_exit(99);
	}
	check(status_of(pid) == 0);
}

static int vfork_exec(char **argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(self, argv);
		_exit(99);
	}
	return status_of(pid);
}

static void exec_vectors(void)
{
	static char *argv[WORDS + 1];
	static char blob[3 << 20];
	char *huge[] = { "x", blob, NULL };
	pid_t pid;

	argv[0] = (char *)self;
	argv[1] = "count";
	for (int i = 2; i < WORDS; i++)
		argv[i] = "word";
	for (int i = 0; i < 3; i++)
		check(vfork_exec(argv) == 0);
	memset(blob, 'x', sizeof(blob) - 1);
	errno = 0;
	check(execve(self, huge, environ) < 0 && errno == E2BIG);
	write_file("script", "#!/bin/sh -e \n[ \"$#\" = 2 ] && [ \"$0\" = ./script ] && [ \"$2\" = 'b c' ]\n",
		0755);
	pid = fork();
	if (pid == 0) {
		execl("./script", "ignored", "a", "b c", (char *)NULL);
		_exit(99);
	}
	check(status_of(pid) == 0);
}

static int exec_fd(int fd, const char *word)
{
	char *argv[] = { "by-fd", (char *)word, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(errno);
	}
	return status_of(pid) >> 8;
}

static void exec_by_descriptor(void)
{
	int fd = open(self, O_RDONLY | O_CLOEXEC), path = open(self, O_PATH | O_CLOEXEC), script, memory;
	char data[65536], *argv[] = { "x", NULL };
	ssize_t n;

	check(exec_fd(fd, "nothing") == 0 && exec_fd(path, "nothing") == 0);
	memory = (int)syscall(SYS_memfd_create, "program", MFD_CLOEXEC);
	while ((n = read(fd, data, sizeof(data))) > 0)
		check(write(memory, data, (size_t)n) == n);
	check(exec_fd(memory, "nothing") == 0 && exec_fd(memory, "is-memory") == 0);
	write_file("script", "#!/bin/true\n", 0755);
	script = open("script", O_RDONLY | O_CLOEXEC);
	check(exec_fd(script, "x") == ENOENT);
	fcntl(script, F_SETFD, 0);
	check(exec_fd(script, "x") == 0);
	symlink(self, "a-link");
	check(syscall(SYS_execveat, AT_FDCWD, "a-link", argv, environ, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno == ELOOP);
	check(syscall(SYS_execveat, AT_FDCWD, self, argv, environ, 0x40) < 0 && errno == EINVAL);
	check(syscall(SYS_execveat, fd, "", argv, environ, 0) < 0 && errno == ENOENT);
	check(syscall(SYS_execveat, 500, "", argv, environ, AT_EMPTY_PATH) < 0 && errno == EBADF);
}

static void inherited(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGSEGV, SIG_IGN);
	signal(SIGBUS, SIG_IGN);
	signal(SIGSYS, SIG_IGN);
	check(run_self("is-inherited") == 0);
	check(exec_errno("none") == ENOENT);
	raise(SIGSEGV);
	check(access(nowhere, F_OK) < 0 && errno == EFAULT);
}

/* A tracer passes on the signals that are not its own, the engine's among them. */
static int stopped_by(pid_t pid)
{
	int status = status_of(pid);

	while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSYS) {
		ptrace(PTRACE_CONT, pid, NULL, SIGSYS);
		status = status_of(pid);
	}
	return status;
}

static void traced(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
		raise(SIGSTOP);
		_exit(3);
	}
	check(WSTOPSIG(stopped_by(pid)) == SIGSTOP);
	check(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL) == 0);
	check(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0);
	check(WEXITSTATUS(stopped_by(pid)) == 3);
}

/* Memory is never both writable and executable from here on (PR_SET_MDWE, Linux 6.3): no site can be rewritten. */
static void strict_memory(void)
{
	struct stat st;

	(void)prctl(65, 1, 0, 0, 0); /* older kernels have no such rule */
	for (int i = 0; i < 100; i++)
		check(stat("/etc/passwd", &st) == 0 && access("/etc", F_OK) == 0);
}

/* What is run by the cases. */
static void is_ignored(void)
{
	struct sigaction a;

	check(sigaction(SIGSYS, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
}

static void is_inherited(void)
{
	struct sigaction a;
	sigset_t set;

	is_ignored();
	check(sigaction(SIGSEGV, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
	check(sigaction(SIGBUS, NULL, &a) == 0 && a.sa_handler == SIG_IGN);
	check(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGUSR2));
}

static void stats(void)
{
	int bad = 1;

	stat_in_thread(&bad);
	check(bad == 0);
}

/* A program that no name leads to. */
static void is_memory(void)
{
	char name[100] = "";

	check(readlink("/proc/self/exe", name, sizeof(name) - 1) > 0);
	check(strcmp(name, "/memfd:program (deleted)") == 0);
}

static void nothing(void)
{
}

static int n_words;

static void count(void)
{
	check(n_words == WORDS);
}

static const struct {
	const char *name;
	void (*run)(void);
	int is_hidden;
} cases[] = {
	{ "fifo-eintr", fifo_eintr, 0 },
	{ "fifo-restart", fifo_restart, 0 },
	{ "long-jump", long_jump, 0 },
	{ "full-masks", full_masks, 0 },
	{ "raw-masks", raw_masks, 0 },
	{ "signal-fd", signal_fd, 0 },
	{ "mask-queries", mask_queries, 0 },
	{ "alternate-stacks", alternate_stacks, 0 },
	{ "guest-sigsys", guest_sigsys, 0 },
	{ "guest-sigsegv", guest_sigsegv, 0 },
	{ "deaths", deaths, 0 },
	{ "efaults", efaults, 0 },
	{ "efaults-blocked", efaults_blocked, 0 },
	{ "threads", threads, 0 },
	{ "spawns", spawns, 0 },
	{ "cancellation", cancellation, 0 },
	{ "exec-errors", exec_errors, 0 },
	{ "exec-vectors", exec_vectors, 0 },
	{ "exec-by-descriptor", exec_by_descriptor, 0 },
	{ "inherited", inherited, 0 },
	{ "traced", traced, 0 },
	{ "strict-memory", strict_memory, 0 },
	{ "is-ignored", is_ignored, 1 },
	{ "is-inherited", is_inherited, 1 },
	{ "is-memory", is_memory, 1 },
	{ "stats", stats, 1 },
	{ "nothing", nothing, 1 },
	{ "count", count, 1 },
};

int main(int argc, char **argv)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	self = n > 0 ? path : argv[0];
	n_words = argc;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2 && !cases[i].is_hidden)
			puts(cases[i].name);
		if (argc >= 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return failures > 0;
		}
	}
	return argc > 1 ? 2 : 0;
}
