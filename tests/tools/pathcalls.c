/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathcalls < SCRIPT: makes the system calls that the lines of a script name, each with its arguments as they stand there, and prints a line
 * for each: what came back, and of what was found its type, mode, size and identity (numbered in the order of first sight). The same script
 * on the same tree prints the same lines, whoever stands between the program and the kernel.
 *
 * pathcalls -r ROOT [-b HOST GUEST]... [-B HOST GUEST]... < SCRIPT: executes /prog in a real chroot with real bind mounts (-B: read-only), in a
 * mount namespace; for an ordinary user in a user namespace too, and without its capabilities.
 * pathcalls ARG: what the calls execute: exit status 42.
 *
 * Arguments: a path is "=TEXT", "-" NULL, "!" a bad address; a number is decimal or 0x; a directory is "." for AT_FDCWD or the number of a
 * descriptor, which line "keep" puts there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 10
#define EXECUTED 42
#define BAD_ADDRESS ((void *)8)

/* Newer than the headers of the oldest build machine. */
enum {
	NR_fchmodat2 = 452,
	NR_setxattrat = 463,
	NR_getxattrat = 464,
	NR_listxattrat = 465,
	NR_removexattrat = 466,
	NR_file_getattr = 468,
};

enum result {
	NUMBER, /* 0, mostly */
	FD, /* a descriptor: what it is open on, and closed again */
	TEXT, /* so many bytes in the buffer */
	STAT,
	STATX,
	FSTYPE,
	WATCH,
};

/*
 * A letter for each argument of the kernel's: d directory, p path, n number, B buffer and the size in the script, s struct stat, x struct
 * statx, f struct statfs, h struct open_how of three numbers and its size, v the value of an attribute of so many bytes, t two times, u utimbuf,
 * w inotify's descriptor, y fanotify's descriptor, i and k a file handle and its mount, a struct xattr_args and its size, g struct file_attr.
 */
struct row {
	const char *name;
	long nr;
	const char *args;
	enum result result;
};

#define ROW(name, args, result) \
	{ \
#name, SYS_##name, args, result \
	}
#define NEW(name, args, result) \
	{ \
#name, NR_##name, args, result \
	}
static const struct row rows[] = {
#ifdef SYS_open /* what newer architectures do not have */
	ROW(open, "pnn", FD),
	ROW(creat, "pn", FD),
	ROW(stat, "ps", STAT),
	ROW(lstat, "ps", STAT),
	ROW(access, "pn", NUMBER),
	ROW(readlink, "pB", TEXT),
	ROW(mkdir, "pn", NUMBER),
	ROW(rmdir, "p", NUMBER),
	ROW(unlink, "p", NUMBER),
	ROW(rename, "pp", NUMBER),
	ROW(link, "pp", NUMBER),
	ROW(symlink, "pp", NUMBER),
	ROW(mknod, "pnn", NUMBER),
	ROW(chmod, "pn", NUMBER),
	ROW(chown, "pnn", NUMBER),
	ROW(lchown, "pnn", NUMBER),
	ROW(utime, "pu", NUMBER),
	ROW(utimes, "pt", NUMBER),
	ROW(futimesat, "dpt", NUMBER),
	ROW(renameat, "dpdp", NUMBER),
#endif
	ROW(openat, "dpnn", FD),
	ROW(openat2, "dph", FD),
	ROW(newfstatat, "dpsn", STAT),
	ROW(statx, "dpnnx", STATX),
	ROW(faccessat, "dpn", NUMBER),
	ROW(faccessat2, "dpnn", NUMBER),
	ROW(readlinkat, "dpB", TEXT),
	ROW(getcwd, "B", TEXT),
	ROW(mkdirat, "dpn", NUMBER),
	ROW(unlinkat, "dpn", NUMBER),
	ROW(renameat2, "dpdpn", NUMBER),
	ROW(linkat, "dpdpn", NUMBER),
	ROW(symlinkat, "pdp", NUMBER),
	ROW(mknodat, "dpnn", NUMBER),
	ROW(fchmodat, "dpn", NUMBER),
	NEW(fchmodat2, "dpnn", NUMBER),
	ROW(fchownat, "dpnnn", NUMBER),
	ROW(utimensat, "dptn", NUMBER),
	ROW(truncate, "pn", NUMBER),
	ROW(statfs, "pf", FSTYPE),
	ROW(setxattr, "ppvn", NUMBER),
	ROW(lsetxattr, "ppvn", NUMBER),
	ROW(getxattr, "ppB", TEXT),
	ROW(lgetxattr, "ppB", TEXT),
	ROW(listxattr, "pB", TEXT),
	ROW(llistxattr, "pB", TEXT),
	ROW(removexattr, "pp", NUMBER),
	ROW(lremovexattr, "pp", NUMBER),
	NEW(setxattrat, "dpnpa", NUMBER),
	NEW(getxattrat, "dpnpa", TEXT),
	NEW(listxattrat, "dpnB", TEXT),
	NEW(removexattrat, "dpnp", NUMBER),
	NEW(file_getattr, "dpgnn", NUMBER),
	ROW(name_to_handle_at, "dpikn", NUMBER),
	ROW(inotify_add_watch, "wpn", WATCH),
	ROW(fanotify_mark, "ynndp", NUMBER),
	ROW(chroot, "p", NUMBER),
};

/* ---- what is printed -------------------------------------------------------------------------- */

#define MAX_SEEN 65536
static struct {
	uint64_t dev, ino;
} seen[MAX_SEEN];
static unsigned n_seen;
static uint64_t proc; /* its device: what lies there is another at each run */

static unsigned number_of(uint64_t dev, uint64_t ino)
{
	unsigned i;

	for (i = 0; i < n_seen; i++)
		if (seen[i].dev == dev && seen[i].ino == ino)
			return i;
	if (n_seen == MAX_SEEN)
		abort();
	seen[n_seen].dev = dev;
	seen[n_seen].ino = ino;
	return n_seen++;
}

/* A folder's size and links are its file system's affair; what /proc has changes with every look. */
static void print_object(
	uint64_t dev, uint64_t ino, unsigned mode, uint64_t size, unsigned links, int64_t mtime)
{
	printf(" %o", mode);
	if (dev == proc)
		return;
	printf(" #%u", number_of(dev, ino));
	if (S_ISREG(mode))
		printf(" size %llu links %u", (unsigned long long)size, links);
	if (mtime < 1000000)
		printf(" time %lld", (long long)mtime);
}

static void print_stat(const struct stat *st)
{
	print_object(st->st_dev, st->st_ino, st->st_mode, (uint64_t)st->st_size, (unsigned)st->st_nlink,
		st->st_mtime);
	printf(" own %d %d", st->st_uid == getuid(), st->st_gid == getgid());
}

static void print_statx(const struct statx *st)
{
	print_object(makedev(st->stx_dev_major, st->stx_dev_minor), st->stx_ino, st->stx_mode, st->stx_size,
		st->stx_nlink, st->stx_mtime.tv_sec);
	printf(" own %d %d", st->stx_uid == getuid(), st->stx_gid == getgid());
}

static void print_text(const char *text, long n)
{
	printf(" \"");
	for (long i = 0; i < n; i++)
		printf((unsigned char)text[i] > ' ' && text[i] < 127 ? "%c" : "\\%o", text[i]);
	printf("\"");
}

static void print_fd(int fd)
{
	/* Not O_NOFOLLOW: it tells how the path was walked, and the engine walks otherwise. */
	const int shown = O_ACCMODE | O_PATH | O_DIRECTORY | O_APPEND | O_NONBLOCK;
	struct stat st;

	printf(" flags %o cloexec %d", fcntl(fd, F_GETFL) & shown, fcntl(fd, F_GETFD));
	if (syscall(SYS_fstat, fd, &st) == 0)
		print_stat(&st);
	close(fd);
}

/* ---- the calls of the table ------------------------------------------------------------------- */

struct attr_args { /* of setxattrat() and getxattrat() */
	uint64_t value;
	uint32_t size, flags;
};

static union {
	char text[8192];
	struct stat st;
	struct statx stx;
	struct statfs fs;
} out;
static struct open_how how;
static struct attr_args attr;
static struct file_handle *handle;
static int mount_id, watcher = -1, marker = -1;
static const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
static const long utime_times[2] = { 1000, 2000 };
static char big_value[65536];

static const char *path_of(char *word)
{
	return *word == '-' ? NULL : *word == '!' ? BAD_ADDRESS : word + 1;
}

static long number(const char *word)
{
	return (long)strtoul(word, NULL, 0);
}

static char *next_word(char ***words)
{
	static char missing[] = "0";

	return **words ? *(*words)++ : missing;
}

/* The argument of a letter goes to a[*n], some have two. */
static void argument(char letter, char ***words, long *a, int *n)
{
	switch (letter) {
	case 'd': {
		const char *word = next_word(words);

		a[(*n)++] = *word == '.' ? AT_FDCWD : number(word);
		break;
	}
	case 'p':
		a[(*n)++] = (long)path_of(next_word(words));
		break;
	case 'n':
		a[(*n)++] = number(next_word(words));
		break;
	case 'B':
		a[(*n)++] = (long)out.text;
		a[(*n)++] = number(next_word(words));
		break;
	case 's':
	case 'x':
	case 'f':
	case 'g':
		a[(*n)++] = (long)&out;
		break;
	case 'h':
		how = (struct open_how){ 0 };
		how.flags = (uint64_t)number(next_word(words));
		how.mode = (uint64_t)number(next_word(words));
		how.resolve = (uint64_t)number(next_word(words));
		a[(*n)++] = (long)&how;
		a[(*n)++] = sizeof(how);
		break;
	case 'v':
		a[(*n)++] = (long)big_value;
		a[(*n)++] = number(next_word(words));
		break;
	case 't':
		a[(*n)++] = (long)times;
		break;
	case 'u':
		a[(*n)++] = (long)utime_times;
		break;
	case 'w':
		a[(*n)++] = watcher;
		break;
	case 'y':
		a[(*n)++] = marker;
		break;
	case 'i':
		handle->handle_bytes = MAX_HANDLE_SZ;
		a[(*n)++] = (long)handle;
		break;
	case 'k':
		a[(*n)++] = (long)&mount_id;
		break;
	case 'a':
		attr = (struct attr_args){ (uint64_t)(uintptr_t)out.text, (uint32_t)number(next_word(words)),
			0 };
		a[(*n)++] = (long)&attr;
		a[(*n)++] = sizeof(attr);
		break;
	default:
		abort();
	}
}

static void print_result(const struct row *row, long r)
{
	switch (row->result) {
	case NUMBER:
		printf(" %ld", r);
		break;
	case FD:
		print_fd((int)r);
		break;
	case TEXT:
		printf(" %ld", r);
		if (r <= (long)sizeof(out.text))
			print_text(out.text, r);
		break;
	case STAT:
		print_stat(&out.st);
		break;
	case STATX:
		print_statx(&out.stx);
		break;
	case FSTYPE:
		printf(" %lx", (long)out.fs.f_type);
		break;
	case WATCH:
		syscall(SYS_inotify_rm_watch, watcher, r);
		break;
	}
}

static void call_row(const struct row *row, char **words)
{
	long a[8] = { 0 }, r;
	int n = 0;

	for (const char *letter = row->args; *letter; letter++)
		argument(*letter, &words, a, &n);
	memset(&out, 0, sizeof(out));
	r = syscall(row->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r < 0)
		printf(" %s", strerrorname_np(errno));
	else
		print_result(row, r);
}

/* ---- what is more than one call --------------------------------------------------------------- */

static int here = -1; /* where the script's calls are made */

static void outcome(long r)
{
	if (r < 0)
		printf(" %s", strerrorname_np(errno));
	else
		printf(" ok");
}

/* enter PATH: the working directory from here on. */
static void do_enter(char **words)
{
	outcome(chdir(path_of(next_word(&words))));
	close(here);
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* gone PATH: a working directory that is no more. */
static void do_gone(char **words)
{
	const char *path = path_of(next_word(&words));

	mkdir(path, 0755);
	do_enter((char *[]){ words[-1], NULL });
	outcome(rmdir(path));
}

/* keep NUMBER PATH FLAGS: a descriptor for the lines that follow. */
static void do_keep(char **words)
{
	int at = (int)number(next_word(&words));
	const char *path = path_of(next_word(&words));
	int fd = open(path, (int)number(next_word(&words)) | O_CLOEXEC);

	outcome(fd);
	if (fd < 0)
		return;
	outcome(dup3(fd, at, O_CLOEXEC));
	close(fd);
}

static void where(void)
{
	if (!getcwd(out.text, sizeof(out.text)))
		outcome(-1);
	else
		print_text(out.text, (long)strlen(out.text));
	if (stat(".", &out.st) == 0)
		print_stat(&out.st);
}

/* chdir PATH: and back. */
static void do_chdir(char **words)
{
	long r = syscall(SYS_chdir, path_of(next_word(&words)));

	outcome(r);
	if (r == 0)
		where();
	if (r == 0 && fchdir(here) < 0)
		outcome(-1);
}

static void do_fchdir(char **words)
{
	long r = fchdir((int)number(next_word(&words)));

	outcome(r);
	if (r == 0)
		where();
	if (r == 0 && fchdir(here) < 0)
		outcome(-1);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_of_proc(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == proc;
}

/* list DIR PATH: the names in a folder, in order. */
static void do_list(char **words)
{
	static char entries[65536], *names[2048];
	int dir = *words && **words == '.' ? AT_FDCWD : (int)number(*words), fd;
	size_t n = 0;
	long r;

	words++;
	fd = openat(dir, path_of(next_word(&words)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		outcome(fd);
		return;
	}
	r = syscall(SYS_getdents64, fd, entries, sizeof(entries));
	for (long at = 0; at < r && n < 2048; at += *(unsigned short *)(entries + at + 16))
		names[n++] = entries + at + 19;
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n && !is_of_proc(fd); i++)
		printf(" %s", names[i]);
	close(fd);
}

static socklen_t address(struct sockaddr_un *to, const char *path)
{
	size_t n = path && path != BAD_ADDRESS ? strlen(path) : 0;

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n > sizeof(to->sun_path))
		n = sizeof(to->sun_path);
	memcpy(to->sun_path, path, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (n < sizeof(to->sun_path)));
}

/* bind PATH, connect PATH: a socket of its own; and the name that it then has. */
static void do_socket(char **words, long nr)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, path_of(next_word(&words)));
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long r = syscall(nr, s, &a, len);

	outcome(r);
	len = sizeof(a);
	memset(&a, 0, sizeof(a));
	if (r == 0 && syscall(nr == SYS_bind ? SYS_getsockname : SYS_getpeername, s, &a, &len) == 0) {
		printf(" %u", (unsigned)len);
		print_text(a.sun_path, (long)strnlen(a.sun_path, sizeof(a.sun_path)));
	}
	close(s);
}

static void do_bind(char **words)
{
	do_socket(words, SYS_bind);
}

static void do_connect(char **words)
{
	do_socket(words, SYS_connect);
}

/* listen PATH: a socket that stays. */
static void do_listen(char **words)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, path_of(next_word(&words)));
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	outcome(bind(s, (struct sockaddr *)&a, len));
	outcome(listen(s, 100));
}

/* exec DIR PATH FLAGS: by execveat(), or execve() where DIR is "x". */
static void do_exec(char **words)
{
	const char *dir = next_word(&words), *path = path_of(next_word(&words));
	long flags = number(next_word(&words));
	char *argv[] = { (char *)"0", (char *)"1", NULL }, *envp[] = { NULL };
	int status = 0, why[2], error = 0;
	ssize_t n;
	pid_t child;

	fflush(stdout);
	if (pipe2(why, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		outcome(-1);
		return;
	}
	if (child == 0) {
		if (*dir == 'x')
			syscall(SYS_execve, path, argv, envp);
		else
			syscall(SYS_execveat, *dir == '.' ? AT_FDCWD : number(dir), path, argv, envp, flags);
		error = errno;
		_exit(write(why[1], &error, sizeof(error)) != sizeof(error));
	}
	close(why[1]);
	/* The timer's signal is there for calls that wait for ever. */
	while ((n = read(why[0], &error, sizeof(error))) < 0 && errno == EINTR)
		;
	if (n == sizeof(error))
		printf(" %s", strerrorname_np(error));
	close(why[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	printf(" status %x", (unsigned)status);
}

static const struct {
	const char *name;
	void (*run)(char **words);
} others[] = {
	{ "enter", do_enter },
	{ "gone", do_gone },
	{ "keep", do_keep },
	{ "chdir", do_chdir },
	{ "fchdir", do_fchdir },
	{ "list", do_list },
	{ "bind", do_bind },
	{ "connect", do_connect },
	{ "listen", do_listen },
	{ "exec", do_exec },
};

static void run_line(char *line)
{
	char *words[MAX_WORDS + 1] = { NULL }, *save = NULL;
	int n = 0;

	for (char *w = strtok_r(line, " \n", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " \n", &save))
		words[n++] = w;
	if (n == 0)
		return;
	printf("%s", words[0]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (strcmp(others[i].name, words[0]) == 0) {
			others[i].run(words + 1);
			printf("\n");
			return;
		}
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (strcmp(rows[i].name, words[0]) == 0) {
			call_row(&rows[i], words + 1);
			printf("\n");
			return;
		}
	}
	printf(" unknown\n");
}

/* ---- the real chroot -------------------------------------------------------------------------- */

static void must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "pathcalls: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
	close(fd);
}

static void namespaces(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	if (uid == 0) {
		must(unshare(CLONE_NEWNS) == 0, "unshare");
	} else {
		must(unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0, "unshare");
		write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		write_file("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		write_file("/proc/self/gid_map", map);
	}
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount");
}

static void bind_mount(const char *root, const char *host, const char *guest, bool read_only)
{
	char to[4096];
	struct statvfs st;

	snprintf(to, sizeof(to), "%s%s", root, guest);
	must(mount(host, to, NULL, MS_BIND | MS_REC, NULL) == 0, to);
	/* In a user namespace the flags that the mount has must stay. */
	must(statvfs(to, &st) == 0, to);
	if (read_only)
		must(mount(NULL, to, NULL,
			     MS_REMOUNT | MS_BIND | MS_RDONLY |
				     (st.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)),
			     NULL) == 0,
			to);
}

static void real_chroot(int argc, char **argv)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	const char *root = argv[2];

	namespaces();
	for (int i = 3; i + 2 < argc; i += 3)
		bind_mount(root, argv[i + 1], argv[i + 2], strcmp(argv[i], "-B") == 0);
	must(chroot(root) == 0 && chdir("/") == 0, root);
	if (getuid() != 0)
		must(syscall(SYS_capset, &head, none) == 0, "capset");
	execl("/prog", "/prog", NULL);
	must(false, "/prog");
}

static void nothing(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	static char line[65536];

	if (argc > 2 && strcmp(argv[1], "-r") == 0)
		real_chroot(argc, argv);
	else if (argc > 1)
		return EXECUTED;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	/* The open of a FIFO that none has opened ends so. */
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = nothing }, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 200000 }, { 0, 200000 } }, NULL);
	proc = stat("/proc", &out.st) == 0 ? out.st.st_dev : 0;
	handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	watcher = inotify_init1(IN_CLOEXEC);
	marker = (int)syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, O_RDONLY);
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fgets(line, sizeof(line), stdin))
		run_line(line);
	return fflush(stdout) == 0 ? 0 : 1;
}
