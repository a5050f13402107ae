/* SPDX-License-Identifier: Apache-2.0 */
/* The command lines of Singularity and Apptainer, word by word, for what each version's help and --version say of it. */
#include "engines/singularity.h"

#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "tests/unit/quoted.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define PLAIN \
	"{'ociVersion':'1.0.2','process':{'user':{'uid':%s},'cwd':'/" \
	"w','args':['x']},'root':{'path':'ROOT'%s}%s}"

/* What a probe finds with the releases that are told apart: options as their `exec --help` lists them. */
#define OF_2_6 (SINGULARITY_NV | SINGULARITY_NO_HOME | SINGULARITY_USERNS)
#define OF_3_5 (OF_2_6 | SINGULARITY_FAKEROOT | SINGULARITY_ROCM)
#define OF_3_8 (OF_3_5 | SINGULARITY_NO_MOUNT)
#define OF_3_11 (OF_3_8 | SINGULARITY_BIND_PATHS)
#define OF_4_1 OF_3_11
#define OF_APPTAINER (OF_3_11 | SINGULARITY_APPTAINER | SINGULARITY_UNDERLAY)

static char rootfs[96];

struct result {
	int r;
	char *argv, *env, *error, *notes;
	struct engine_plan plan;
};

static void result_free(struct result *r)
{
	free(r->argv);
	free(r->env);
	free(r->error);
	free(r->notes);
	engine_plan_free(&r->plan);
}
#define auto_result CLEANUP(result_free) struct result

static struct result plan(const char *config, const char *version, unsigned flags, const char *state_dir)
{
	auto_json *j = parse(config);
	char path[] = "/bin/singularity";
	autofree char *own = xstrdup(version);
	struct engine_probe probe = { .available = true, .path = path, .version = own, .flags = flags };
	struct engine_ctx ctx = { .mode = "S1",
		.bundle = "/bundle",
		.rootfs = rootfs,
		.config = j,
		.state_dir = state_dir,
		.guest_init = "/lib/init",
		.uid = 500,
		.gid = 500 };
	struct result res = { 0 };
	auto_err *err = NULL;

	strv_env_set(&ctx.env, "PATH", "/bin");
	strv_env_set(&ctx.env, "PROOT_TMP_DIR", "/ptmp");
	res.r = engine_singularity.plan(&ctx, &probe, &res.plan, &err);
	res.error = xstrdup(err ? err_text(err) : "");
	res.argv = strv_join(&res.plan.argv, " ");
	res.env = strv_join(&res.plan.env, " ");
	res.notes = strv_join(&res.plan.notes, "|");
	strv_free(&ctx.env);
	return res;
}

/* The whole line expected, with %R for ROOT. */
static char *expand(const char *want)
{
	auto_str s = STR_INIT;

	for (; *want; want++)
		if (want[0] == '%' && want[1] == 'R')
			(void)(want++, str_add(&s, rootfs));
		else
			(void)str_add_char(&s, *want);
	return str_steal(&s);
}

static void is_line(
	const char *config, const char *version, unsigned flags, const char *want, const char *notes)
{
	autofree char *full = expand(want), *name = xasprintf("%s: notes", version);
	auto_result r = plan(config, version, flags, "/state");

	is_int(r.r, 0, version);
	is_str(r.argv, full, version);
	is_str(r.notes, notes, name);
}

static void test_versions(void)
{
	autofree char *root = xasprintf(PLAIN, "0", "", "");
	unsigned ids = SINGULARITY_SUBIDS;

	is_line(root, "2.6.1", OF_2_6 | ids,
		"/bin/singularity --quiet exec -w -u --no-home --pwd / -B %R/tmp:/tmp -B %R/var/tmp:/var/tmp "
		"-B /lib/init:/proc/execdomains %R /proc/execdomains",
		"process.user: the program runs as 500:500");
	is_line(root, "3.5.3", OF_3_5 | ids,
		"/bin/singularity --quiet exec -w -u --fakeroot --no-home --pwd / -B %R/tmp:/tmp "
		"-B %R/var/tmp:/var/tmp -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"");
	is_line(root, "3.8.0", OF_3_8 | ids,
		"/bin/singularity --quiet exec -w -u --fakeroot --no-home --no-mount home,tmp,cwd,hostfs "
		"--pwd / -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"");
	is_line(root, "3.11.5", OF_3_11 | ids,
		"/bin/singularity --quiet exec -w -u --fakeroot --no-home "
		"--no-mount home,tmp,cwd,hostfs,bind-paths --pwd / "
		"-B /lib/init:/proc/execdomains %R /proc/execdomains",
		"");
	is_line(root, "4.1.0", OF_4_1,
		"/bin/singularity --quiet exec -w -u --no-home --no-mount home,tmp,cwd,hostfs,bind-paths "
		"--pwd / -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"process.user: the program runs as 500:500");
	is_line(root, "1.3.0", OF_APPTAINER,
		"/bin/singularity --quiet exec -w -u --fakeroot --ignore-fakeroot-command --no-home "
		"--no-mount home,tmp,cwd,hostfs,bind-paths --pwd / "
		"-B /lib/init:/proc/execdomains %R /proc/execdomains",
		"");
	is_line(root, "1.0.3", OF_3_8 | SINGULARITY_APPTAINER,
		"/bin/singularity --quiet exec -w -u --no-home --no-mount home,tmp,cwd,hostfs "
		"--pwd / -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"process.user: the program runs as 500:500");
	is_line(root, "3.8.0", (OF_3_8 | ids) & ~(unsigned)SINGULARITY_USERNS,
		"/bin/singularity --quiet exec -w --fakeroot --no-home --no-mount home,tmp,cwd,hostfs "
		"--pwd / -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"");
}

static void test_ids(void)
{
	autofree char *own = xasprintf(PLAIN, "500,'gid':500", "", "");
	autofree char *other = xasprintf(PLAIN, "7,'gid':8", "", "");

	is_line(own, "3.11.5", OF_3_11 | SINGULARITY_SUBIDS,
		"/bin/singularity --quiet exec -w -u --no-home --no-mount home,tmp,cwd,hostfs,bind-paths "
		"--pwd / -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"");
	is_line(other, "3.11.5", OF_3_11 | SINGULARITY_SUBIDS,
		"/bin/singularity --quiet exec -w -u --no-home --no-mount home,tmp,cwd,hostfs,bind-paths "
		"--pwd / -B /lib/init:/proc/execdomains %R /proc/execdomains",
		"process.user: the program runs as 500:500");
}

#define MOUNTS \
	",'mounts':[{'destination':'/proc','type':'proc','source':'proc'}," \
	"{'destination':'/dev','type':'tmpfs','source':'tmpfs'},{'destination':'/dev/pts','type':'devpts'}," \
	"{'destination':'/dev/shm','type':'bind','source':'/dev/shm','options':['rbind']}," \
	"{'destination':'/sys','type':'bind','source':'/sys','options':['rbind','ro']}," \
	"{'destination':'/sys/fs/cgroup','type':'cgroup'}," \
	"{'destination':'/data','type':'none','source':'/srv/x','options':['rbind']}," \
	"{'destination':'/data/in','type':'bind','source':'rel/y','options':['rbind','ro']}," \
	"{'destination':'/run','type':'tmpfs'},{'destination':'/odd','type':'bind','source':'/srv/a:b'}]," \
	"'linux':{'maskedPaths':['/proc/self','/etc','/nowhere','/data/in/x','/proc/version']}"

static void test_mounts(void)
{
	autofree char *c = xasprintf(PLAIN, "500,'gid':500", "", MOUNTS);
	auto_result r = plan(c, "3.11.5", OF_3_11, "/state");
	autofree char *dir = expand("/bin/singularity --quiet exec -w -u --no-home "
				    "--no-mount home,tmp,cwd,hostfs,bind-paths --pwd / -B /sys:/sys:ro "
				    "-B /srv/x:/data -B /bundle/rel/y:/data/in:ro -B "
				    "/state/stand-in/0:/run -B /state/stand-in/1:/odd "
				    "-B /state/stand-in/2:/proc/self -B /state/stand-in/2:/etc "
				    "-B /dev/null:/proc/version -B /lib/init:/proc/execdomains %R "
				    "/proc/execdomains");

	is_str(r.argv, dir, "mounts: the kernel's are there, a tmpfs is an empty directory, masks come last");
	is_int((int)r.plan.n_makes, 3, "three things to make");
	is_str(r.plan.makes[1].target, "/srv/a:b", "a link to a path with a colon");
	ok(r.plan.mount_points, "their places are made in ROOT");
	is_str(r.env, "PATH=/bin HOME=/ LC_ALL=C", "the engine's environment");

	auto_result old = plan(c, "2.6.1", OF_2_6, "/state");
	ok(strstr(old.argv, " -B /bundle/rel/y:/data/in -B "), "2.6 has no read-only binds");
	is_str(old.notes,
		"singularity ignores mounts.cgroup: no control groups are made|"
		"mounts.readonly: singularity 2.6.1 leaves /sys writable|"
		"mounts.readonly: singularity 2.6.1 leaves /data/in writable",
		"and that is told");
}

static void test_root(void)
{
	autofree char *c = xasprintf(PLAIN, "500,'gid':500", ",'readonly':true", "");
	auto_result modern = plan(c, "1.4.5", OF_APPTAINER, "/state");
	auto_result plain = plan(c, "3.11.5", OF_3_11, "/state"), old = plan(c, "2.6.1", OF_2_6, "/state");

	ok(strstr(modern.argv, " exec --underlay -u ") && !strstr(modern.argv, " -w "),
		"a read-only root with Apptainer: %s", modern.argv);
	ok(strstr(plain.argv, " exec -u "), "a read-only root with Singularity");
	ok(strstr(old.argv, " exec -w -u "), "2.6 leaves it writable");
	is_str(old.notes, "root.readonly: singularity 2.6.1 leaves it writable", "and that is told");
}

static void test_refused(void)
{
	static const struct {
		const char *mount, *error;
	} cases[] = {
		{ "'destination':'/','type':'bind','source':'/x'", "singularity cannot mount anything at /" },
		{ "'destination':'/a,b','type':'bind','source':'/x'",
			"singularity cannot mount anything at '/a,b': there is one of ':', ',' and '\\' in "
			"it" },
		{ "'destination':'/proc','type':'bind','source':'/x'",
			"singularity needs the host's /proc at /proc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		autofree char *mounts = xasprintf(",'mounts':[{%s}]", cases[i].mount);
		autofree char *c = xasprintf(PLAIN, "0", "", mounts);
		auto_result r = plan(c, "3.11.5", OF_3_11, "/state");

		is_int(r.r, -1, cases[i].error);
		is_str(r.error, cases[i].error, "the reason");
	}
	autofree char *c =
		xasprintf(PLAIN, "0", "", ",'mounts':[{'destination':'/a','type':'bind','source':'/x:y'}]");
	auto_result r = plan(c, "3.11.5", OF_3_11, "/st:ate");
	is_str(r.error, "singularity cannot use '/x:y': there is one of ':', ',' and '\\' in it",
		"no place for a link without a colon");
}

static void test_options(void)
{
	autofree char *c = xasprintf(PLAIN, "500,'gid':500", "", "");

	if (conf_set(CONF_SINGULARITY_OPTIONS, "-w --nv --rocm --env X=1", NULL) < 0)
		exit(99);
	auto_result r = plan(c, "3.11.5", OF_3_11, "/state"), old = plan(c, "2.6.1", OF_2_6, "/state");
	ok(strstr(r.argv, "bind-paths --nv --rocm --env X=1 --pwd"), "options of the setting: %s", r.argv);
	ok(strstr(old.argv, "--no-home --nv --env X=1 --pwd"), "those that it has: %s", old.argv);
	is_str(old.notes, "singularity 2.6.1 has no --rocm", "and a word about the other");
}

int main(void)
{
	static const char *const dirs[] = { "ROOT", "ROOT/etc", "ROOT/tmp", "ROOT/var", "ROOT/var/tmp" };
	char top[64];
	int fd = scratch_open(top);

	snprintf(rootfs, sizeof(rootfs), "%s/ROOT", top);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(fd, dirs[i], 0755) < 0)
			return 99;
	test_versions();
	test_ids();
	test_mounts();
	test_root();
	test_refused();
	test_options();
	scratch_close(fd, top);
	return tap_done();
}
