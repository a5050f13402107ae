/* SPDX-License-Identifier: Apache-2.0 */
/* What runc and crun get to read, as whole documents and as single edits. */
#include "engines/oci_rewrite.h"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static const struct oci_facts crun = { .engine = "crun", .host_mqueue = true };
static const struct oci_facts runc = { .engine = "runc", .needs_root_mapped = true };
static const struct oci_facts able = {
	.engine = "crun", .cgroups = true, .may_raise = true, .spec_minor = 2
};

/* ' for " in both directions, so that documents can be read here. */
static void swap(char *s, char from, char to)
{
	for (; *s; s++)
		if (*s == from)
			*s = to;
}

struct result {
	int r;
	char *text, *losses;
	struct json *config;
};

static struct result rewrite(const char *text, const struct oci_facts *facts, uid_t uid)
{
	autofree char *copy = xstrdup(text);
	struct engine_ctx ctx = {
		.mode = "R1", .bundle = "/b", .rootfs = "/b/ROOT", .state_dir = "/s", .uid = uid, .gid = uid
	};
	struct result res = { 0 };
	struct json *j = NULL;
	auto_strv losses = STRV_INIT;
	auto_err *err = NULL;

	swap(copy, '\'', '"');
	if (json_parse(copy, strlen(copy), "test", NULL, &j, NULL) < 0)
		exit(99);
	ctx.config = j;
	struct oci_result out = { 0 };

	res.r = oci_rewrite(&ctx, facts, &losses, &out, &err);
	res.config = out.config;
	json_free(j);
	res.text = res.config ? json_text(res.config, 0) : xstrdup("");
	swap(res.text, '"', '\'');
	res.losses = strv_join(&losses, "|");
	return res;
}

static void result_free(struct result *r)
{
	free(r->text);
	free(r->losses);
	json_free(r->config);
}
#define auto_result CLEANUP(result_free) struct result

/* A whole document of the store, for an ordinary caller. */
static void test_whole(void)
{
	static const char config[] =
		"{'ociVersion':'1.3.0','process':{'user':{'uid':0,'gid':0},'args':['x'],'cwd':'/"
		"'},'root':{'path':'ROOT'},"
		"'mounts':[{'destination':'/proc','type':'proc','source':'proc'},"
		"{'destination':'/dev/"
		"pts','type':'devpts','source':'devpts','options':['nosuid','mode=0620','gid=5']},"
		"{'destination':'/dev/"
		"mqueue','type':'mqueue','source':'mqueue','options':['nosuid','noexec']},"
		"{'destination':'/sys','type':'sysfs','source':'sysfs','options':['nosuid','ro','size=1']},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup'},"
		"{'destination':'/v','type':'bind','source':'/proc/nonexistent','options':['rbind']}],"
		"'annotations':{'org.udocker.image':'a:b'},'x':1,"
		"'linux':{'namespaces':[{'type':'mount'}],'resources':{'devices':[{'allow':false}]},'"
		"cgroupsPath':'/c'}}";
	static const char want[] =
		"{'ociVersion':'1.0.2','process':{'user':{'uid':0,'gid':0},'args':['x'],'cwd':'/"
		"'},'root':{'path':'/b/ROOT'},"
		"'mounts':[{'destination':'/proc','type':'bind','source':'/proc','options':['rbind']},"
		"{'destination':'/dev/"
		"pts','type':'devpts','source':'devpts','options':['nosuid','mode=0620']},"
		"{'destination':'/dev/mqueue','type':'bind','source':'/dev/"
		"mqueue','options':['rbind','nosuid','noexec']},"
		"{'destination':'/sys','type':'bind','source':'/sys','options':['rbind','nosuid','ro']},"
		"{'destination':'/v','type':'bind','source':'/proc/nonexistent','options':['rbind']}],"
		"'annotations':{'org.udocker.image':'a:b'},'x':1,"
		"'linux':{'namespaces':[{'type':'mount'},{'type':'user'}],"
		"'uidMappings':[{'containerID':0,'hostID':500,'size':1}],"
		"'gidMappings':[{'containerID':0,'hostID':500,'size':1}]}}";
	auto_result r = rewrite(config, &crun, 500);

	is_int(r.r, 0, "rewritten");
	is_str(r.text, want, "the whole document");
	is_str(r.losses,
		"no control group can be made here: nothing is mounted at /sys/fs/cgroup|"
		"no control group can be made here: limits of linux.resources are not set",
		"and what it lost");
}

static void test_root(void)
{
	static const char config[] =
		"{'ociVersion':'1.0.2','hostname':'h','process':{'user':{'uid':5,'additionalGids':[7]},'args'"
		":['x'],'cwd':'/'},"
		"'root':{'path':'/abs'},'mounts':[{'destination':'/proc','type':'proc'},{'destination':'/"
		"sys','type':'sysfs'},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup'}],"
		"'linux':{'namespaces':[{'type':'mount'},{'type':'uts'}],'resources':{'pids':{'limit':3}}}}";
	static const char want[] =
		"{'ociVersion':'1.0.2','hostname':'h','process':{'user':{'uid':5,'additionalGids':[7]},'args'"
		":['x'],'cwd':'/'},"
		"'root':{'path':'/b/ROOT'},'mounts':[{'destination':'/proc','type':'proc'},{'destination':'/"
		"sys','type':'sysfs'},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup'}],"
		"'linux':{'namespaces':[{'type':'mount'},{'type':'uts'}],'resources':{'pids':{'limit':3}}}}";
	auto_result r = rewrite(config, &able, 0);

	is_str(r.text, want, "root's document stays as it is but for the root path");
	is_str(r.losses, "", "and loses nothing");
}

static bool has(const struct result *r, const char *text)
{
	return strstr(r->text, text) != NULL;
}

#define DOC(process, rest) \
	"{'ociVersion':'1.0.0','process':{" process "'args':['x'],'cwd':'/'},'root':{'path':'r'}" rest "}"

static void test_ids(void)
{
	static const char user[] = DOC("'user':{'uid':7,'gid':8,'additionalGids':[9]},", "");
	static const char ranges[] = DOC("'user':{'uid':7,'additionalGids':[9]},",
		",'linux':{'uidMappings':[{'containerID':0,'hostID':1,'size':9}],'gidMappings':[{'"
		"containerID':0,'hostID':1,'size':9}]}");
	auto_result c = rewrite(user, &crun, 500), u = rewrite(user, &runc, 500),
		    k = rewrite(ranges, &runc, 500);

	ok(has(&c, "'uidMappings':[{'containerID':7,'hostID':500,'size':1}]"),
		"crun maps the program's user");
	ok(has(&c, "'gidMappings':[{'containerID':8,'hostID':500,'size':1}]"), "and its group");
	ok(has(&c, "'user':{'uid':7,'gid':8}"), "additional groups are gone");
	is_str(c.losses, "additional groups cannot be set when a single id is mapped", "which is told");
	ok(has(&u, "'uidMappings':[{'containerID':0,'hostID':500,'size':1}]") &&
			has(&u, "'user':{'uid':0,'gid':0}"),
		"runc must have root mapped");
	ok(strstr(u.losses, "runs as 0:0 instead of 7:8") != NULL, "which is told");
	ok(has(&k, "'hostID':1,'size':9") && has(&k, "'uid':7,'additionalGids':[9]"),
		"ranges of the bundle are kept");
	ok(has(&k, "{'type':'user'},{'type':'mount'}"), "with the namespaces they need");
}

/* Root with a bundle of the store: its user namespace is kept, and its one id. */
static void test_root_ids(void)
{
	static const char config[] = DOC("'user':{'uid':7,'gid':8,'additionalGids':[9]},",
		",'mounts':[{'destination':'/dev/pts','type':'devpts','options':['gid=5']}],"
		"'linux':{'namespaces':[{'type':'user'}],'uidMappings':[{'containerID':7,'hostID':3,'size':1}"
		"],"
		"'gidMappings':[{'containerID':8,'hostID':4,'size':1}]}");
	struct oci_facts root_runc = able;
	auto_result c = rewrite(config, &able, 0);

	root_runc.needs_root_mapped = true;
	auto_result u = rewrite(config, &root_runc, 0);
	ok(has(&c, "'containerID':7,'hostID':3") && has(&c, "'containerID':8,'hostID':4"),
		"root: the host ids of the bundle");
	ok(has(&c, "'options':[]") && !has(&c, "additionalGids"), "root: what is not mapped cannot be set");
	ok(has(&u, "'containerID':0,'hostID':3") && has(&u, "'user':{'uid':0,'gid':0}"),
		"root: runc needs 0 mapped");
}

static void test_namespaces(void)
{
	static const char own[] = DOC("",
		",'hostname':'h','mounts':[{'destination':'/proc','type':'proc'},"
		"{'destination':'/sys','type':'sysfs'},{'destination':'/q','type':'mqueue'}],"
		"'linux':{'namespaces':[{'type':'pid'},{'type':'network'},{'type':'ipc'},{'type':'uts'}]}");
	static const char joined[] =
		DOC("", ",'hostname':'h','domainname':'d','mounts':[{'destination':'/proc','type':'proc'},"
			"{'destination':'/sys','type':'sysfs'},{'destination':'/q','type':'mqueue'}],"
			"'linux':{'namespaces':[{'type':'pid','path':'/p'},{'type':'network','path':'/n'}]}");
	auto_result a = rewrite(own, &runc, 500), b = rewrite(joined, &runc, 500);

	ok(has(&a, "'type':'proc'") && has(&a, "'type':'sysfs'") && has(&a, "'type':'mqueue'"),
		"new ones may be mounted");
	ok(has(&a, "'hostname':'h'"), "a new uts namespace takes the name");
	ok(!has(&b, "'type':'proc'") && !has(&b, "'type':'sysfs'"), "joined ones may not");
	ok(!has(&b, "mqueue"), "mqueue goes where the host has none to show");
	ok(!has(&b, "hostname") && !has(&b, "domainname"), "no name without a uts namespace");
	ok(strstr(b.losses, "hostname is the host's") != NULL, "which is told");
}

static void test_binds(void)
{
	static const char config[] =
		DOC("", ",'mounts':[{'destination':'/a','type':'bind','source':'sub/a'},"
			"{'destination':'/p','type':'bind','source':'/proc','options':['bind','ro']},"
			"{'destination':'/t','type':'tmpfs','options':['uid=0','gid=3','mode=7']}]");
	auto_result r = rewrite(config, &crun, 500), root = rewrite(config, &able, 0);
	struct statvfs fs;
	char want[128];

	ok(has(&r, "'source':'/b/sub/a','options':['bind']"),
		"a relative source is the bundle's, and the option is said");
	is_int(statvfs("/proc", &fs), 0, "/proc is a mount");
	snprintf(want, sizeof(want), "'source':'/proc','options':['bind','ro'%s%s%s]",
		fs.f_flag & ST_NOSUID ? ",'nosuid'" : "", fs.f_flag & ST_NODEV ? ",'nodev'" : "",
		fs.f_flag & ST_NOEXEC ? ",'noexec'" : "");
	ok(has(&r, want), "locked flags are repeated");
	ok(has(&root, "'source':'/proc','options':['bind','ro']"), "but not for root");
	ok(has(&r, "'options':['uid=0','mode=7']"), "only mapped ids stay in options");
	ok(has(&root, "'options':['uid=0','gid=3','mode=7']"), "all of them for root");
}

static void test_versions(void)
{
	static const char v1_2[] = "{'ociVersion':'1.2.1','root':{'path':'r'}}";
	static const char v1_3[] = "{'ociVersion':'1.3.0','root':{'path':'r'}}";
	auto_result a = rewrite(v1_2, &able, 0), b = rewrite(v1_3, &able, 0), c = rewrite(v1_2, &crun, 500);

	ok(has(&a, "'ociVersion':'1.2.1'"), "a version the engine knows stays");
	ok(has(&b, "'ociVersion':'1.2.0'"), "a later one is lowered to its own");
	ok(has(&c, "'ociVersion':'1.0.2'"), "or to what all know");
	ok(!has(&c, "'process'"), "a document without a process stays without");
}

static void test_limits(void)
{
	static const char config[] =
		DOC("'oomScoreAdj':-5,'rlimits':[{'type':'RLIMIT_NOFILE','hard':1048576,'soft':20},"
		    "{'type':'RLIMIT_CORE','hard':0,'soft':0},{'type':'RLIMIT_NPROC','hard':"
		    "18446744073709551615,'soft':4}],",
			"");
	struct rlimit files = { 40, 40 }, procs = { 5000, 5000 };
	struct oci_facts facts = crun;
	int set = setrlimit(RLIMIT_NOFILE, &files) | setrlimit(RLIMIT_NPROC, &procs);

	facts.oom_score_adj = 10;
	is_int(set, 0, "limits of the test are set");
	auto_result r = rewrite(config, &facts, 500), root = rewrite(config, &able, 0);
	ok(has(&r, "'type':'RLIMIT_NOFILE','hard':40,'soft':20"), "a hard limit is lowered to the caller's");
	ok(has(&r, "'type':'RLIMIT_CORE','hard':0,'soft':0"), "one below stays");
	ok(has(&r, "'type':'RLIMIT_NPROC','hard':5000,'soft':4"), "infinity is lowered, too");
	ok(has(&r, "'oomScoreAdj':10"), "the score cannot fall");
	is_str(r.losses,
		"RLIMIT_NOFILE is lowered to the caller's hard limit 40|RLIMIT_NPROC is lowered to the "
		"caller's hard limit 5000|"
		"oomScoreAdj stays at the caller's 10",
		"all of which is told");
	ok(has(&root, "'hard':1048576") && has(&root, "18446744073709551615") &&
			has(&root, "'oomScoreAdj':-5"),
		"who may raise them keeps them");
}

int main(void)
{
	test_whole();
	test_root();
	test_ids();
	test_root_ids();
	test_namespaces();
	test_binds();
	test_versions();
	test_limits();
	return tap_done();
}
