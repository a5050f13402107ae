/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of fake root, merged into the bundle's own, and what apt needs besides. */
#include "engines/fake_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/bpf_program.h"
#include "engines/fake_root_filter.h"
#include "engines/seccomp_rules.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/codec.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

/* With the names that 32-bit programs have for calls of 32-bit ids; a runtime leaves out those an architecture lacks. */
static const char *const file_calls[] = { "chown", "chown32", "fchown", "fchown32", "fchownat", "lchown",
	"lchown32" };
static const char *const id_calls[] = { "setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32",
	"setregid", "setregid32", "setresuid", "setresuid32", "setresgid", "setresgid32", "setfsuid",
	"setfsuid32", "setfsgid", "setfsgid32", "setgroups", "setgroups32" };

/* Calls that make a file of the type in one of their arguments. */
static const struct node_call {
	const char *name;
	int mode_index;
} node_calls[] = { { "mknod", 1 }, { "mknodat", 2 } };
/* Files, pipes, sockets and folders lack it, devices have it. Links do, too: they are never made so. */
#define OTHER_NODES_MASK S_IFCHR

struct merger {
	struct json *rules;
	struct json *added; /* array of rules, appended at the end */
	struct json *plain; /* the one rule for calls that are answered whatever they are asked for */
	bool permissive; /* a call without a rule is allowed */
};

/* `call`: or NULL, for a rule whose names come later. */
static struct json *new_rule(const char *call, const char *action, const struct json *args)
{
	struct json *rule = json_new_object();
	struct json *names = json_need_array(rule, "names");

	if (call)
		json_append(names, json_new_str(call));
	json_set_str(rule, "action", action);
	if (str_eq(action, "SCMP_ACT_ERRNO"))
		json_set_i64(rule, "errnoRet", 0);
	if (json_len(args) > 0)
		json_set(rule, "args", json_clone(args));
	return rule;
}

/* One rule for all that need no condition: a runtime reads, keeps and passes on each rule several times. */
static void add_fake(struct merger *m, const char *call, const struct json *args)
{
	if (json_len(args) > 0)
		json_append(m->added, new_rule(call, "SCMP_ACT_ERRNO", args));
	else if (seccomp_rules_find(m->plain, call) < 0)
		json_append(json_get(m->plain, "names"), json_new_str(call));
}

/* The action, for nodes of some types. */
static void add_typed(
	struct merger *m, const struct node_call *call, const char *action, mode_t mask, mode_t bits)
{
	auto_json *args = json_new_array();
	struct json *arg = json_new_object();

	json_set_i64(arg, "index", call->mode_index);
	json_set_i64(arg, "value", mask);
	json_set_i64(arg, "valueTwo", bits);
	json_set_str(arg, "op", "SCMP_CMP_MASKED_EQ");
	json_append(args, arg);
	json_append(m->added, new_rule(call->name, action, args));
}

/* An allowed device node is a done one. libseccomp knows no "else", so the other types are named. */
static void replace_nodes(struct merger *m, const struct node_call *call, const char *action)
{
	add_typed(m, call, "SCMP_ACT_ERRNO", FAKE_ROOT_DEVICE_MASK, FAKE_ROOT_DEVICE_BITS);
	if (action)
		add_typed(m, call, action, OTHER_NODES_MASK, 0);
}

/* `node` is NULL for the calls that are faked whatever they are asked for. */
static void merge(struct merger *m, const char *call, const struct node_call *node)
{
	/* Conditions of a forbidding rule cannot be turned round: all of the call stays as it is. */
	if (seccomp_rules_restrict(m->rules, call))
		return;
	for (size_t i = 0; i < json_len(m->rules); i++) {
		struct json *rule = json_at(m->rules, i);
		const struct json *args = json_get(rule, "args");
		int at = seccomp_rules_find(rule, call);

		if (at < 0 || (node && json_len(args) > 0))
			continue;
		json_remove_at(json_get(rule, "names"), (size_t)at);
		if (m->permissive)
			continue;
		if (node)
			replace_nodes(m, node, json_str(json_get(rule, "action")));
		else
			add_fake(m, call, args);
	}
	if (!m->permissive)
		return;
	if (node)
		replace_nodes(m, node, NULL);
	else
		add_fake(m, call, NULL);
}

/*
 * Without noNewPrivileges the runtimes install the filter first and set the program's capabilities after it. Bounding ones do not need the
 * call, and decide what root has after its exec; inheritable and ambient ones do.
 */
static bool runtime_needs_capset(const struct json *config)
{
	const struct json *process = json_get(config, "process");
	const struct json *caps = json_get(process, "capabilities");

	return !json_true(json_get(process, "noNewPrivileges")) &&
	       (json_len(json_get(caps, "inheritable")) > 0 || json_len(json_get(caps, "ambient")) > 0);
}

static void append_added(struct merger *m)
{
	if (json_len(json_get(m->plain, "names")) > 0)
		json_append(m->rules, json_clone(m->plain));
	for (size_t i = 0; i < json_len(m->added); i++)
		json_append(m->rules, json_clone(json_at(m->added, i)));
	json_free(m->plain);
	json_free(m->added);
}

void fake_root_seccomp(struct json *config, enum fake_root_part part)
{
	struct json *profile = seccomp_rules_profile(config);
	struct merger m = {
		.rules = json_need_array(profile, "syscalls"),
		.added = json_new_array(),
		.plain = new_rule(NULL, "SCMP_ACT_ERRNO", NULL),
		.permissive = seccomp_rules_allows(json_get(profile, "defaultAction")),
	};

	for (size_t i = 0; i < ARRAY_LEN(file_calls); i++)
		merge(&m, file_calls[i], NULL);
	for (size_t i = 0; part == FAKE_ROOT_ALL && i < ARRAY_LEN(id_calls); i++)
		merge(&m, id_calls[i], NULL);
	if (!runtime_needs_capset(config))
		merge(&m, "capset", NULL);
	for (size_t i = 0; i < ARRAY_LEN(node_calls); i++)
		merge(&m, node_calls[i].name, &node_calls[i]);
	seccomp_rules_drop_empty(m.rules);
	append_added(&m);
}

/* Does the document say anything itself about what a filter of ours would decide, or is to be shown by others? */
static bool is_spoken_for(const struct json *config)
{
	const struct json *annotations = json_get(config, "annotations");

	for (size_t i = 0; i < json_len(annotations); i++)
		if (str_starts(json_key_at(annotations, i), "run.oci.seccomp"))
			return true;
	return json_len(json_path(config, "linux", "seccomp", NULL)) > 0 ||
	       json_len(json_get(config, "hooks")) > 0;
}

char *fake_root_program(
	const struct json *config, enum fake_root_part part, const struct sock_filter *first, size_t n_first)
{
	autofree struct sock_filter *program = NULL, *all = NULL;
	size_t n = 0;

	if (is_spoken_for(config))
		return NULL;
	program = fake_root_filter_build(part, !runtime_needs_capset(config), &n);
	if (!program)
		return NULL;
	all = bpf_chain(first, n_first, program, n);
	return codec_base64_encode(all, (n_first + n) * sizeof(*all));
}

/* ---- apt ---- */
static bool is_covered(const struct json *config)
{
	auto_runtime_mounts mounts = RUNTIME_MOUNTS_INIT;

	if (runtime_mounts_read(config, &mounts, NULL) < 0)
		return true;
	for (size_t i = 0; i < mounts.n; i++)
		if (path_is_below(FAKE_ROOT_APT_FILE, mounts.items[i].destination) &&
			!str_eq(mounts.items[i].destination, "/"))
			return true;
	return false;
}

bool fake_root_apt(const struct json *config, const char *rootfs)
{
	autoclose int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int dir = root < 0 ? -1
				     : fs_open(root, FAKE_ROOT_APT_DIR + 1,
					       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_IN_ROOT);
	struct stat st;

	if (dir < 0 || runtime_root_readonly(config) || is_covered(config))
		return false;
	/* Something else of this name is not ours to cover. */
	if (fstatat(dir, path_base(FAKE_ROOT_APT_FILE), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(st.st_mode) && st.st_size == 0;
	return errno == ENOENT && faccessat(dir, ".", W_OK, AT_EACCESS) == 0;
}

void fake_root_clean(int rootfs_fd)
{
	autoclose int dir =
		fs_open(rootfs_fd, FAKE_ROOT_APT_DIR + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, FS_IN_ROOT);
	const char *name = path_base(FAKE_ROOT_APT_FILE);
	struct stat st;

	if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		st.st_size == 0 && st.st_uid == geteuid())
		(void)unlinkat(dir, name, 0); /* what cannot be removed is an empty file */
}
