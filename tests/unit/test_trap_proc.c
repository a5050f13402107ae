/* SPDX-License-Identifier: Apache-2.0 */
/* Files of /proc as the guest reads them, links in it, and lines that no kernel writes. */
#include "engines/trap/proc_mounts.c"

#include <stdio.h>

#include "engines/trap/ids.h"
#include "engines/trap/proc.h"
#include "tests/unit/tap.h"
#include "tests/unit/trap_guest.h"

static char *slurp(long fd)
{
	static char text[1 << 20];
	ssize_t n = fd < 0 ? -1 : read((int)fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close((int)fd);
	return text;
}

static char *guest_file(const char *leaf)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/%s", (int)getpid(), leaf);
	return slurp(proc_open(name, O_RDONLY | O_CLOEXEC));
}

/* The value of a line of status, without the blanks before it. */
static const char *status_of(const char *name)
{
	char *line = guest_file("status");

	line = strstr(line, name);
	if (!line)
		return NULL;
	line += strlen(name);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void test_status(void)
{
	is_str(status_of("\nUid:\t"), "0\t0\t0\t0", "the ids that the guest has");
	is_str(status_of("\nGid:\t"), "0\t0\t0\t0", "and groups");
	is_str(status_of("\nCapEff:\t"), "000001ffffffffff", "capabilities");
	is_str(status_of("\nNoNewPrivs:\t"), "0", "no_new_privs is what the guest set");
	ids_own()->no_new_privs = true;
	is_str(status_of("\nNoNewPrivs:\t"), "1", "when it has set it");
	ok(status_of("\nVmRSS:\t"), "the rest is the kernel's");
	ok(strlen(guest_file("maps")) > 100 && strlen(guest_file("smaps")) > 1000, "maps and smaps");
	is_int(proc_open("/proc/self/stat", O_RDONLY), PROC_NOT_MINE, "another file");
	is_int(proc_open("/proc/0/status", O_RDONLY), -ENOENT, "no such process");
	is_int(proc_open("/proc/1/status", O_WRONLY), PROC_NOT_MINE, "not for writing");
}

static const char *link_of(long (*f)(const char *, char *, long), const char *leaf, const char *target)
{
	static char text[TRAP_PATH_MAX + 1];
	char name[64];
	long n;

	snprintf(name, sizeof(name), "/proc/%d/%s", (int)getpid(), leaf);
	strcpy(text, target);
	n = f(name, text, (long)strlen(text));
	if (n >= PROC_LINK_MAGIC)
		return n == PROC_LINK_EXE ? "(exe)" : "(magic)";
	text[n] = '\0';
	return text;
}

static void test_links(const char *top)
{
	char target[256];

	snprintf(target, sizeof(target), "%s/a b", top);
	is_str(link_of(proc_link, "cwd", target), "/a b", "the working directory");
	is_str(link_of(proc_link, "root", top), "/", "the root");
	is_str(link_of(proc_link, "exe", target), "(exe)", "the program");
	is_str(link_of(proc_link, "fd/3", target), "/a b", "a descriptor");
	is_str(link_of(proc_link, "task/1/fd/3", target), "/a b", "a thread's");
	is_str(link_of(proc_link, "fd/3", "pipe:[1]"), "(magic)", "a pipe");
	is_str(link_of(proc_link, "fd/3", "/elsewhere"), "(magic)", "what the guest has no name for");
	is_str(link_of(proc_readlink, "fd/3", "/elsewhere"), "/elsewhere", "is named as it is");
	strcat(target, " (deleted)");
	is_str(link_of(proc_link, "fd/3", target), "(magic)", "a deleted file");
	is_str(link_of(proc_readlink, "fd/3", target), "/a b (deleted)", "is named with that");
	is_str(link_of(proc_link, "ns/mnt", "mnt:[1]"), "mnt:[1]", "other links");
}

static void test_mounts(void)
{
	const char *info = guest_file("mountinfo");
	char root[256] = "";

	ok(strstr(info, " / / ") || strstr(info, " / rw") || strstr(info, " / ro"), "the root is mounted");
	ok(strstr(info, " /proc ") && strstr(info, " - proc "), "and /proc");
	for (const char *l = info; *l; l = strchr(l, '\n') + 1) {
		int id, parent, n = sscanf(l, "%d %d %*u:%*u %*s %255s", &id, &parent, root);

		if (n != 3 || root[0] != '/') {
			ok(false, "a line of mountinfo: %.80s", l);
			break;
		}
	}
	ok(strchr(guest_file("mounts"), '\n'), "mounts has lines");
	ok(!strstr(guest_file("mounts"), "/udocker-proc-"), "none of which names the host's folder");
}

/* Cut anywhere, and of random characters. */
static void test_lines(void)
{
	static const char line[] =
		"36 35 98:0 /mnt1 /a\\040b\\134 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
	struct mount m = mount_parse(line);
	char room[TRAP_PATH_ROOM], cut[sizeof(line)];
	uint32_t seed = 1;
	size_t most = 0;

	proc_unescape(room, m.point);
	is_str(room, "/a b\\", "a mount point's escapes");
	ok(strncmp(m.tail, "ext3 ", 5) == 0, "what follows the optional fields");
	for (size_t n = 0; n < sizeof(line); n++)
		for (int round = 0; round < 50; round++) {
			memcpy(cut, line, n);
			cut[n] = '\0';
			seed = seed * 1664525u + 1013904223u;
			if (n && round)
				cut[seed % n] = "\\ -/x\x80"
						"7\n"[seed >> 29];
			m = mount_parse(cut);
			if (m.tail < cut || m.tail > cut + n || proc_unescape(room, m.point) > n)
				most++;
		}
	is_int((long long)most, 0, "broken lines end where they end");
}

static void test_text(void)
{
	struct proc_lines l = { .buffer = buffer_take() };
	char path[] = "/tmp/udocker-lines-XXXXXX", big[3 * TRAP_PATH_ROOM];
	int fd = mkstemp(path);
	size_t total = 0, pieces = 0;
	const char *five = "5";
	unsigned long v;

	ok(!text_to_number(&five, 3, &v) && text_to_number(&five, 5, &v), "a number up to another");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\n';
	if (write(fd, big, sizeof(big)) < 0 || write(fd, "\nlast", 5) < 0)
		ok(false, "write");
	buffer_give(l.buffer);
	is_int(proc_lines_open(&l, AT_FDCWD, path), 0, "a file of long lines");
	for (const char *line; (line = proc_lines_next(&l)); pieces++)
		total += strlen(line);
	is_int((long long)total, sizeof(big) - 1 + 4, "nothing is lost");
	ok(pieces >= 5, "an empty line, and a last one without its end");
	proc_lines_close(&l);
	close(fd);
	unlink(path);
}

int main(void)
{
	char top[] = "/tmp/udocker-proc-XXXXXX";
	struct trap_state *s;
	uint32_t whole = PATH_HASH, last = PATH_HASH;

	if (!mkdtemp(top))
		return 1;
	s = trap_guest(top, TRAP_IDS, true);
	for (const char *p = "/proc"; *p; p++) {
		whole = path_hash(whole, *p);
		if (*p != '/')
			last = path_hash(last, *p);
	}
	trap_guest_enter(s, 1, whole, last);
	trap_state = s;
	ids_start();
	test_status();
	test_links(top);
	test_mounts();
	test_lines();
	test_text();
	rmdir(top);
	return tap_done();
}
