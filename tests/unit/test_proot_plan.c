/* SPDX-License-Identifier: Apache-2.0 */
/* PRoot's command line, word by word, from configurations and what a probe may have found. */
#include "engines/proot.h"

#include <unistd.h>

#include "engines/ability.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "tests/unit/quoted.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define PLAIN \
	"{'ociVersion':'1.0.2','process':{'user':{'uid':%s},'cwd':'/" \
	"w','args':['x']},'root':{'path':'ROOT'}%s}"

static char rootfs[96];

struct result {
	int r;
	char *argv, *error, *notes;
	struct engine_plan plan;
};

static struct result plan(const char *config, unsigned flags, const char *mode, const char *state_dir)
{
	auto_json *j = parse(config);
	char path[] = "/bin/proot", version[] = "5.1.0";
	struct engine_probe probe = { .available = true, .path = path, .version = version, .flags = flags };
	struct engine_ctx ctx = { .mode = mode,
		.bundle = "/bundle",
		.rootfs = rootfs,
		.config = j,
		.state_dir = state_dir,
		.guest_init = "/lib/init",
		.uid = 500,
		.gid = 500 };
	struct result res = { 0 };
	auto_err *err = NULL;

	strv_env_set(&ctx.env, "PROOT_TMP_DIR", "/ptmp");
	res.r = engine_proot.plan(&ctx, &probe, &res.plan, &err);
	res.error = xstrdup(err ? err_text(err) : "");
	res.argv = strv_join(&res.plan.argv, " ");
	res.notes = strv_join(&res.plan.notes, "|");
	strv_free(&ctx.env);
	return res;
}

static void result_free(struct result *r)
{
	free(r->argv);
	free(r->error);
	free(r->notes);
	engine_plan_free(&r->plan);
}
#define auto_result CLEANUP(result_free) struct result

/* The whole line expected, with %R for ROOT and %K for the kernel release. */
static char *expand(const char *want)
{
	auto_str s = STR_INIT;

	for (; *want; want++)
		if (want[0] == '%' && (want[1] == 'R' || want[1] == 'K'))
			(void)str_add(&s, *++want == 'R' ? rootfs : host_kernel_release());
		else
			(void)str_add_char(&s, *want);
	return str_steal(&s);
}

static void is_line(const char *config, unsigned flags, const char *want, const char *name)
{
	autofree char *full = expand(want);
	auto_result r = plan(config, flags, "P1", "/state");

	is_int(r.r, 0, name);
	is_str(r.argv, full, name);
}

static void test_ids(void)
{
	autofree char *root = xasprintf(PLAIN, "0", ""), *user = xasprintf(PLAIN, "7,'gid':8", "");
	autofree char *own = xasprintf(PLAIN, "500,'gid':500", ""),
		      *group = xasprintf(PLAIN, "0,'gid':8", "");
	unsigned all = PROOT_CHANGE_ID_I | PROOT_CHANGE_ID | PROOT_KERNEL;

	is_line(root, all, "/bin/proot -b /lib/init:/.udocker-init -0 -k %K -r %R -w / /.udocker-init",
		"root");
	is_line(user, all, "/bin/proot -b /lib/init:/.udocker-init -i 7:8 -k %K -r %R -w / /.udocker-init",
		"a user");
	is_line(group, all, "/bin/proot -b /lib/init:/.udocker-init -i 0:8 -k %K -r %R -w / /.udocker-init",
		"root with another group");
	is_line(user, PROOT_CHANGE_ID | PROOT_KERNEL,
		"/bin/proot -b /lib/init:/.udocker-init --change-id=7:8 -k %K -r %R -w / /.udocker-init",
		"the spelling of Termux (FIX-45)");
	is_line(own, PROOT_KERNEL, "/bin/proot -b /lib/init:/.udocker-init -k %K -r %R -w / /.udocker-init",
		"the caller's own ids need no switch");
	is_line(root, 0, "/bin/proot -b /lib/init:/.udocker-init -0 -r %R -w / /.udocker-init",
		"-k is left out where it breaks guests");

	auto_result r = plan(user, PROOT_KERNEL, "P1", "/state");
	is_str(r.notes, "proot 5.1.0 cannot change ids: the program runs as 500:500",
		"and told where it is missing");
}

static void test_mounts(void)
{
	autofree char *c = xasprintf(PLAIN, "0",
		",'mounts':[{'destination':'/proc','type':'proc','source':'proc'},"
		"{'destination':'/dev','type':'tmpfs','source':'tmpfs'},"
		"{'destination':'/dev/pts','type':'devpts'},{'destination':'/dev/shm','type':'tmpfs'},"
		"{'destination':'/dev/mqueue','type':'mqueue'},"
		"{'destination':'/sys','type':'sysfs'},{'destination':'/sys/fs/cgroup','type':'cgroup'},"
		"{'destination':'/data','type':'none','source':'/srv/x','options':['rbind']},"
		"{'destination':'/data/in','type':'bind','source':'rel/y','options':['rbind','ro']},"
		"{'destination':'/run','type':'tmpfs'},{'destination':'/odd!','type':'bind','source':'/o'},"
		"{'destination':'/t:2','type':'bind','source':'/srv/a:b'}]");

	is_line(c, PROOT_KERNEL,
		"/bin/proot -b /proc:/proc -b /dev:/dev -b /sys:/sys -b /srv/x:/data -b "
		"/bundle/rel/y:/data/in "
		"-b /state/stand-in/0:/run -b /o:/odd!! -b /state/stand-in/1:/t:2 -b "
		"/lib/init:/proc/execdomains "
		"-0 -k %K -r %R -w / /proc/execdomains",
		"mounts");
	auto_result r = plan(c, PROOT_KERNEL, "P1", "/state");
	is_int(r.plan.n_makes, 2, "two things are to be made");
	ok(r.plan.n_makes == 2 && !r.plan.makes[0].target, "a directory for the tmpfs");
	is_str(r.plan.n_makes == 2 ? r.plan.makes[1].target : NULL, "/srv/a:b",
		"a link for the name with a colon");
	is_str(r.notes,
		ability_guard() == ENGINE_GUARD_NONE
			? "proot ignores mounts.cgroup: no control groups are made|"
			  "proot ignores mounts.readonly: bind mounts stay writable"
			: "proot ignores mounts.cgroup: no control groups are made",
		"what is ignored is told once");
	is_str(r.plan.init_path, "/proc/execdomains", "where guest_init is");
	is_str(r.plan.cwd, "/", "started in /");
	ok(r.plan.supervise, "a supervisor is needed");

	auto_result colon = plan(c, PROOT_KERNEL, "P1", "/st:ate");
	is_str(colon.error, "proot cannot bind '/st:ate/stand-in/0': there is a ':' in it",
		"no way round a colon in both");
}

/* PRoot warns of a missing source and goes on: we do not. */
static void test_make(const char *top)
{
	autofree char *c = xasprintf(PLAIN, "0",
		",'mounts':[{'destination':'/t','type':'tmpfs'},"
		"{'destination':'/p','type':'bind','source':'/proc'}]");
	autofree char *gone = xasprintf(
		PLAIN, "0", ",'mounts':[{'destination':'/x','type':'bind','source':'/proc/nonexistent'}]");
	autofree char *dir = xasprintf("%s/stand-in/0", top);
	auto_result r = plan(c, 0, "P1", top), missing = plan(gone, 0, "P1", top);
	auto_err *err = NULL;

	is_int(engine_plan_make(&r.plan, NULL), 0, "what the plan needs is made");
	is_int(access(dir, W_OK), 0, "the stand-in of the tmpfs");
	is_int(engine_plan_make(&r.plan, NULL), 0, "and is left when it is there");
	is_int(engine_plan_make(&missing.plan, &err), -1, "a missing source");
	is_str(err ? err_text(err) : "", "bind mount: /proc/nonexistent: No such file or directory",
		"is named");
}

static void test_init_place(void)
{
	autofree char *sys = xasprintf(PLAIN, "0", ",'mounts':[{'destination':'/sys','type':'sysfs'}]");
	autofree char *own = xasprintf(
		PLAIN, "0", ",'mounts':[{'destination':'/proc','type':'bind','source':'/my/proc'}]");
	autofree char *taken = xasprintf(PLAIN, "0",
		",'mounts':[{'destination':'/proc','type':'proc'},"
		"{'destination':'/proc/execdomains','type':'bind','source':'/x'}]");
	auto_result a = plan(sys, 0, "P1", "/s"), b = plan(own, 0, "P1", "/s"),
		    c = plan(taken, 0, "P1", "/s");

	is_str(a.plan.init_path, "/sys/.udocker-init", "/sys where there is no /proc");
	is_str(b.plan.init_path, "/.udocker-init", "not below a /proc that is something else");
	is_str(c.plan.init_path, "/proc/.udocker-init", "not over what the container has there");
}

static void test_masks(void)
{
	autofree char *c = xasprintf(PLAIN, "0",
		",'mounts':[{'destination':'/proc','type':'proc'}],"
		"'linux':{'maskedPaths':['/proc/version','/proc/fs','/secret','/folder','/missing','/','/"
		"proc/nothing']}");

	is_line(c, 0,
		"/bin/proot -b /proc:/proc -b /dev/null:/proc/version -b /state/stand-in/0:/proc/fs -b "
		"/dev/null:/secret "
		"-b /state/stand-in/0:/folder -b /lib/init:/proc/execdomains -0 -r %R -w / "
		"/proc/execdomains",
		"masked paths that are there");
}

static void test_env(void)
{
	autofree char *c = xasprintf(PLAIN, "0", "");
	auto_result p1 = plan(c, PROOT_ACCELERATED, "P1", "/s"), p2 = plan(c, PROOT_ACCELERATED, "P2", "/s");
	auto_result broken = plan(c, PROOT_ACCELERATED | PROOT_NO_SECCOMP, "P1", "/s");
	auto_result patched = plan(c, PROOT_ACCELERATED | PROOT_NEW_SECCOMP, "P1", "/s");

	is_str(strv_env_get(&p1.plan.env, "PROOT_TMP_DIR"), "/ptmp", "the caller's PROOT_TMP_DIR");
	ok(!strv_env_get(&p1.plan.env, "PROOT_NO_SECCOMP"), "P1 accelerates");
	is_str(strv_env_get(&p2.plan.env, "PROOT_NO_SECCOMP"), "1", "P2 does not");
	is_str(strv_env_get(&broken.plan.env, "PROOT_NO_SECCOMP"), "1", "P1 does not where that fails");
	is_str(strv_env_get(&patched.plan.env, "PROOT_NEW_SECCOMP"), "1",
		"the patched order where it is needed");
	(void)conf_set(CONF_PROOT_NOSECCOMP, "true", NULL);
	{
		auto_result slow = plan(c, PROOT_ACCELERATED, "P1", "/s");

		is_str(strv_env_get(&slow.plan.env, "PROOT_NO_SECCOMP"), "1",
			"nor where proot_noseccomp is set");
	}
	conf_reset();
#if defined(__x86_64__) || defined(__aarch64__)
	ok(p1.plan.filter && p1.plan.filter_len > 30, "the filter is there");
#endif
}

static void test_names(void)
{
	autofree char *c =
		xasprintf(PLAIN, "0", ",'hostname':'box','annotations':{'org.udocker.kernel':'6.1.2'}");
	auto_result named = plan(c, PROOT_KERNEL, "P1", "/s"), old = plan(c, 0, "P1", "/s");

	ok(strstr(named.argv, " -k \\Linux\\box\\6.1.2\\") != NULL, "a host name by the long form of -k");
	ok(strstr(old.argv, " -k 6.1.2 ") != NULL, "--kernel is obeyed by an old one, too");
	ok(strstr(old.notes, "cannot show another host name") && strstr(old.notes, "fstat()"),
		"and both told");
}

static void test_ports(void)
{
	autofree char *c = xasprintf(PLAIN, "0",
		",'annotations':{'org.udocker.publish':'8080:80,53','org.udocker.netcoop':'true'}");
	auto_result fork = plan(c, PROOT_PORT | PROOT_NETCOOP, "P1", "/s"), plain = plan(c, 0, "P1", "/s");

	ok(strstr(fork.argv, " -p 80:8080 -p 53:53 -n -r ") != NULL, "container port first");
	ok(!strstr(plain.argv, " -p "), "not for a PRoot without it");
	ok(strstr(plain.notes, "cannot map ports") != NULL, "which is told");
}

static void test_refusals(void)
{
	autofree char *type =
		xasprintf(PLAIN, "0", ",'mounts':[{'destination':'/x','type':'ext4','source':'/dev/sda'}]");
	autofree char *top =
		xasprintf(PLAIN, "0", ",'mounts':[{'destination':'/','type':'bind','source':'/x'}]");
	autofree char *vm = xasprintf(PLAIN, "0", ",'vm':{'kernel':{'path':'/k'}}");
	auto_result a = plan(type, 0, "P1", "/s"), b = plan(top, 0, "P1", "/s"), c = plan(vm, 0, "P1", "/s");

	ok(a.r < 0 && strstr(a.error, "mounts: only bind mounts"), "another file system");
	ok(b.r < 0 && strstr(b.error, "at /"), "a mount at /");
	ok(c.r < 0 && strstr(c.error, "vm: no virtual machine"), "a virtual machine");
}

int main(void)
{
	char top[64];
	int fd = scratch_open(top);

	snprintf(rootfs, sizeof(rootfs), "%s/ROOT", top);
	if (mkdirat(fd, "ROOT", 0755) < 0 || mkdirat(fd, "ROOT/folder", 0755) < 0)
		return 99;
	put(fd, "ROOT/secret", "x");
	test_ids();
	test_mounts();
	test_make(top);
	test_init_place();
	test_masks();
	test_env();
	test_names();
	test_ports();
	test_refusals();
	scratch_close(fd, top);
	return tap_done();
}
