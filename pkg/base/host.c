/* SPDX-License-Identifier: Apache-2.0 */
/* The machine and the caller. What uname says is read once; nothing goes through NSS. */
#include "pkg/base/host.h"

#include <pthread.h>
#include <sched.h>
#include <sys/utsname.h>

#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/passwd.h"
#include "pkg/base/str.h"

/* uname -m, GOARCH as OCI platforms use it, variant. A row ending in '*' matches by its beginning. */
static const struct {
	const char *machine, *arch, *variant;
} arches[] = {
	{ "x86_64", "amd64", "" },
	{ "amd64", "amd64", "" },
	{ "i386", "386", "" },
	{ "i486", "386", "" },
	{ "i586", "386", "" },
	{ "i686", "386", "" },
	{ "x86", "386", "" },
	{ "aarch64", "arm64", "v8" },
	{ "aarch64_be", "arm64be", "v8" },
	{ "arm64", "arm64", "v8" },
	{ "armv8*", "arm", "v7" }, /* a 32-bit process on a 64-bit machine */
	{ "armv7*", "arm", "v7" },
	{ "armv6*", "arm", "v6" },
	{ "armv5*", "arm", "v5" },
	{ "arm*", "arm", "" },
	{ "ppc64le", "ppc64le", "" },
	{ "ppc64", "ppc64", "" },
	{ "ppc", "ppc", "" },
	{ "riscv64", "riscv64", "" },
	{ "s390x", "s390x", "" },
	{ "loongarch64", "loong64", "" },
	{ "sparc64", "sparc64", "" },
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct utsname uts;
static const char *oci_arch = "unknown", *oci_variant = "";

/* The kernel calls every MIPS "mips" or "mips64"; the byte order is ours. */
static const char *mips_arch(const char *machine)
{
	bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	if (str_starts(machine, "mips64"))
		return little ? "mips64le" : "mips64";
	return little ? "mipsle" : "mips";
}

static void read_uname(void)
{
	if (uname(&uts) < 0)
		return;
	if (str_starts(uts.machine, "mips")) {
		oci_arch = mips_arch(uts.machine);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(arches); i++) {
		size_t n = strcspn(arches[i].machine, "*");

		if (strncmp(uts.machine, arches[i].machine, n + (arches[i].machine[n] == '\0')) == 0) {
			oci_arch = arches[i].arch;
			oci_variant = arches[i].variant;
			return;
		}
	}
}

const char *host_oci_arch(void)
{
	pthread_once(&once, read_uname);
	return oci_arch;
}

const char *host_oci_variant(void)
{
	pthread_once(&once, read_uname);
	return oci_variant;
}

const char *host_machine(void)
{
	pthread_once(&once, read_uname);
	return uts.machine;
}

const char *host_kernel_release(void)
{
	pthread_once(&once, read_uname);
	return uts.release;
}

/* The number at *p, cut at 1000000; moves *p behind its digits. */
static int leading_number(const char **p)
{
	int v = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++)
		v = v > 99999 ? 1000000 : v * 10 + (**p - '0');
	return v;
}

bool host_kernel_at_least(int major, int minor)
{
	const char *p = host_kernel_release();
	int have_major = leading_number(&p), have_minor;

	if (*p == '.')
		p++;
	have_minor = leading_number(&p);
	return have_major > major || (have_major == major && have_minor >= minor);
}

const char *host_env(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

bool host_env_is_emptied(const char *name)
{
	const char *value = secure_getenv(name);

	return value && !*value;
}

/* What /etc/passwd says of the caller; both NULL when it does not know him. */
static pthread_once_t passwd_once = PTHREAD_ONCE_INIT;
static char *passwd_name, *passwd_home;

/* An /etc/passwd beyond this is not read to its end. */
#define PASSWD_MAX ((size_t)16 << 20)

static void read_passwd(void)
{
	auto_str text = STR_INIT_MAX(PASSWD_MAX);
	struct passwd_entry e;
	char buf[8192];
	ssize_t n;
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0 && str_add_mem(&text, buf, (size_t)n) == 0)
		;
	close(fd);
	if (!passwd_find_uid(str_text(&text), getuid(), &e))
		return;
	passwd_name = steal_ptr(&e.name);
	if (e.home[0] == '/')
		passwd_home = steal_ptr(&e.home);
	passwd_entry_free(&e);
}

const char *host_home(void)
{
	const char *home = host_env("HOME");

	if (home && home[0] == '/')
		return home;
	pthread_once(&passwd_once, read_passwd);
	return passwd_home;
}

const char *host_tmpdir(void)
{
	const char *dir = host_env("TMPDIR");

	return dir && dir[0] == '/' ? dir : "/tmp";
}

/* A name that may stand in a passwd file: letters, digits, '_', '.', '-', no '-' in front. */
static bool is_user_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n && n <= 64 && !s[n] && s[0] != '-';
}

const char *host_user_name(void)
{
	static char made_up[32];
	const char *user;

	pthread_once(&passwd_once, read_passwd);
	if (passwd_name)
		return passwd_name;
	user = host_env("USER");
	if (user && is_user_name(user))
		return user;
	(void)snprintf(made_up, sizeof(made_up), "udocker%u", (unsigned)getuid());
	return made_up;
}

int host_cpus(void)
{
	cpu_set_t set;
	int n;

	/* It fails where there are more of them than the set has room for. */
	n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : HOST_CPUS_MAX;
	return n < 1 ? 1 : n;
}
