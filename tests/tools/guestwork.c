/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guestwork: what shells cannot do, for the battery and the benchmarks of the execution modes, in one program that is linked statically,
 * with the C library of this machine and with musl (guestwork, guestwork.dynamic, guestwork.musl). `guestwork WORD ARG...`; output is exact,
 * one fact a line. The loops say nothing when all calls succeed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES = 100, THREADS_MAX = 64, MESSAGE = 4, GROWTHS = 100, GROWTH = 50000 };

static int complain(const char *what)
{
	fprintf(stderr, "guestwork: %s: %s\n", what, strerror(errno));
	return 1;
}

static int number(const char *s)
{
	return s ? (int)strtol(s, NULL, 10) : 0;
}

/* ---- loops, on files f0 to f99 of a folder ---- */

struct loop {
	int n;
	const char *dir;
	int failed;
};

static void file_name(char *ret, size_t size, const char *dir, int i)
{
	snprintf(ret, size, "%s/f%d", dir, i % FILES);
}

static void *loop_open(void *arg)
{
	struct loop *l = arg;
	char path[512], data[4096];

	for (int i = 0; i < l->n; i++) {
		int fd;

		file_name(path, sizeof(path), l->dir, i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, data, sizeof(data)) < 0)
			l->failed++;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *loop_stat(void *arg)
{
	struct loop *l = arg;
	struct stat st;
	char path[512];

	for (int i = 0; i < l->n; i++) {
		file_name(path, sizeof(path), l->dir, i);
		l->failed += stat(path, &st) < 0;
	}
	return NULL;
}

static void *loop_access(void *arg)
{
	struct loop *l = arg;
	char path[512];

	for (int i = 0; i < l->n; i++) {
		file_name(path, sizeof(path), l->dir, i);
		l->failed += access(path, R_OK) < 0;
	}
	return NULL;
}

/* Plain names, as find and ls look at them. */
static void *loop_lstat(void *arg)
{
	struct loop *l = arg;
	struct stat st;
	char name[16];

	for (int i = 0; i < l->n; i++) {
		snprintf(name, sizeof(name), "f%d", i % FILES);
		l->failed += lstat(name, &st) < 0;
	}
	return NULL;
}

static int all_succeeded(const struct loop *l)
{
	if (l->failed)
		fprintf(stderr, "guestwork: %d calls of %d failed\n", l->failed, l->n);
	return l->failed != 0;
}

/* stat N DIR */
static int do_stat(char **argv)
{
	struct loop l = { number(argv[1]), argv[2], 0 };

	loop_stat(&l);
	return all_succeeded(&l);
}

/* access N DIR */
static int do_access(char **argv)
{
	struct loop l = { number(argv[1]), argv[2], 0 };

	loop_access(&l);
	return all_succeeded(&l);
}

/* lstat N DIR: of plain names, from within it */
static int do_lstat(char **argv)
{
	struct loop l = { number(argv[1]), argv[2], 0 };

	if (chdir(l.dir) < 0)
		return complain(l.dir);
	loop_lstat(&l);
	return all_succeeded(&l);
}

/* open N DIR: open, read, close */
static int do_open(char **argv)
{
	struct loop l = { number(argv[1]), argv[2], 0 };

	loop_open(&l);
	return all_succeeded(&l);
}

/* Run work in n threads; their results are in l. */
static int in_threads(int n, void *(*work)(void *), struct loop *l)
{
	pthread_t threads[THREADS_MAX];
	int failed = 0;

	for (int i = 0; i < n; i++) {
		errno = pthread_create(&threads[i], NULL, work, &l[i]);
		if (errno)
			exit(complain("pthread_create"));
	}
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		failed |= all_succeeded(&l[i]);
	}
	return failed;
}

/* threads THREADS N DIR: the same by so many at once */
static int do_threads(char **argv)
{
	struct loop l[THREADS_MAX];
	int n = number(argv[1]);

	for (int i = 0; i < n && i < THREADS_MAX; i++)
		l[i] = (struct loop){ number(argv[2]), argv[3], 0 };
	return in_threads(n, loop_open, l);
}

/* spawn N PROGRAM: fork and execute, one after the other */
static int do_spawn(char **argv)
{
	for (int i = 0; i < number(argv[1]); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execv(argv[2], argv + 2);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return complain("fork");
		if (status != 0) {
			fprintf(stderr, "guestwork: %s: status %d\n", argv[2], status);
			return 1;
		}
	}
	return 0;
}

/* ---- threads that write, rename and remove ---- */

static int write_one(const char *dir, int thread, int i)
{
	char a[512], b[512], text[64], back[64] = "";
	int fd, len;

	snprintf(a, sizeof(a), "%s/%d-%d.new", dir, thread, i);
	snprintf(b, sizeof(b), "%s/%d-%d", dir, thread, i);
	len = snprintf(text, sizeof(text), "%d of %d", i, thread);
	fd = open(a, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) < 0 || rename(a, b) < 0)
		return 1;
	fd = open(b, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, back, sizeof(back) - 1) != len || close(fd) < 0)
		return 1;
	return strcmp(text, back) != 0 || (i % 2 == 0 && unlink(b) < 0);
}

static void *writer(void *arg)
{
	struct loop *l = arg;
	static int next;
	int thread = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST);

	for (int i = 0; i < l->n; i++)
		l->failed += write_one(l->dir, thread, i);
	return NULL;
}

/* write THREADS N DIR: N files by each thread, every other one stays */
static int do_write(char **argv)
{
	struct loop l[THREADS_MAX];
	int n = number(argv[1]);

	for (int i = 0; i < n && i < THREADS_MAX; i++)
		l[i] = (struct loop){ number(argv[2]), argv[3], 0 };
	return in_threads(n, writer, l);
}

/* ---- processes ---- */

/* storm N: so many children at once, each of which has a grandchild */
static int do_storm(char **argv)
{
	int n = number(argv[1]), ended = 0, status;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return complain("fork");
		if (pid == 0) {
			pid = fork();
			if (pid == 0)
				_exit(i % 100);
			_exit(pid > 0 && waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 255);
		}
	}
	for (int sum = 0; wait(&status) > 0; ended++) {
		sum += WEXITSTATUS(status);
		if (ended == n - 1)
			printf("%d ended, sum %d\n", n, sum);
	}
	return ended != n;
}

/* exe: what /proc/self/exe is, and the program that it starts */
static int do_exe(char **argv)
{
	char path[4096] = "";
	char *again[] = { "guestwork", "say", "started by /proc/self/exe", NULL };

	(void)argv;
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return complain("/proc/self/exe");
	puts(path);
	fflush(stdout);
	execv("/proc/self/exe", again);
	return complain("execv");
}

static int do_say(char **argv)
{
	puts(argv[1]);
	return 0;
}

/* cwd: what getcwd() says */
static int do_cwd(char **argv)
{
	char path[4096];

	(void)argv;
	if (!getcwd(path, sizeof(path)))
		return complain("getcwd");
	puts(path);
	return 0;
}

/* grow PROGRAM: posix_spawn(), and the heap becomes larger afterwards */
static int do_grow(char **argv)
{
	char *args[] = { argv[1], NULL }, *env[] = { NULL };
	pid_t pid;
	int status;

	errno = posix_spawn(&pid, argv[1], NULL, NULL, args, env);
	if (errno || waitpid(pid, &status, 0) != pid || status != 0)
		return complain(argv[1]);
	for (int i = 0; i < GROWTHS; i++) {
		char *more = malloc(GROWTH);

		if (!more)
			return complain("malloc");
		memset(more, i, GROWTH);
	}
	return 0;
}

/* ---- sockets ---- */

/* A child connects and sends, the parent answers, the child says what came. */
static int talk(int listener, const struct sockaddr *to, socklen_t len, int family)
{
	char text[MESSAGE + 1] = "";
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		fd = socket(family, SOCK_STREAM, 0);
		if (connect(fd, to, len) < 0)
			_exit(complain("connect"));
		if (write(fd, "ping", MESSAGE) != MESSAGE || read(fd, text, MESSAGE) != MESSAGE)
			_exit(complain("client"));
		_exit(strcmp(text, "pong") != 0);
	}
	fd = pid < 0 ? -1 : accept(listener, NULL, NULL);
	if (fd < 0 || read(fd, text, MESSAGE) != MESSAGE || write(fd, "pong", MESSAGE) != MESSAGE)
		return complain("server");
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 1;
	printf("%s, pong\n", text);
	return 0;
}

/* unix PATH: a server and a client by a path, and the name that the server has */
static int do_unix(char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX }, bound = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(bound);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(argv[1]) >= sizeof(name.sun_path)) {
		fprintf(stderr, "guestwork: the path is too long\n");
		return 1;
	}
	memcpy(name.sun_path, argv[1], strlen(argv[1]));
	alarm(20); /* a client that fails leaves us waiting */
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 1) < 0)
		return complain("bind");
	if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		return complain("getsockname");
	puts(bound.sun_path);
	fflush(stdout);
	return talk(fd, (struct sockaddr *)&name, sizeof(name), AF_UNIX);
}

/* loopback: the same over 127.0.0.1, on a port that is free */
static int do_loopback(char **argv)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)argv;
	alarm(20);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, len) < 0 || listen(fd, 1) < 0)
		return complain("bind");
	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return complain("getsockname");
	return talk(fd, (struct sockaddr *)&name, len, AF_INET);
}

static const struct {
	const char *name;
	int args; /* that it needs */
	int (*run)(char **argv);
} words[] = {
	{ "stat", 2, do_stat },
	{ "access", 2, do_access },
	{ "lstat", 2, do_lstat },
	{ "open", 2, do_open },
	{ "threads", 3, do_threads },
	{ "write", 3, do_write },
	{ "spawn", 2, do_spawn },
	{ "storm", 1, do_storm },
	{ "grow", 1, do_grow },
	{ "exe", 0, do_exe },
	{ "say", 1, do_say },
	{ "cwd", 0, do_cwd },
	{ "unix", 1, do_unix },
	{ "loopback", 0, do_loopback },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (argc >= 2 && strcmp(argv[1], words[i].name) == 0 && argc >= 2 + words[i].args)
			return words[i].run(argv + 1);
	fprintf(stderr, "usage: guestwork stat|open|threads|write|spawn|storm|grow|exe|say|cwd|unix|loopback "
			"ARG...\n");
	return 2;
}
