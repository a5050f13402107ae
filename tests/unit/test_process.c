/* SPDX-License-Identifier: Apache-2.0 */
/* What config.json says of the process itself: read, and set in a child. */
#include "pkg/runtime/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "tests/unit/quoted.h"
#include "tests/unit/scratch.h"

#define auto_setup CLEANUP(process_setup_free) struct process_setup

static int read_setup(const char *text, struct process_setup *ret, struct err **err)
{
	auto_json *j = parse(text);

	return process_setup_read(j, ret, err);
}

static void test_read(void)
{
	auto_setup s = PROCESS_SETUP_INIT;

	is_int(read_setup("{'process':{'scheduler':{'policy':'SCHED_DEADLINE','nice':-3,'priority':7,'"
			  "runtime':18446744073709551615,"
			  "'deadline':5,'period':6,'flags':['SCHED_FLAG_RESET_ON_FORK','SCHED_FLAG_DL_"
			  "OVERRUN']},"
			  "'ioPriority':{'class':'IOPRIO_CLASS_IDLE','priority':4}},'linux':{'personality':{'"
			  "domain':'LINUX32'}}}",
		       &s, NULL),
		0, "all of it");
	ok(s.has_scheduler && s.scheduler.policy == 6 && s.scheduler.nice == -3 && s.scheduler.priority == 7,
		"the policy");
	ok(s.scheduler.runtime == UINT64_MAX && s.scheduler.deadline == 5 && s.scheduler.period == 6,
		"its times, 64 bits wide");
	is_int((long)s.scheduler.flags, 5, "its flags");
	ok(s.has_io_priority && s.io_priority == (3 << 13 | 4), "class and priority in one number");
	ok(s.has_personality && s.personality == PER_LINUX32, "the personality");
	ok(!s.has_cpus && !s.groups && !s.apparmor && !s.selinux, "and nothing else");
}

static void test_nothing(void)
{
	auto_setup s = PROCESS_SETUP_INIT;

	is_int(read_setup("{}", &s, NULL), 0, "no process");
	ok(!s.has_scheduler && !s.has_io_priority && !s.has_personality, "is nothing to set");
}

static void test_unknown(void)
{
	static const struct {
		const char *config, *names;
	} t[] = {
		{ "{'process':{'scheduler':{'policy':'SCHED_BEST'}}}",
			"process.scheduler.policy: 'SCHED_BEST'" },
		{ "{'process':{'scheduler':{'nice':1}}}", "process.scheduler.policy: ''" },
		{ "{'process':{'scheduler':{'policy':'SCHED_IDLE','flags':['X']}}}",
			"process.scheduler.flags: 'X'" },
		{ "{'process':{'ioPriority':{'class':'IOPRIO_CLASS_NONE'}}}", "process.ioPriority.class" },
		{ "{'linux':{'personality':{'domain':'BSD'}}}", "linux.personality.domain: 'BSD'" },
		{ "{'linux':{'personality':{'domain':'LINUX','flags':['X']}}}", "linux.personality.flags" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		auto_setup s = PROCESS_SETUP_INIT;
		auto_err *e = NULL;

		is_int(read_setup(t[i].config, &s, &e), -1, t[i].names);
		ok(err_is(e, ERR_CORRUPT) && strstr(err_text(e), t[i].names), "is named: %s", err_text(e));
	}
}

/* The processors of one configuration as "0 2 3", or the beginning of the error. */
static char *cpus(const char *affinity)
{
	autofree char *text = xasprintf("{'process':{'execCPUAffinity':%s}}", affinity);
	auto_json *j = parse(text);
	auto_setup s = PROCESS_SETUP_INIT;
	auto_strv words = STRV_INIT;
	auto_err *e = NULL;

	if (process_setup_read_cpus(j, &s, &e) < 0)
		return xstrdup(err_is(e, ERR_CORRUPT)       ? "corrupt"
			       : err_is(e, ERR_UNSUPPORTED) ? "unsupported"
							    : "?");
	if (!s.has_cpus)
		return xstrdup("-");
	for (size_t i = 0; i < (size_t)HOST_CPUS_MAX; i++)
		if (CPU_ISSET(i, &s.cpus))
			strv_addf(&words, "%zu", i);
	return strv_join(&words, " ");
}

static void test_cpus(void)
{
	static const char *const t[][2] = {
		{ "{'initial':'0','final':'2-4,7'}", "2 3 4 7" },
		{ "{'initial':'5'}", "5" },
		{ "{'initial':'5','final':''}", "5" },
		{ "{'final':'1023'}", "1023" },
		{ "{'final':'3,3-3'}", "3" },
		{ "{}", "-" },
		{ "{'final':'1024'}", "unsupported" },
		{ "{'final':'0-99999999999'}", "corrupt" },
		{ "{'final':'4-2'}", "corrupt" },
		{ "{'final':'-1'}", "corrupt" },
		{ "{'final':'1-'}", "corrupt" },
		{ "{'final':'1-2-3'}", "corrupt" },
		{ "{'final':'a'}", "corrupt" },
		{ "{'final':'1 2'}", "corrupt" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		autofree char *got = cpus(t[i][0]);

		is_str(got, t[i][1], t[i][0]);
	}
}

static void sets(void *arg)
{
	auto_setup s = PROCESS_SETUP_INIT;
	auto_err *e = NULL;
	int before = getpriority(PRIO_PROCESS, 0);
	pid_t pid;

	(void)arg;
	is_int(read_setup("{'process':{'scheduler':{'policy':'SCHED_BATCH','nice':19},'ioPriority':{'class':'"
			  "IOPRIO_CLASS_BE',"
			  "'priority':6}},'linux':{'personality':{'domain':'LINUX32'}}}",
		       &s, NULL),
		0, "what anybody may have");
	ok(process_setup_enter(&s) == NULL, "is entered");
	is_int(personality(0xffffffff), PER_LINUX32, "the personality is ours");
	pid = fork();
	if (pid == 0) {
		(void)poll(NULL, 0, 60000);
		_exit(0);
	}
	is_int(process_setup_program(&s, pid, &e), 0, "the program's own");
	is_int(getpriority(PRIO_PROCESS, (id_t)pid), 19, "it is nicer");
	is_int(syscall(SYS_sched_getscheduler, pid), SCHED_BATCH, "of another policy");
	is_int(syscall(SYS_ioprio_get, 1, pid), 2 << 13 | 6, "and reads later");
	is_int(getpriority(PRIO_PROCESS, 0), before, "we are not");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	is_int(process_setup_program(&s, pid, &e), -1, "one that has gone");
	ok(e && strstr(err_text(e), "process."), "is told of: %s", e ? err_text(e) : "");
}

static void unmet(void *arg)
{
	auto_json *j = parse("{'process':{'apparmorProfile':'x','selinuxLabel':'y:z'}}");
	struct rlimit limit = { 50, 50 };
	auto_runtime_process p = RUNTIME_PROCESS_INIT;
	auto_strv ignored = STRV_INIT;
	autofree char *text = NULL;
	bool apparmor = access("/sys/module/apparmor", F_OK) == 0,
	     selinux = access("/sys/fs/selinux/enforce", F_OK) == 0;

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		exit(99);
	p.rlimits = xcalloc(1, sizeof(*p.rlimits));
	p.rlimits[p.n_rlimits++] =
		(struct runtime_rlimit){ .name = "RLIMIT_NOFILE", .resource = RLIMIT_NOFILE, .hard = 51 };
	process_unmet(j, &p, &ignored);
	text = strv_join(&ignored, "; ");
	ok(apparmor || strstr(text, "process.apparmorProfile: the kernel has no AppArmor"), "AppArmor: %s",
		text);
	ok(selinux || strstr(text, "process.selinuxLabel: the kernel has no SELinux"), "SELinux");
	ok(strstr(text, "process.rlimits: RLIMIT_NOFILE exceeds the caller's hard limit"),
		"a limit above ours");
}

int main(void)
{
	test_read();
	test_nothing();
	test_unknown();
	test_cpus();
	in_child(sets, NULL);
	in_child(unmet, NULL);
	return tap_done();
}
