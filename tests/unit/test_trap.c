/* SPDX-License-Identifier: Apache-2.0 */
/* The trap engine: what its probe makes of the program's answer, and the command line of udocker-trap, word by word. */
#include "engines/trap/trap.h"

#include "engines/trap/state.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/quoted.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define PLAIN \
	"{'ociVersion':'1.0.2','process':{'user':{'uid':%s},'cwd':'/" \
	"','args':['x']},'root':{'path':'ROOT'%s}%s}"

static char rootfs[96];

struct result {
	int r;
	char *argv, *error, *hint, *notes;
	struct engine_plan plan;
};

static struct result plan(const char *config, const char *mode, bool no_fake_root)
{
	auto_json *j = parse(config);
	char path[] = "/lib/udocker-trap";
	struct engine_probe probe = { .available = true, .path = path };
	struct engine_ctx ctx = { .mode = mode,
		.bundle = "/bundle",
		.rootfs = rootfs,
		.config = j,
		.state_dir = "/state",
		.guest_init = "/lib/init",
		.no_fake_root = no_fake_root,
		.uid = 500,
		.gid = 500 };
	struct result res = { 0 };
	auto_err *err = NULL;

	res.r = engine_trap.plan(&ctx, &probe, &res.plan, &err);
	res.error = xstrdup(err ? err_text(err) : "");
	res.hint = xstrdup_null(err ? err_hint_text(err) : NULL);
	res.argv = strv_join(&res.plan.argv, " ");
	res.notes = strv_join(&res.plan.notes, "|");
	return res;
}

static void result_free(struct result *r)
{
	free(r->argv);
	free(r->error);
	free(r->hint);
	free(r->notes);
	engine_plan_free(&r->plan);
}
#define auto_result CLEANUP(result_free) struct result

static void is_line(const char *config, const char *mode, const char *want, const char *name)
{
	autofree char *full = xasprintf("/lib/udocker-trap -r %s %s", rootfs, want);
	auto_result r = plan(config, mode, false);

	is_str(r.error, "", name);
	is_str(r.argv, full, name);
}

static void test_ids(void)
{
	autofree char *root = xasprintf(PLAIN, "0", "", ""), *user = xasprintf(PLAIN, "7,'gid':8", "", ""),
		      *own = xasprintf(PLAIN, "500,'gid':500", "", "");

	is_line(root, "T1", "-i 0:0 -x /lib/init", "root");
	is_line(root, "T2", "-i 0:0 -2 -x /lib/init", "without rewriting");
	is_line(user, "T1", "-i 7:8 -x /lib/init", "a user");
	is_line(own, "T1", "-n -x /lib/init", "the caller's own ids are not emulated");

	auto_result honest = plan(root, "T1", true);
	ok(strstr(honest.argv, " -n -x "), "--no-fake-root: nor are others");
	is_str(honest.notes, "process.user: the program runs as 500:500", "which is told");

	auto_result r = plan(root, "T1", false);
	is_str(r.plan.init_path, "/lib/init", "guest_init is a path of the host");
	is_str(r.plan.cwd, "/", "started in /");
	ok(r.plan.in_place && r.plan.supervise && r.plan.try_mount_points && !r.plan.entry,
		"the engine's process becomes the program");
}

static void test_names(void)
{
	autofree char *c = xasprintf(PLAIN, "0", "",
		",'hostname':'box','annotations':{'" ANNOTATION_KERNEL "':'6.0.0','" ANNOTATION_PUBLISH
		"':'80:80'}");
	auto_result r = plan(c, "T1", false);

	is_line(c, "T1", "-i 0:0 -k 6.0.0 -H box -x /lib/init", "release and host name");
	is_str(r.notes, "", "that ports are the host's is said by the answers");
}

static void test_mounts(void)
{
	autofree char *c = xasprintf(PLAIN, "0", "",
		",'mounts':[{'destination':'/proc','type':'proc','source':'proc'},"
		"{'destination':'/dev','type':'tmpfs','source':'tmpfs'},{'destination':'/dev/"
		"shm','type':'tmpfs'},"
		"{'destination':'/dev/pts','type':'devpts'},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup'},"
		"{'destination':'/data','type':'none','source':'/srv/a:b','options':['rbind']},"
		"{'destination':'/data/in','type':'bind','source':'rel/y','options':['rbind','ro']},"
		"{'destination':'/run','type':'tmpfs'}]");
	autofree char *over = xasprintf(PLAIN, "0", "",
		",'mounts':[{'destination':'/a/b','type':'bind','source':'/one'},"
		"{'destination':'/ab','type':'bind','source':'/two'},"
		"{'destination':'/a','type':'bind','source':'/three'},{'destination':'/"
		"a','type':'bind','source':'/four'}]");
	autofree char *same = xasprintf(PLAIN, "0", "",
		",'mounts':[{'destination':'/dev','type':'devtmpfs'},"
		"{'destination':'/dev/null','type':'bind','source':'/dev/null'},"
		"{'destination':'/dev/fd','type':'bind','source':'/dev/fd'},"
		"{'destination':'/dev/zero','type':'bind','source':'/dev/zero','options':['ro']}]");
	auto_result r = plan(c, "T1", false);

	is_line(c, "T1",
		"-b /proc /proc -b /dev /dev -b /srv/a:b /data -B /bundle/rel/y /data/in -b "
		"/state/stand-in/0 /run "
		"-i 0:0 -x /lib/init",
		"mounts");
	is_int(r.plan.n_makes, 1, "a directory for the tmpfs is to be made");
	is_str(r.notes, "trap ignores mounts.cgroup: no control groups are made", "what is ignored is told");
	is_int((int)r.plan.sources.n, 2, "sources of binds must be there");
	is_line(over, "T1", "-b /two /ab -b /four /a -i 0:0 -x /lib/init",
		"a later mount covers what is below it");
	is_line(same, "T1", "-b /dev /dev -b /dev/fd /dev/fd -B /dev/zero /dev/zero -i 0:0 -x /lib/init",
		"what is there already needs no place of its own, but for links and what is read-only");
}

static void test_readonly(void)
{
	autofree char *c = xasprintf(PLAIN, "0", ",'readonly':true",
		",'mounts':[{'destination':'/proc','type':'proc'}],"
		"'linux':{'readonlyPaths':['/proc/sys','/etc','/nonexistent'],"
		"'maskedPaths':['/proc/version','/sealed','/etc','/nonexistent']}");
	autofree char *want = xasprintf("/lib/udocker-trap -R %s -b /proc /proc -B /proc/sys /proc/sys "
					"-b /dev/null /proc/version -B /state/stand-in/0 /sealed -B "
					"/state/stand-in/0 /etc -i 0:0 -x /lib/init",
		rootfs);
	auto_result r = plan(c, "T1", false);

	is_str(r.argv, want, "read-only root and paths, masked paths");
	is_str(r.notes, "", "nothing is left out");
}

static void test_refusals(void)
{
	autofree char *top =
		xasprintf(PLAIN, "0", "", ",'mounts':[{'destination':'/','type':'bind','source':'/x'}]");
	auto_str many = STR_INIT;
	auto_result slash = plan(top, "T1", false);

	is_str(slash.error, "the trap engine cannot mount anything at /", "a mount over the root");
	(void)str_add(&many, ",'mounts':[");
	for (int i = 0; i <= TRAP_MAX_BINDS; i++)
		(void)str_addf(
			&many, "%s{'destination':'/m%d','type':'bind','source':'/x'}", i ? "," : "", i);
	(void)str_add(&many, "]");
	autofree char *c = xasprintf(PLAIN, "0", "", str_text(&many));
	auto_result r = plan(c, "T1", false);
	is_str(r.error, "the trap engine shows at most 200 mounts, and these are 201", "too many mounts");
	ok(r.hint && strstr(r.hint, "P1"), "and what to do then");
}

/* ---- the probe ---- */

/* The engine's program is a script that says `text` and ends with `status`. */
static void probe(int topfd, const char *mode, const char *text, int status, struct engine_probe *ret)
{
	autofree char *script =
		xasprintf("#!/bin/sh\n[ \"$*\" = --probe ] || exit 9\nprintf '%s'\nexit %d\n", text, status);

	put(topfd, TRAP_PROGRAM, script);
	if (fchmodat(topfd, TRAP_PROGRAM, 0755, 0) < 0 || engine_trap.probe(mode, ret, NULL) < 0)
		exit(99);
}

static void test_probe(const char *top, int topfd)
{
	auto_engine_probe all = { 0 }, old = { 0 }, stiff = { 0 }, same = { 0 }, no = { 0 }, odd = { 0 },
			  mute = { 0 };

	(void)setenv("UDOCKER_EXEC_DIR", top, 1);
	probe(topfd, "T1", "filter\\nopenat2\\nrewrite\\nmm_map\\n", 0, &all);
	ok(all.available && !all.reason && !all.remedy, "all works");
	is_int((int)all.flags,
		TRAP_FOUND_FILTER | TRAP_FOUND_OPENAT2 | TRAP_FOUND_REWRITE | TRAP_FOUND_MM_MAP,
		"as it says");
	ok(all.path && str_starts(all.path, top), "the program");
	is_str(all.version, UDOCKER_VERSION, "its version is ours");

	probe(topfd, "T1", "filter\\nrewrite\\n", 0, &old);
	ok(old.available && old.reason && strstr(old.reason, "openat2"), "an older kernel is told");
	probe(topfd, "T1", "filter\\nopenat2\\nfuture\\n", 0, &stiff);
	is_str(stiff.reason, "programs' text cannot be changed here: T1 is T2", "where text stays as it is");
	ok(stiff.available, "it works all the same");
	probe(topfd, "T2", "filter\\nopenat2\\n\\n", 0, &same);
	ok(same.available && !same.reason, "and T2 has never changed it");

	probe(topfd, "T1", "openat2\\nno: seccomp filters are refused here (EPERM)\\n", 1, &no);
	ok(!no.available, "where it cannot run");
	is_str(no.reason, "seccomp filters are refused here (EPERM)", "the reason is the program's");
	ok(no.remedy && strstr(no.remedy, "choose P2"), "with what to do");
	probe(topfd, "T1", "no: the moon is full\\n", 1, &odd);
	is_str(odd.remedy, "choose P1 or R1", "for any reason");
	probe(topfd, "T1", "", 7, &mute);
	is_str(mute.reason, "its program ended with status 7 when it was tried", "or none");
	(void)unsetenv("UDOCKER_EXEC_DIR");
}

int main(void)
{
	char top[64];
	int fd = scratch_open(top);

	snprintf(rootfs, sizeof(rootfs), "%s/ROOT", top);
	if (mkdirat(fd, "ROOT", 0755) < 0 || mkdirat(fd, "ROOT/etc", 0755) < 0 ||
		mkdirat(fd, "ROOT/sealed", 0755) < 0)
		return 99;
	test_ids();
	test_names();
	test_mounts();
	test_readonly();
	test_refusals();
	test_probe(top, fd);
	scratch_close(fd, top);
	return tap_done();
}
