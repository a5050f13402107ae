/* SPDX-License-Identifier: Apache-2.0 */
/* What PRoot's plan wants read-only: the rules for Landlock, the mounts for a namespace. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/host_path.h"
#include "engines/proot.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char top[64];

struct result {
	struct engine_plan plan;
	char *argv, *writable, *notes, *sources, *targets;
};

static void result_free(struct result *r)
{
	engine_plan_free(&r->plan);
	free(r->argv);
	free(r->writable);
	free(r->notes);
	free(r->sources);
	free(r->targets);
}
#define auto_result CLEANUP(result_free) struct result

/* Words joined by blanks, the scratch directory as "@". */
static char *shown(const struct strv *words)
{
	autofree char *text = strv_join(words, " ");
	auto_str s = STR_INIT;

	for (const char *p = text; *p;) {
		bool here = strncmp(p, top, strlen(top)) == 0;

		(void)str_add_char(&s, here ? '@' : *p);
		p += here ? strlen(top) : 1;
	}
	return str_steal(&s);
}

/* `text`: a document with ' for " and @ for the scratch directory. */
static struct result plan(const char *text, enum engine_guard guard, unsigned flags)
{
	auto_str doc = STR_INIT;
	auto_json *j = NULL;
	auto_err *err = NULL;
	char path[] = "/bin/proot", version[] = "5.1.0";
	autofree char *root = xjoin3(top, "/ROOT", "");
	struct engine_probe probe = { .available = true, .path = path, .version = version, .flags = flags };
	struct engine_ctx ctx = { .mode = "P1",
		.bundle = top,
		.rootfs = root,
		.state_dir = "/state",
		.guest_init = "/lib/init",
		.checked = true,
		.guard = guard };
	struct result r = { 0 };

	for (; *text; text++)
		if (*text == '@')
			(void)str_add(&doc, top);
		else
			(void)str_add_char(&doc, *text == '\'' ? '"' : *text);
	if (json_parse(str_text(&doc), doc.len, "test", NULL, &j, NULL) < 0)
		exit(99);
	ctx.config = j;
	strv_env_set(&ctx.env, "PROOT_TMP_DIR", "/ptmp");
	is_int(engine_proot.plan(&ctx, &probe, &r.plan, &err), 0, "planned");
	strv_free(&ctx.env);
	r.argv = shown(&r.plan.argv);
	r.writable = shown(&r.plan.writable);
	r.notes = shown(&r.plan.notes);
	r.sources = shown(&r.plan.readonly_sources);
	r.targets = shown(&r.plan.readonly_targets);
	return r;
}

#define DOC(root, mounts, linux) \
	"{'ociVersion':'1.0.2','process':{'cwd':'/','args':['x']},'root':{'path':'ROOT'" root \
	"},'mounts':[" mounts "],'linux':{" linux "}}"
#define RO ",'readonly':true"
#define BIND(at, from, options) "{'destination':'" at "','source':'" from "','options':['rbind'" options "]}"

static void test_landlock(void)
{
	auto_result none = plan(DOC("", BIND("/a", "@/a", ""), ""), ENGINE_GUARD_LANDLOCK, PROOT_LOADER);
	auto_result bind = plan(DOC("", BIND("/a", "@/a", "") "," BIND("/b", "@/b", ",'ro'"), ""),
		ENGINE_GUARD_LANDLOCK, PROOT_LOADER);
	auto_result root = plan(DOC(RO, "{'destination':'/tmp','type':'tmpfs'}," BIND("/a", "a", ""), ""),
		ENGINE_GUARD_LANDLOCK, 0);

	is_str(none.writable, "", "nothing is read-only: no rules");
	is_str(none.notes, "", "and nothing to say");
	is_str(strv_env_get(&none.plan.env, "PROOT_TMP_DIR"), "/ptmp", "PRoot's directory is the usual one");
	is_str(bind.writable, "@/ROOT @/a /dev /proc /state/stand-in/0", "all but the read-only bind");
	is_str(strv_env_get(&bind.plan.env, "PROOT_TMP_DIR"), "/state/stand-in/0", "PRoot's own directory");
	is_str(bind.notes, "", "it is kept");
	is_int((int)bind.plan.readonly_targets.n, 0, "no mounts");
	is_str(root.writable, "/state/stand-in/0 @/a /dev /proc /ptmp", "all but the root");
	ok(strstr(root.argv, "-r @/ROOT ") != NULL, "the root is where it was");
}

static void test_within(void)
{
	auto_result both = plan(
		DOC("", BIND("/a", "@/a", "") "," BIND("/b", "@/a", ",'ro'"), ""), ENGINE_GUARD_LANDLOCK, 0);
	auto_result inner = plan(DOC("",
					 BIND("/b", "@/link/sub", ",'ro'") "," BIND(
						 "/c", "@/b", ",'ro'") "," BIND("/a", "@/a", ""),
					 ""),
		ENGINE_GUARD_LANDLOCK, 0);
	auto_result dev = plan(DOC("", BIND("/shm", "/dev/shm", ",'ro'"), ""), ENGINE_GUARD_LANDLOCK, 0);
	auto_strv tops = STRV_INIT;
	autofree char *a = xjoin3(top, "/a", ""), *link = xjoin3(top, "/link/sub", ""),
		      *b = xjoin3(top, "/b", "");

	is_str(both.notes, "mounts.readonly: @/a stays writable, as what holds it is", "writable elsewhere");
	is_str(both.writable, "", "nothing is kept: no rules");
	is_str(inner.notes, "mounts.readonly: @/link/sub stays writable, as what holds it is",
		"by way of a link");
	is_str(inner.writable, "@/ROOT @/a /dev /proc /ptmp", "the other one is kept");
	is_str(dev.notes, "mounts.readonly: /dev/shm stays writable, as what holds it is",
		"devices are open");
	strv_add(&tops, a);
	ok(host_path_is_within(a, &tops) && host_path_is_within(link, &tops), "itself, and below a link");
	ok(!host_path_is_within(b, &tops) && !host_path_is_within("/nothing/there", &tops), "others are not");
}

static void test_mounts(void)
{
	auto_result all =
		plan(DOC(RO,
			     BIND("/a", "@/a", "") "," BIND("/b", "@/link", ",'ro'") "," BIND("/f", "@/file",
				     ",'ro'") "," BIND("/o", "@/b", ",'ro'") "," BIND("/g", "@/file", ""),
			     "'readonlyPaths':['/etc','/b/sub','/a/sub','/none'],'maskedPaths':['/etc']"),
			ENGINE_GUARD_MOUNTS, PROOT_LOADER);
	auto_result holder = plan(DOC("", BIND("/h", "@", ",'ro'"), "'readonlyPaths':['/etc']"),
		ENGINE_GUARD_MOUNTS, PROOT_LOADER);
	auto_result none = plan(DOC("", BIND("/a", "@/a", ""), ""), ENGINE_GUARD_MOUNTS, PROOT_LOADER);

	is_str(all.sources, "@/ROOT @/a @/file @/b @/ROOT/etc @/a/sub @/a/sub",
		"what is mounted read-only, free of links");
	is_str(all.targets,
		"@/ROOT /state/stand-in/1 /state/stand-in/2 @/b @/ROOT/etc /state/stand-in/3 @/a/sub",
		"where it is, unless it is shown writable at another place");
	is_str(all.argv,
		"/bin/proot -b @/a:/a -b /state/stand-in/1:/b -b /state/stand-in/2:/f -b @/b:/o -b @/file:/g "
		"-b @/ROOT/etc:/etc -b /state/stand-in/3:/b/sub -b /state/stand-in/0:/etc "
		"-b /lib/init:/.udocker-init -0 -r @/ROOT -w / /.udocker-init",
		"PRoot shows the mounts, masks over them");
	ok(all.plan.makes[2].content && !all.plan.makes[1].content, "a file is mounted on a file");
	is_str(all.writable, "", "no rules for Landlock");
	is_str(holder.targets, "/state/stand-in/0 @/ROOT/etc", "what holds the root is shown elsewhere");
	is_int((int)none.plan.readonly_targets.n, 0, "nothing is read-only: no mounts");
	is_int((int)none.plan.n_makes, 0, "and nothing is made");
}

static void test_none(void)
{
	auto_result r =
		plan(DOC(RO, BIND("/b", "@/b", ",'ro'"), "'readonlyPaths':['/etc']"), ENGINE_GUARD_NONE, 0);

	is_str(r.writable, "", "no guard, no rules");
	is_int((int)r.plan.n_makes, 0, "and no mounts");
	is_str(r.argv, "/bin/proot -b @/b:/b -b /lib/init:/.udocker-init -0 -r @/ROOT -w / /.udocker-init",
		"as ever");
}

int main(void)
{
	int fd = scratch_open(top);

	for (const char *const *d = (const char *const[]){ "ROOT", "ROOT/etc", "a", "a/sub", "b", NULL }; *d;
		d++)
		if (mkdirat(fd, *d, 0755) < 0)
			return 99;
	if (symlinkat("a", fd, "link") < 0)
		return 99;
	close(openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	test_landlock();
	test_within();
	test_mounts();
	test_none();
	scratch_close(fd, top);
	return tap_done();
}
