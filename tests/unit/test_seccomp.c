/* SPDX-License-Identifier: Apache-2.0 */
/* What the program made of a profile decides, call by call: it is interpreted here as the kernel does. */
#include "pkg/runtime/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#define NATIVE 0
#endif
#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE(e) (SECCOMP_RET_ERRNO | (e))

static uint32_t run(const struct seccomp_program *p, const struct seccomp_data *data)
{
	/* One instruction a word. */
	return bpf_run((const struct sock_filter *)(const void *)p->words, p->n, data);
}

static int build(const char *profile, struct seccomp_program *ret, struct err **err)
{
	autofree char *text = xasprintf("{\"linux\":{\"seccomp\":%s}}", profile);
	auto_json *j = NULL;

	if (json_parse(text, strlen(text), "test", NULL, &j, err) < 0)
		return -1;
	return seccomp_build(j, ret, err);
}

static uint32_t decide(const struct seccomp_program *p, long nr, uint64_t first, uint64_t second)
{
	const struct seccomp_data data = { .nr = (int)nr, .arch = NATIVE, .args = { first, second } };

	return run(p, &data);
}

static void test_calls(void)
{
	auto_seccomp_program p = SECCOMP_PROGRAM_INIT;

	is_int(build("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
		     "{\"names\":[\"mkdirat\",\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":"
		     "28},"
		     "{\"names\":[\"linkat\"],\"action\":\"SCMP_ACT_TRACE\"},"
		     "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_KILL_PROCESS\",\"args\":[{\"index\":1,"
		     "\"value\":9,\"op\":\"SCMP_CMP_EQ\"}]},"
		     "{\"names\":[\"dup3\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":["
		     "{\"index\":0,\"value\":4294967296,\"op\":\"SCMP_CMP_GE\"},{\"index\":1,\"value\":5,"
		     "\"op\":\"SCMP_CMP_LT\"}]}]}",
		       &p, NULL),
		0, "a profile");
	ok(decide(&p, SYS_mkdirat, 0, 0) == REFUSE(28), "a call that is refused");
	ok(decide(&p, SYS_openat, 0, 0) == ALLOW, "one that is not");
	ok(decide(&p, SYS_linkat, 0, 0) == REFUSE(ENOSYS), "tracing is what it is without a tracer");
	ok(decide(&p, SYS_kill, 1, 9) == SECCOMP_RET_KILL_PROCESS, "an argument that matches");
	ok(decide(&p, SYS_kill, 1, 15) == ALLOW, "another");
	ok(decide(&p, SYS_dup3, UINT64_C(1) << 32, 4) == REFUSE(EPERM), "two conditions, 64 bits wide");
	ok(decide(&p, SYS_dup3, UINT64_C(1) << 32, 5) == ALLOW, "one of them is not enough");
	ok(decide(&p, SYS_dup3, 4294967295, 4) == ALLOW, "nor is the other");
	ok(decide(&p, -1, 0, 0) == ALLOW && decide(&p, -2, 0, 0) == ALLOW, "what a tracer has cancelled");
	ok(!p.notifies && p.flags == 0, "no listener, no flags");
}

static void test_default(void)
{
	auto_seccomp_program p = SECCOMP_PROGRAM_INIT, given = SECCOMP_PROGRAM_INIT,
			     kills = SECCOMP_PROGRAM_INIT;
	struct seccomp_data foreign = { .nr = 1, .arch = AUDIT_ARCH_S390 };
	static const char some[] =
		"\"syscalls\":[{\"names\":[\"read\",\"openat\"],\"action\":\"SCMP_ACT_ALLOW\"}]}";
	autofree char *a = xasprintf("{\"defaultAction\":\"SCMP_ACT_ERRNO\",%s", some);
	autofree char *b = xasprintf("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13,%s", some);
	autofree char *c = xasprintf("{\"defaultAction\":\"SCMP_ACT_KILL\",%s", some);

	ok(build(a, &p, NULL) == 0 && build(b, &given, NULL) == 0 && build(c, &kills, NULL) == 0, "defaults");
	ok(decide(&p, SYS_read, 0, 0) == ALLOW, "what is named passes");
	ok(decide(&p, SYS_close, 0, 0) == REFUSE(EPERM), "what is not is refused");
	ok(decide(&p, 467, 0, 0) == REFUSE(ENOSYS), "what is newer is not there");
	ok(decide(&given, 467, 0, 0) == REFUSE(13), "unless an errno is given");
	ok(decide(&kills, 467, 0, 0) == SECCOMP_RET_KILL_THREAD, "or another action");
	ok(decide(&kills, -2, 0, 0) == ALLOW, "what is cancelled passes here too");
	ok(run(&p, &foreign) == SECCOMP_RET_KILL_THREAD, "another architecture's calls end the program");
}

static void test_listener(void)
{
	auto_seccomp_program p = SECCOMP_PROGRAM_INIT;

	is_int(build("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
		     "\"listenerPath\":\"/run/x\",\"listenerMetadata\":\"m\","
		     "\"syscalls\":[{\"names\":[\"mkdirat\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		       &p, NULL),
		0, "a profile with a listener");
	ok(p.notifies && p.flags == SECCOMP_FILTER_FLAG_LOG, "it notifies, and logs");
	is_str(p.listener_path, "/run/x", "where to");
	is_str(p.listener_metadata, "m", "with what");
	ok(decide(&p, SYS_mkdirat, 0, 0) == SECCOMP_RET_USER_NOTIF, "that call");
}

static void refused(const char *profile, enum err_kind kind, const char *what)
{
	auto_seccomp_program p = SECCOMP_PROGRAM_INIT;
	auto_err *err = NULL;

	ok(build(profile, &p, &err) < 0 && err_is(err, kind) && strstr(err_text(err), what) && !p.words,
		"refused: %s", what);
}

static void test_refusals(void)
{
	auto_seccomp_program none = SECCOMP_PROGRAM_INIT;
	auto_json *j = json_new_object();

	ok(seccomp_build(j, &none, NULL) == 0 && !none.words, "nothing without a profile");
	refused("{\"defaultAction\":\"ALLOW\"}", ERR_CORRUPT, "defaultAction");
	refused("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", ERR_UNSUPPORTED, "cannot be the default");
	refused("{\"defaultAction\":\"SCMP_ACT_KILL\",\"defaultErrnoRet\":1}", ERR_CORRUPT, "errnoRet");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_VAX\"]}", ERR_CORRUPT,
		"architectures[0]");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", ERR_CORRUPT, "flags");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"kill\"],\"action\":\"SCMP_"
		"ACT_NOTIFY\"}]}",
		ERR_CORRUPT, "listenerPath");
	refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"kill\"],\"action\":\"SCMP_"
		"ACT_ERRNO\","
		"\"args\":[{\"index\":9,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		ERR_CORRUPT, "syscalls[0]");
}

int main(void)
{
	if (!NATIVE) {
		ok(true, "# skip: the numbers of this architecture are not known here");
		return tap_done();
	}
	test_calls();
	test_default();
	test_listener();
	test_refusals();
	return tap_done();
}
