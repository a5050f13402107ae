/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload: the one static program of the test images. What it does is its own name (a link) or else its first argument,
 * e.g. `payload args a b` or a link `args`. `payload help` lists all. Output is exact, one fact a line.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int complain(const char *what)
{
	fprintf(stderr, "payload: %s: %s\n", what, strerror(errno));
	return 1;
}

static int number(const char *s)
{
	return s ? (int)strtol(s, NULL, 10) : 0;
}

/* In each of these argv[0] is the word itself. */

static int do_true(char **argv)
{
	(void)argv;
	return 0;
}

static int do_false(char **argv)
{
	(void)argv;
	return 1;
}

static int do_exit(char **argv)
{
	return number(argv[1]);
}

static int do_echo(char **argv)
{
	for (int i = 1; argv[i]; i++)
		printf("%s%s", i > 1 ? " " : "", argv[i]);
	putchar('\n');
	return 0;
}

static int do_args(char **argv)
{
	for (int i = 1; argv[i]; i++)
		printf("[%s]\n", argv[i]);
	return 0;
}

static int do_env(char **argv)
{
	if (argv[1]) {
		const char *v = getenv(argv[1]);

		return v ? puts(v) < 0 : 1;
	}
	for (char **e = environ; *e; e++)
		puts(*e);
	return 0;
}

static int do_cat(char **argv)
{
	int fd = !argv[1] || strcmp(argv[1], "-") == 0 ? 0 : open(argv[1], O_RDONLY);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return complain(argv[1]);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) != n)
			return complain("write");
	return n < 0 ? complain("read") : 0;
}

static int do_id(char **argv)
{
	gid_t groups[1024];
	int n = getgroups(1024, groups);

	(void)argv;
	printf("uid=%u gid=%u euid=%u egid=%u groups=", getuid(), getgid(), geteuid(), getegid());
	for (int i = 0; i < n; i++)
		printf("%s%u", i ? "," : "", groups[i]);
	putchar('\n');
	return 0;
}

static int do_notify(char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!path || !argv[1] || strlen(path) >= sizeof(a.sun_path))
		return 2;
	strcpy(a.sun_path, path);
	if (sendto(fd, argv[1], strlen(argv[1]), 0, (struct sockaddr *)&a, sizeof(a)) < 0)
		return complain(path);
	close(fd);
	return 0;
}

static int do_pwd(char **argv)
{
	char *dir = getcwd(NULL, 0);

	(void)argv;
	if (!dir)
		return complain("getcwd");
	puts(dir);
	free(dir);
	return 0;
}

static const char *type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "link";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "fifo";
	default:
		return "socket";
	}
}

static int do_stat(char **argv)
{
	struct stat st;

	for (int i = 1; argv[i]; i++) {
		if (lstat(argv[i], &st) < 0)
			return complain(argv[i]);
		printf("%s %04o %u %u %lld\n", type_of(st.st_mode), st.st_mode & 07777, st.st_uid, st.st_gid,
			(long long)st.st_size);
	}
	return 0;
}

static int do_ls(char **argv)
{
	const char *dir = argv[1] ? argv[1] : ".";
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);

	if (n < 0)
		return complain(dir);
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
			puts(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

static int do_write(char **argv)
{
	int fd;
	size_t n;

	if (!argv[1] || !argv[2])
		return 2;
	n = strlen(argv[2]);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || write(fd, argv[2], n) != (ssize_t)n || close(fd) < 0)
		return complain(argv[1]);
	return 0;
}

static int do_sleep(char **argv)
{
	struct timespec left = { .tv_sec = number(argv[1]) };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
	return 0;
}

static int do_signal(char **argv)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(number(argv[1]), SIG_DFL);
	raise(number(argv[1]));
	return 99;
}

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

/* Tell when the handlers are in place, then which signal came. */
static int do_trap(char **argv)
{
	const int all[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t block, old;

	(void)argv;
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		sigaddset(&block, all[i]);
		sigaction(all[i], &sa, NULL);
	}
	sigprocmask(SIG_BLOCK, &block, &old);
	puts("ready");
	fflush(stdout);
	while (!caught)
		sigsuspend(&old);
	printf("got %d\n", (int)caught);
	return 40 + (int)caught;
}

static int do_isatty(char **argv)
{
	(void)argv;
	for (int i = 0; i < 3; i++)
		if (isatty(i))
			printf("%d\n", i);
	return 0;
}

static int do_fds(char **argv)
{
	char path[40], target[PATH_MAX];
	long max = sysconf(_SC_OPEN_MAX);

	(void)argv;
	for (int fd = 3; fd < (max > 0 && max < 65536 ? max : 65536); fd++) {
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		printf("%d %s\n", fd, n > 0 ? target : "?");
	}
	return 0;
}

/* Leave a process behind: what is to become of it is up to the engine. */
static int do_orphan(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		return complain("fork");
	if (pid == 0) {
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		return do_sleep(argv);
	}
	printf("%d\n", (int)pid);
	return 0;
}

static int do_readlink(char **argv)
{
	char target[PATH_MAX];
	ssize_t n = readlink(argv[1] ? argv[1] : "", target, sizeof(target) - 1);

	if (n < 0)
		return complain(argv[1] ? argv[1] : "readlink");
	target[n] = '\0';
	puts(target);
	return 0;
}

static int do_hostname(char **argv)
{
	char name[256] = "";

	(void)argv;
	if (gethostname(name, sizeof(name) - 1) < 0)
		return complain("gethostname");
	puts(name);
	return 0;
}

static int do_umask(char **argv)
{
	(void)argv;
	printf("%04o\n", (unsigned)umask(0));
	return 0;
}

static int do_rlimit(char **argv)
{
	static const struct {
		const char *name;
		int which;
	} limits[] = {
		{ "core", RLIMIT_CORE },
		{ "cpu", RLIMIT_CPU },
		{ "fsize", RLIMIT_FSIZE },
		{ "memlock", RLIMIT_MEMLOCK },
		{ "nofile", RLIMIT_NOFILE },
		{ "nproc", RLIMIT_NPROC },
		{ "stack", RLIMIT_STACK },
		{ "as", RLIMIT_AS },
	};
	struct rlimit l;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (argv[1] && strcmp(argv[1], limits[i].name) != 0)
			continue;
		if (getrlimit(limits[i].which, &l) < 0)
			return complain(limits[i].name);
		printf("%s %lld %lld\n", limits[i].name, (long long)l.rlim_cur, (long long)l.rlim_max);
	}
	return 0;
}

static int do_ids(char **argv)
{
	(void)argv;
	printf("pid=%d ppid=%d pgid=%d sid=%d\n", (int)getpid(), (int)getppid(), (int)getpgrp(),
		(int)getsid(0));
	return 0;
}

static int do_nnp(char **argv)
{
	(void)argv;
	printf("%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return 0;
}

/* With nothing but zeros, which no call of those that are asked for accepts. */
static int do_call(char **argv)
{
	errno = 0;
	(void)syscall(number(argv[1]), 0, 0, 0, 0, 0, 0);
	printf("%d\n", errno);
	return 0;
}

/* What a 32-bit program asks for: the entry of the kernel decides, not the program. 0x7ffffffe where there is none. */
static int do_chown32(char **argv)
{
	static char path[256];
	long r = 0x7ffffffe;

	snprintf(path, sizeof(path), "%s", argv[1] ? argv[1] : "");
#ifdef __x86_64__
	/* 212 is chown32 there; this program lies below 4 GiB, and so does its data. */
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "0"(212), "b"(path), "c"(number(argv[2])), "d"(number(argv[2]))
			 : "memory", "r8", "r9", "r10", "r11");
#endif
	printf("%d\n", (int)r);
	return 0;
}

static int do_exec(char **argv)
{
	if (!argv[1])
		return 2;
	execvp(argv[1], argv + 1);
	complain(argv[1]);
	return errno == ENOENT ? 127 : 126;
}

static int do_help(char **argv);

static const struct {
	const char *word;
	int (*run)(char **argv);
	const char *about;
} words[] = {
	{ "true", do_true, "" },
	{ "false", do_false, "" },
	{ "exit", do_exit, "N" },
	{ "echo", do_echo, "ARG...  on one line" },
	{ "args", do_args, "ARG...  one [ARG] a line" },
	{ "env", do_env, "[NAME]" },
	{ "cat", do_cat, "[FILE|-]" },
	{ "id", do_id, "numbers only" },
	{ "ids", do_ids, "pid, parent, group, session" },
	{ "pwd", do_pwd, "" },
	{ "notify", do_notify, "TEXT  to the socket of NOTIFY_SOCKET" },
	{ "stat", do_stat, "PATH...  type mode uid gid size, links not followed" },
	{ "ls", do_ls, "[DIR]" },
	{ "readlink", do_readlink, "PATH" },
	{ "write", do_write, "FILE TEXT" },
	{ "sleep", do_sleep, "SECONDS" },
	{ "signal", do_signal, "N  ends itself with it" },
	{ "trap", do_trap, "prints ready, then 'got N', exits 40+N" },
	{ "isatty", do_isatty, "which of 0 1 2 are terminals" },
	{ "fds", do_fds, "open descriptors from 3 up" },
	{ "orphan", do_orphan, "SECONDS  leaves a child behind, prints its pid" },
	{ "hostname", do_hostname, "" },
	{ "umask", do_umask, "" },
	{ "rlimit", do_rlimit, "[NAME]" },
	{ "nnp", do_nnp, "no_new_privs" },
	{ "call", do_call, "NUMBER  of a system call without arguments; prints its errno" },
	{ "chown32", do_chown32, "FILE ID  by the call of 32-bit programs; prints its result" },
	{ "exec", do_exec, "PROGRAM [ARG...]" },
	{ "help", do_help, "" },
};

static int do_help(char **argv)
{
	(void)argv;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		printf("%-9s %s\n", words[i].word, words[i].about);
	return 0;
}

/* The status of the word, or -1 if there is no such word. */
static int perform(char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *word = slash ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, word) == 0) {
			int r = words[i].run(argv);

			return fflush(stdout) ? 1 : r & 255;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	int r = argc > 0 ? perform(argv) : -1;

	if (r < 0 && argc > 1)
		r = perform(argv + 1);
	if (r < 0) {
		fprintf(stderr, "payload: no such word; `payload help` lists them\n");
		return 125;
	}
	return r;
}
