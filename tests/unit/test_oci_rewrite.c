/* SPDX-License-Identifier: Apache-2.0 */
/* What runc and crun get to read, as whole documents and as single edits. */
#include "engines/oci_rewrite.h"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include "engines/compat_filter.h"
#include "engines/fake_root.h"
#include "engines/fake_root_filter.h"
#include "engines/oci_quirks.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static const struct oci_facts crun = { .engine = "crun", .version = "1.30", .host_mqueue = true };
static const struct oci_facts runc = {
	.engine = "runc", .version = "1.9", .quirks = QUIRK_NEEDS_ROOT_MAPPED | QUIRK_NO_GROUPS
};
static const struct oci_facts able = {
	.engine = "crun", .version = "1.30", .cgroups = true, .may_raise = true, .spec_minor = 2
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
	char *text, *losses, *filter;
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
	res.filter = out.filter;
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
	free(r->filter);
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
		"{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup'},"
		"{'destination':'/v','type':'bind','source':'/proc/nonexistent','options':['rbind']}],"
		"'annotations':{'org.udocker.image':'a:b'},'x':1,"
		"'linux':{'namespaces':[{'type':'mount'},{'type':'user'}],"
		"'uidMappings':[{'containerID':0,'hostID':500,'size':1}],"
		"'gidMappings':[{'containerID':0,'hostID':500,'size':1}]}}";
	auto_result r = rewrite(config, &crun, 500);

	is_int(r.r, 0, "rewritten");
	is_str(r.text, want, "the whole document");
	is_str(r.losses, "no control group can be made here: limits of linux.resources are not set",
		"and what it lost");
}

/* Who makes the filter of a program under PRoot: the first process inside, or the runtime. */
static void test_filter(void)
{
	static const struct {
		const char *config;
		bool inside, ready;
	} t[] = {
		{ "{'process':{'user':{},'noNewPrivileges':true},'linux':{}}", true, true },
		{ "{'process':{'user':{},'noNewPrivileges':false},'linux':{}}", false, true },
		{ "{'process':{'user':{},'noNewPrivileges':true},'linux':{'seccomp':{'defaultAction':'SCMP_"
		  "ACT_ALLOW'}}}",
			false, false },
		{ "{'process':{'user':{},'noNewPrivileges':true},'linux':{},'hooks':{'prestart':[]}}", false,
			false },
	};
	size_t n = 0;
	autofree struct sock_filter *known = fake_root_filter_build(FAKE_ROOT_ALL, true, &n);

	for (size_t i = 0; i < ARRAY_LEN(t) * 2; i++) {
		struct oci_facts facts = i % 2 ? runc : crun;
		bool inside = known && t[i / 2].inside, taken = known && t[i / 2].ready && i % 2 == 0;

		facts.traced = facts.fake_root = true;
		facts.tracer_version = COMPAT_VERSION(5, 1);
		facts.quirks |= i % 2 ? 0 : QUIRK_TAKES_FILTER;
		auto_result r = rewrite(t[i / 2].config, &facts, 500);

		is_int(r.filter != NULL, inside, "a filter by the first process");
		is_int(json_path(r.config, "linux", "seccomp", NULL) != NULL, !inside && !taken,
			"by the runtime, from names");
		is_int(strstr(r.text, OCI_FILTER_ANNOTATION) != NULL, !inside && taken,
			"by the runtime, as it is");
	}
}

/* Two containers of one id, of two state directories, must not meet in a control group. */
static void test_cgroup_is_own(void)
{
	static const char config[] = "{'ociVersion':'1.0.2','process':{'args':['x']},'root':{'path':'r'},'"
				     "linux':{'namespaces':[]}}";
	auto_result a = rewrite(config, &able, 0), b = rewrite(config, &able, 0);
	const char *one = json_str(json_path(a.config, "linux", "cgroupsPath", NULL));
	const char *other = json_str(json_path(b.config, "linux", "cgroupsPath", NULL));

	ok(one && str_starts(one, "s-"),
		"a control group that the bundle does not name has the container's id");
	ok(one && other && !str_eq(one, other), "and is its own");
}

static void test_root(void)
{
	static const char config[] =
		"{'ociVersion':'1.0.2','hostname':'h','process':{'user':{'uid':5,'additionalGids':[7]},'args'"
		":['x'],'cwd':'/'},"
		"'root':{'path':'/abs'},'mounts':[{'destination':'/proc','type':'proc'},{'destination':'/"
		"sys','type':'sysfs'},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup'}],"
		"'linux':{'namespaces':[{'type':'mount'},{'type':'uts'}],'resources':{'pids':{'limit':3}},'"
		"cgroupsPath':'/c'}}";
	static const char want[] =
		"{'ociVersion':'1.0.2','hostname':'h','process':{'user':{'uid':5,'additionalGids':[7]},'args'"
		":['x'],'cwd':'/'},"
		"'root':{'path':'/b/ROOT'},'mounts':[{'destination':'/proc','type':'proc'},{'destination':'/"
		"sys','type':'sysfs'},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup'}],"
		"'linux':{'namespaces':[{'type':'mount'},{'type':'uts'}],'resources':{'pids':{'limit':3}},'"
		"cgroupsPath':'/c'}}";
	auto_result r = rewrite(config, &able, 0);

	is_str(r.text, want, "root's document stays as it is but for the root path");
	is_str(r.losses, "", "and loses nothing");
}

static bool has(const struct result *r, const char *text)
{
	return strstr(r->text, text) != NULL;
}

static void test_mqueue(void)
{
	static const char config[] =
		"{'ociVersion':'1.0.2','process':{'args':['x']},'root':{'path':'r'},'mounts':["
		"{'destination':'/dev/mqueue','type':'mqueue','source':'mqueue'}]}";
	struct oci_facts without = crun;
	auto_result with = rewrite(config, &crun, 500);
	auto_result r = { 0 };

	without.no_mqueue = true;
	r = rewrite(config, &without, 500);
	ok(has(&with, "/dev/mqueue"), "/dev/mqueue");
	ok(!has(&r, "/dev/mqueue"), "is left out where runc_nomqueue is set");
}

#define DOC(process, rest) \
	"{'ociVersion':'1.0.0','process':{" process "'args':['x'],'cwd':'/'},'root':{'path':'r'}" rest "}"

/* No mount namespace is inheritance, where that is possible. */
static void test_mount_namespace(void)
{
	static const char plain[] = DOC("", ",'linux':{'namespaces':[{'type':'uts'}]}"),
			  masked[] = DOC("", ",'linux':{'maskedPaths':['/proc/kcore']}"),
			  joined[] = DOC(
				  "", ",'linux':{'namespaces':[{'type':'user','path':'/proc/1/ns/user'}]}");
	auto_result root = rewrite(plain, &able, 0), hides = rewrite(masked, &able, 0),
		    joins = rewrite(joined, &able, 0), user = rewrite(plain, &crun, 500);

	ok(!has(&root, "'mount'"), "root's container without one inherits it");
	ok(has(&hides, "{'type':'mount'}"), "paths cannot be hidden without one");
	ok(has(&joins, "{'type':'mount'}"), "nor can anything be mounted in another user namespace");
	ok(has(&user, "{'type':'mount'}"), "an ordinary caller gets one");
}

static void test_devices_made_outside(void)
{
	static const char config[] =
		DOC("", ",'linux':{'namespaces':[{'type':'user'},{'type':'mount'}],'uidMappings':[{'"
			"containerID':0,'hostID':"
			"0,'size':9}],'devices':[{'path':'/dev/x','type':'b','major':1000,'minor':3}]}");
	struct oci_facts makes = able, inner = able;

	makes.quirks |= QUIRK_MAKES_DEVICES;
	inner.quirks |= QUIRK_MAKES_DEVICES;
	inner.inner = true;
	auto_result a = rewrite(config, &makes, 0), b = rewrite(config, &able, 0),
		    c = rewrite(config, &inner, 0);

	ok(has(&a, "'/dev/x'") && !*a.losses, "root's devices stay with an engine that makes them outside");
	ok(!has(&b, "'/dev/x'") && *b.losses, "not with another");
	ok(!has(&c, "'/dev/x'") && *c.losses, "and not where root is one of a user namespace");
}

static void test_ids(void)
{
	static const char user[] = DOC("'user':{'uid':7,'gid':8,'additionalGids':[9]},", "");
	static const char ranges[] = DOC("'user':{'uid':7,'additionalGids':[9]},",
		",'linux':{'uidMappings':[{'containerID':0,'hostID':1,'size':9}],'gidMappings':[{'"
		"containerID':0,'hostID':1,'size':9}]}");
	auto_result c = rewrite(user, &crun, 500), u = rewrite(user, &runc, 500),
		    k = rewrite(ranges, &crun, 500), l = rewrite(ranges, &runc, 500);

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
	is_str(k.losses, "", "and nothing is lost");
	ok(has(&l, "'hostID':1,'size':9") && has(&l, "'user':{'uid':7}"), "runc sets no groups then");
	is_str(l.losses, "runc sets no additional groups for an ordinary caller", "which is told");
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

	root_runc.quirks = QUIRK_NEEDS_ROOT_MAPPED;
	auto_result u = rewrite(config, &root_runc, 0);
	ok(has(&c, "'containerID':7,'hostID':3") && has(&c, "'containerID':8,'hostID':4"),
		"root: the host ids of the bundle");
	ok(has(&c, "'options':[]") && !has(&c, "additionalGids"), "root: what is not mapped cannot be set");
	ok(has(&u, "'containerID':0,'hostID':3") && has(&u, "'user':{'uid':0,'gid':0}"),
		"root: runc needs 0 mapped");
}

/* A user namespace that is joined has its maps; nothing of ours fits into it. */
static void test_joined_userns(void)
{
	static const char config[] = DOC("'user':{'uid':7,'additionalGids':[9]},",
		",'mounts':[{'destination':'/proc','type':'proc'},{'destination':'/dev/"
		"pts','type':'devpts','options':['gid=5']}],"
		"'linux':{'namespaces':[{'type':'user','path':'/proc/1/ns/user'},{'type':'mount'}]}");
	auto_result r = rewrite(config, &runc, 500);

	ok(!has(&r, "Mappings") && !has(&r, "syscalls"), "joined: no maps, no fakes");
	ok(has(&r, "'uid':7,'additionalGids':[9]") && has(&r, "'gid=5'"), "joined: ids are its own affair");
	ok(!has(&r, "'type':'proc'") && has(&r, "'source':'/proc'"),
		"joined: but the host's pids cannot be mounted anew");
}

/* Ranges decide which ids a mount may be given. */
static void test_mapped_ids(void)
{
	static const char config[] = DOC("'user':{'uid':0},",
		",'mounts':[{'destination':'/dev/pts','type':'devpts','options':['gid=5','uid=0']},"
		"{'destination':'/t','type':'tmpfs','options':['uid=20','gid=4']}],"
		"'linux':{'namespaces':[{'type':'user'}],'uidMappings':[{'containerID':0,'hostID':500,'size':"
		"1},"
		"{'containerID':1,'hostID':100000,'size':9}],"
		"'gidMappings':[{'containerID':0,'hostID':500,'size':1},{'containerID':4,'hostID':100000,'"
		"size':2}]}");
	auto_result r = rewrite(config, &crun, 500);

	ok(has(&r, "'options':['gid=5','uid=0']"), "what a range maps is kept");
	ok(has(&r, "'options':['gid=4']"), "what none maps is not");
}

/* Root of a namespace of one id, as `unshare -r` makes it. */
static void test_single_id(void)
{
	static const char root[] = DOC("'user':{'uid':0,'additionalGids':[9]},",
		",'mounts':[{'destination':'/sys','type':'sysfs'},"
		"{'destination':'/sys/fs/cgroup','type':'cgroup'}]");
	static const char user[] = DOC("'user':{'uid':7,'gid':8},", "");
	struct oci_facts facts = crun;

	facts.single_id = facts.inner = facts.fake_root = true;
	auto_result a = rewrite(root, &facts, 0), b = rewrite(user, &facts, 0);
	ok(!has(&a, "'type':'user'") && !has(&a, "Mappings"), "one id: no other namespace for root");
	ok(!has(&a, "additionalGids") && !has(&a, "'type':'sysfs'") && has(&a, "'source':'/sys'"),
		"one id: what it may not do is left out");
	ok(has(&a, "'setgroups'"), "one id: and said to be done");
	ok(has(&a, "'type':'cgroup'"), "one id: control groups can be seen");
	ok(has(&b, "'uidMappings':[{'containerID':7,'hostID':0,'size':1}]"),
		"one id: another user needs a map");

	facts.quirks = QUIRK_NEEDS_ROOT_MAPPED;
	auto_result d = rewrite(user, &facts, 0);
	ok(has(&d, "'user':{'uid':0,'gid':0}") && !has(&d, "Mappings"), "one id: runc's has root's");
	ok(strstr(d.losses, "runs as 0:0 instead of 7:8") != NULL, "one id: which is told");

	/* podman's: many ids are mapped, and all has been thought of by who made it. */
	facts.single_id = false;
	auto_result c = rewrite(root, &facts, 0);
	ok(has(&c, "'additionalGids':[9]") && has(&c, "'type':'sysfs'") && has(&c, "'type':'cgroup'") &&
			!has(&c, "'type':'user'") && !has(&c, "syscalls"),
		"ranges: nothing is changed for their root");
	is_str(c.losses, "", "ranges: nor lost");
}

static void test_devices(void)
{
	static const char config[] =
		DOC("", ",'linux':{'namespaces':[{'type':'user'}],"
			"'uidMappings':[{'containerID':0,'hostID':0,'size':9}],'gidMappings':[{'containerID':"
			"0,'hostID':0,'size':9}],"
			"'devices':[{'path':'/dev/null','type':'c','major':1,'minor':3},"
			"{'path':'/dev/none','type':'c','major':1,'minor':3},"
			"{'path':'/dev/zero','type':'b','major':1,'minor':5},"
			"{'path':'/dev/loop-of-mine','type':'b','major':1000,'minor':77}]}");
	auto_result r = rewrite(config, &crun, 500),
		    root = rewrite(
			    DOC("", ",'linux':{'devices':[{'path':'/x','type':'c','major':1000,'minor':7}]}"),
			    &able, 0);

	ok(!has(&r, "devices"), "no node is made in a user namespace");
	ok(has(&r, "'destination':'/dev/null','type':'bind','source':'/dev/"
		   "null','options':['bind','nosuid','noexec']"),
		"the host's is bound");
	ok(has(&r, "'destination':'/dev/none','type':'bind','source':'/dev/null'"), "under any name");
	ok(strstr(r.losses,
		   "device /dev/loop-of-mine cannot be made in a user namespace, and the host has none") !=
				NULL &&
			strstr(r.losses, "device /dev/zero cannot") != NULL,
		"what it has not is told");
	ok(has(&root, "'/x'"), "root makes its own");
}

static void test_quirks(void)
{
	static const char config[] = DOC("'scheduler':{'policy':'SCHED_BATCH'},'ioPriority':{'class':'IOPRIO_"
					 "CLASS_IDLE'},'execCPUAffinity':{'initial':'0'},",
		",'domainname':'d','linux':{'namespaces':[{'type':'mount'},{'type':'uts'},{'type':'time'}],'"
		"timeOffsets':{'monotonic':{'secs':1}}}");
	struct oci_facts old = able, newer = able;

	old.engine = newer.engine = "runc";
	old.version = "1.1.5";
	newer.version = "1.3.0";
	auto_result a = rewrite(config, &old, 0), b = rewrite(config, &newer, 0);
	ok(!has(&a, "scheduler") && !has(&a, "ioPriority") && !has(&a, "domainname") && !has(&a, "time"),
		"an old runc is not asked for what it does not know");
	ok(has(&a, "{'type':'uts'}") && has(&a, "{'type':'mount'}"), "but for the rest");
	ok(strstr(a.losses, "runc 1.1.5 does not know process.scheduler (1.2.0 does)") != NULL,
		"which is told");
	ok(has(&b, "scheduler") && has(&b, "execCPUAffinity") && has(&b, "timeOffsets"), "a newer one is");
	is_str(b.losses, "", "and nothing is lost");

	ok(oci_quirk_flags("crun", "1.8.1") & QUIRK_CHOWNS_DEVICES, "crun 1.8.1 gives devices away");
	ok(!(oci_quirk_flags("crun", "1.24") & QUIRK_CHOWNS_DEVICES), "1.24 does not");
	ok(!(oci_quirk_flags("crun", "1.2") & QUIRK_CHOWNS_DEVICES), "nor did 1.2");
	ok(oci_quirk_flags("crun", "0.13.9") & QUIRK_NO_ERRNO, "numbers are compared as such");
	ok(!(oci_quirk_flags("crun", "0.14") & QUIRK_NO_ERRNO), "a version ends a quirk");
	ok(oci_quirk_flags("crun", "0.13") & QUIRK_NO_ERRNO, "two numbers are enough");
	ok(oci_quirk_flags("crun", "0.13.9.7") & QUIRK_NO_ERRNO, "a fourth decides nothing");
	ok(!(oci_quirk_flags("crun", "0.13.x") & QUIRK_NO_ERRNO), "what is no number counts as new");
	ok(!(oci_quirk_flags("crun", "0..13") & QUIRK_NO_ERRNO), "so does a gap");
	ok(!(oci_quirk_flags("crun", "") & QUIRK_NO_ERRNO), "and nothing");
	ok(!(oci_quirk_flags("crun", "UNKNOWN") & QUIRK_NO_ERRNO), "an unknown one counts as new");
	is_int((long)oci_quirk_flags("youki", "1.0"), 0, "another engine has none of these");
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

/* runsc, whose programs have a kernel of their own. */
static void test_own_kernel(void)
{
	static const struct oci_facts runsc = {
		.engine = "runsc", .version = "0.0~20221219", .quirks = QUIRK_OWN_KERNEL, .spec_minor = 2
	};
	static const char config[] =
		"{'ociVersion':'1.0.2','process':{'user':{'uid':7,'gid':8,'additionalGids':[9]},"
		"'rlimits':[{'type':'RLIMIT_NPROC','hard':9000000,'soft':4}]},"
		"'mounts':[{'destination':'/proc','type':'bind','source':'/proc','options':['rbind']},"
		"{'destination':'/dev','type':'bind','source':'/dev','options':['rbind']},"
		"{'destination':'/v','type':'bind','source':'/vol'}],"
		"'linux':{'namespaces':[{'type':'user'},{'type':'mount'},{'type':'network'}],"
		"'uidMappings':[{'containerID':7,'hostID':500,'size':1}]}}";

	auto_result r = rewrite(config, &runsc, 500), root = rewrite(config, &runsc, 0);
	ok(has(&r, "'namespaces':[{'type':'mount'}]") && !has(&r, "uidMappings"),
		"an ordinary caller's namespaces are made around it");
	is_str(r.losses, "runsc has the host's network for an ordinary caller", "what is lost is told");
	ok(has(&r, "'uid':7,'gid':8,'additionalGids':[9]"), "it knows all ids");
	ok(has(&r, "'hard':9000000"), "and keeps limits of its own");
	ok(has(&r, "{'destination':'/proc','type':'proc','source':'proc'}"), "/proc is its own");
	ok(!has(&r, "'/dev'"), "as is /dev");
	ok(has(&r, "'source':'/vol'"), "other folders are bound");
	ok(has(&root, "uidMappings") && has(&root, "'network'"), "root's stay");
}

int main(void)
{
	test_whole();
	test_filter();
	test_cgroup_is_own();
	test_root();
	test_mqueue();
	test_mount_namespace();
	test_devices_made_outside();
	test_ids();
	test_root_ids();
	test_joined_userns();
	test_mapped_ids();
	test_single_id();
	test_devices();
	test_quirks();
	test_namespaces();
	test_binds();
	test_versions();
	test_limits();
	test_own_kernel();
	return tap_done();
}
