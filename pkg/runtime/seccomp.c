/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of the runtime specification, through libseccomp, to BPF. Nothing is installed here. */
#include "pkg/runtime/seccomp.h"

#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/stat.h>

#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define ERRNO_MAX 4095 /* what the kernel gives at most */
#define ARGS_MAX 6
#define CONDITIONS_MAX 64 /* of one rule; more than one for an argument are alternatives */
#define X32_BIT 0x40000000u
#define NEGATIVE \
	0xfffff000u /* a tracer cancels a call by such a number (PRoot: -2); there is none to be made */

DL_SLOT(seccomp_init);
DL_SLOT(seccomp_release);
DL_SLOT(seccomp_arch_add);
DL_SLOT(seccomp_arch_native);
DL_SLOT(seccomp_arch_resolve_name);
DL_SLOT(seccomp_syscall_resolve_name);
DL_SLOT(seccomp_syscall_resolve_name_arch);
DL_SLOT(seccomp_rule_add_array);
DL_SLOT(seccomp_export_bpf);
static const struct dl_symbol symbols[] = {
	DL_ENTRY(seccomp_init),
	DL_ENTRY(seccomp_release),
	DL_ENTRY(seccomp_arch_add),
	DL_ENTRY(seccomp_arch_native),
	DL_ENTRY(seccomp_arch_resolve_name),
	DL_ENTRY(seccomp_syscall_resolve_name),
	DL_ENTRY(seccomp_syscall_resolve_name_arch),
	DL_ENTRY(seccomp_rule_add_array),
	DL_ENTRY(seccomp_export_bpf),
	DL_END,
};

void seccomp_program_free(struct seccomp_program *p)
{
	free(p->words);
	free(p->listener_path);
	free(p->listener_metadata);
	*p = SECCOMP_PROGRAM_INIT;
}

/* ---- words of the specification ---- */

struct word {
	const char *name;
	uint32_t value;
};

static const struct word actions[] = {
	{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
	{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
	{ "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
	{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	{ "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY },
	{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
	{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
	{ NULL, 0 },
};
static const struct word operators[] = {
	{ "SCMP_CMP_NE", SCMP_CMP_NE },
	{ "SCMP_CMP_LT", SCMP_CMP_LT },
	{ "SCMP_CMP_LE", SCMP_CMP_LE },
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
	{ "SCMP_CMP_GE", SCMP_CMP_GE },
	{ "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	{ NULL, 0 },
};
static const struct word filter_flags[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", 0 }, /* there is one thread when the filter is installed */
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
	{ NULL, 0 },
};

static int look_up(
	const struct word *table, const char *name, const char *where, uint32_t *ret, struct err **err)
{
	*ret = 0;
	for (; table->name; table++)
		if (str_eq(name, table->name)) {
			*ret = table->value;
			return 0;
		}
	return err_make(err, ERR_CORRUPT, "config.json: linux.seccomp.%s: '%.60s' is not known", where,
		name ? name : "");
}

/* ---- rules ---- */

struct builder {
	scmp_filter_ctx ctx;
	struct seccomp_program *program;
	uint32_t by_default; /* the default action */
	int newest; /* native number of the newest call that the profile names */
};

/* A tracer of the engine's must not take part in the profile, so tracing is what the kernel makes of it where there is no tracer. */
static int read_action(const struct json *object, const char *member, const char *errno_member,
	const char *where, uint32_t *ret, struct err **err)
{
	int64_t number = EPERM;
	bool has_number = json_to_i64(json_get(object, errno_member), &number) == 0;

	if (look_up(actions, json_str(json_get(object, member)), where, ret, err) < 0)
		return -1;
	if (*ret == SCMP_ACT_TRACE(0))
		*ret = SCMP_ACT_ERRNO(ENOSYS);
	else if (*ret == SCMP_ACT_ERRNO(0) && (number < 0 || number > ERRNO_MAX))
		return err_make(err, ERR_CORRUPT, "config.json: linux.seccomp.%s: errnoRet %lld is no errno",
			where, (long long)number);
	else if (*ret == SCMP_ACT_ERRNO(0))
		*ret = SCMP_ACT_ERRNO((uint32_t)number);
	else if (has_number)
		return err_make(err, ERR_CORRUPT,
			"config.json: linux.seccomp.%s: errnoRet goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE "
			"alone",
			where);
	return 0;
}

static int read_u64(const struct json *object, const char *key, uint64_t *ret)
{
	const char *text = json_number_text(json_get(object, key));

	*ret = 0;
	return text ? num_parse_u64(text, UINT64_MAX, ret) : 0;
}

static int read_conditions(const struct json *args, const char *where, struct scmp_arg_cmp *ret,
	bool *ret_alternatives, struct err **err)
{
	unsigned seen = 0;

	*ret_alternatives = false;
	if (json_len(args) > CONDITIONS_MAX)
		return err_make(err, ERR_CORRUPT, "config.json: linux.seccomp.%s: more than %d conditions",
			where, CONDITIONS_MAX);
	for (size_t i = 0; i < json_len(args); i++) {
		const struct json *a = json_at(args, i);
		int64_t index = 0;
		uint32_t op = 0;
		uint64_t one, two;

		if (look_up(operators, json_str(json_get(a, "op")), where, &op, err) < 0)
			return -1;
		if (json_to_i64(json_get(a, "index"), &index) < 0 || index < 0 || index >= ARGS_MAX ||
			read_u64(a, "value", &one) < 0 || read_u64(a, "valueTwo", &two) < 0)
			return err_make(
				err, ERR_CORRUPT, "config.json: linux.seccomp.%s: no condition", where);
		*ret_alternatives |= (seen & (1U << index)) != 0;
		seen |= 1U << index;
		ret[i] = (struct scmp_arg_cmp){
			.arg = (unsigned)index, .op = (enum scmp_compare)op, .datum_a = one, .datum_b = two
		};
	}
	return 0;
}

static int add_rule(struct builder *b, uint32_t action, int nr, unsigned n, const struct scmp_arg_cmp *c)
{
	int r = dl_seccomp_rule_add_array(b->ctx, action, nr, n, c);

	return r == -EEXIST ? 0 : r; /* said twice */
}

static int add_call(struct builder *b, const char *name, uint32_t action, size_t n,
	const struct scmp_arg_cmp *conditions, bool alternatives)
{
	int nr = dl_seccomp_syscall_resolve_name(name);
	int native = dl_seccomp_syscall_resolve_name_arch(dl_seccomp_arch_native(), name);
	int r = 0;

	if (nr == __NR_SCMP_ERROR) {
		log_debug("seccomp: '%s' is not a known system call, passing over it", name);
		return 0;
	}
	if (native > b->newest)
		b->newest = native;
	if (action == b->by_default)
		return 0;
	if (!alternatives)
		return add_rule(b, action, nr, (unsigned)n, conditions);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_rule(b, action, nr, 1, &conditions[i]);
	return r;
}

static int add_entry(struct builder *b, const struct json *entry, size_t at, struct err **err)
{
	autofree char *where = xasprintf("syscalls[%zu]", at);
	const struct json *names = json_get(entry, "names"), *args = json_get(entry, "args");
	struct scmp_arg_cmp conditions[CONDITIONS_MAX];
	bool alternatives;
	uint32_t action;

	if (read_action(entry, "action", "errnoRet", where, &action, err) < 0 ||
		read_conditions(args, where, conditions, &alternatives, err) < 0)
		return -1;
	b->program->notifies |= action == SCMP_ACT_NOTIFY;
	for (size_t i = 0; i < json_len(names); i++) {
		const char *name = json_str(json_at(names, i));
		int r = name ? add_call(b, name, action, json_len(args), conditions, alternatives) : 0;

		if (r < 0)
			return err_sys(err, -r, "config.json: linux.seccomp.%s: '%.60s'", where, name);
	}
	return 0;
}

static int add_architectures(struct builder *b, const struct json *list, struct err **err)
{
	static const char prefix[] = "SCMP_ARCH_";

	for (size_t i = 0; i < json_len(list); i++) {
		const char *text = json_str(json_at(list, i));
		char name[32] = "";
		uint32_t arch = 0;
		int r;

		if (text && str_starts(text, prefix))
			for (size_t k = 0; k + 1 < sizeof(name) && text[sizeof(prefix) - 1 + k]; k++)
				name[k] = (char)tolower((unsigned char)text[sizeof(prefix) - 1 + k]);
		if (*name)
			arch = dl_seccomp_arch_resolve_name(name);
		if (!arch)
			return err_make(err, ERR_CORRUPT,
				"config.json: linux.seccomp.architectures[%zu]: '%.60s' is not known", i,
				text ? text : "");
		r = dl_seccomp_arch_add(b->ctx, arch);
		if (r < 0 && r != -EEXIST)
			return err_sys(
				err, -r, "config.json: linux.seccomp.architectures[%zu]: '%.60s'", i, text);
	}
	return 0;
}

static int add_flags(struct builder *b, const struct json *list, struct err **err)
{
	for (size_t i = 0; i < json_len(list); i++) {
		uint32_t flag = 0;

		if (look_up(filter_flags, json_str(json_at(list, i)), "flags", &flag, err) < 0)
			return -1;
		b->program->flags |= flag;
	}
	return 0;
}

static int add_listener(struct builder *b, const struct json *profile, struct err **err)
{
	const char *path = json_str(json_get(profile, "listenerPath"));

	if (!b->program->notifies) {
		b->program->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
		return 0;
	}
	if (!path || *path != '/')
		return err_make(err, ERR_CORRUPT,
			"config.json: linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs the absolute path of "
			"a socket");
	b->program->listener_path = xstrdup(path);
	b->program->listener_metadata = xstrdup_null(json_str(json_get(profile, "listenerMetadata")));
	return 0;
}

/* ---- the program ---- */

/* What stands in front of libseccomp's own program; its jumps are relative, so nothing in that changes. */
static size_t write_prologue(const struct builder *b, bool newer_fail, struct sock_filter out[10])
{
	const struct sock_filter all[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NEGATIVE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)b->newest, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, dl_seccomp_arch_native(), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	size_t n = newer_fail ? ARRAY_LEN(all) : 3;

	memcpy(out, all, n * sizeof(all[0]));
	return n;
}

static int export(struct builder *b, bool newer_fail, struct err **err)
{
	struct sock_filter prologue[10];
	size_t before = write_prologue(b, newer_fail, prologue), n;
	autoclose int fd = fd_anon("seccomp");
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, errno, "temporary file");
	r = dl_seccomp_export_bpf(b->ctx, fd);
	if (r < 0 || fstat(fd, &st) < 0)
		return err_sys(err, r < 0 ? -r : errno, "config.json: linux.seccomp");
	n = (size_t)st.st_size / sizeof(struct sock_filter);
	if (before + n > BPF_MAXINSNS)
		return err_make(err, ERR_UNSUPPORTED,
			"config.json: linux.seccomp: the profile takes %zu instructions, the kernel has room "
			"for %d",
			before + n, BPF_MAXINSNS);
	_Static_assert(sizeof(struct sock_filter) == sizeof(uint64_t), "an instruction is a word");
	b->program->words = xcalloc(before + n, sizeof(uint64_t));
	memcpy(b->program->words, prologue, before * sizeof(uint64_t));
	if (fd_pread_full(fd, b->program->words + before, n * sizeof(uint64_t), 0) !=
		(ssize_t)(n * sizeof(uint64_t)))
		return err_sys(err, errno, "temporary file");
	b->program->n = before + n;
	return 0;
}

static int build(struct builder *b, const struct json *profile, struct err **err)
{
	const struct json *calls = json_get(profile, "syscalls");
	int64_t ignored;
	bool newer_fail;

	if (add_architectures(b, json_get(profile, "architectures"), err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(calls); i++)
		if (add_entry(b, json_at(calls, i), i, err) < 0)
			return -1;
	if (add_flags(b, json_get(profile, "flags"), err) < 0 || add_listener(b, profile, err) < 0)
		return -1;
	newer_fail = b->by_default == SCMP_ACT_ERRNO(EPERM) && b->newest >= 0 &&
		     json_to_i64(json_get(profile, "defaultErrnoRet"), &ignored) < 0;
	return export(b, newer_fail, err);
}

int seccomp_build(const struct json *config, struct seccomp_program *ret, struct err **err)
{
	const struct json *profile = json_path(config, "linux", "seccomp", NULL);
	auto_seccomp_program program = SECCOMP_PROGRAM_INIT;
	struct builder b = { .program = &program, .newest = -1 };
	int r;

	if (!json_is(profile, JSON_OBJECT))
		return 0;
	if (dl_load("libseccomp.so.2", "libseccomp2", symbols, err) < 0)
		return err_add(err, "config.json: linux.seccomp");
	if (read_action(profile, "defaultAction", "defaultErrnoRet", "defaultAction", &b.by_default, err) < 0)
		return -1;
	if (b.by_default == SCMP_ACT_NOTIFY)
		return err_make(err, ERR_UNSUPPORTED,
			"config.json: linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default");
	b.ctx = dl_seccomp_init(b.by_default);
	if (!b.ctx)
		return err_make(err, ERR_UNSUPPORTED,
			"config.json: linux.seccomp.defaultAction: the kernel or libseccomp does not have "
			"it");
	r = build(&b, profile, err);
	dl_seccomp_release(b.ctx);
	if (r < 0)
		return -1;
	*ret = program;
	program = SECCOMP_PROGRAM_INIT;
	return 0;
}
