/* SPDX-License-Identifier: Apache-2.0 */
/* Words of config.json to what the kernel takes, and the calls. */
#include "pkg/runtime/process.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/caps.h"

#define IO_CLASS_SHIFT 13
#define IO_WHO_PROCESS 1

struct word {
	const char *name;
	unsigned value;
};

/* The kernel's headers and the C library's name the same things twice, so these are by number. */
static const struct word policies[] = {
	{ "SCHED_OTHER", 0 },
	{ "SCHED_FIFO", 1 },
	{ "SCHED_RR", 2 },
	{ "SCHED_BATCH", 3 },
	{ "SCHED_ISO", 4 },
	{ "SCHED_IDLE", 5 },
	{ "SCHED_DEADLINE", 6 },
	{ NULL, 0 },
};
static const struct word scheduler_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", 0x01 },
	{ "SCHED_FLAG_RECLAIM", 0x02 },
	{ "SCHED_FLAG_DL_OVERRUN", 0x04 },
	{ "SCHED_FLAG_KEEP_POLICY", 0x08 },
	{ "SCHED_FLAG_KEEP_PARAMS", 0x10 },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
	{ NULL, 0 },
};
static const struct word io_classes[] = {
	{ "IOPRIO_CLASS_RT", 1 },
	{ "IOPRIO_CLASS_BE", 2 },
	{ "IOPRIO_CLASS_IDLE", 3 },
	{ NULL, 0 },
};
static const struct word domains[] = {
	{ "LINUX", PER_LINUX },
	{ "LINUX32", PER_LINUX32 },
	{ NULL, 0 },
};

void process_setup_free(struct process_setup *s)
{
	free(s->groups);
	free(s->apparmor);
	free(s->selinux);
	*s = PROCESS_SETUP_INIT;
}

/* ---- reading ---- */

static int look_up(
	const struct word *table, const char *name, const char *where, unsigned *ret, struct err **err)
{
	*ret = 0;
	for (; table->name; table++)
		if (str_eq(name, table->name)) {
			*ret = table->value;
			return 0;
		}
	return err_make(err, ERR_CORRUPT, "config.json: %s: '%.60s' is not known", where, name ? name : "");
}

static uint64_t u64_of(const struct json *object, const char *key)
{
	const char *text = json_number_text(json_get(object, key));
	uint64_t n = 0;

	/* Checked by runtime_config_check(). */
	return text && num_parse_u64(text, UINT64_MAX, &n) == 0 ? n : 0;
}

static int read_scheduler(const struct json *j, struct process_setup *s, struct err **err)
{
	const struct json *flags = json_get(j, "flags");
	int64_t nice = 0, priority = 0;
	unsigned word;

	if (!json_is(j, JSON_OBJECT))
		return 0;
	if (look_up(policies, json_str(json_get(j, "policy")), "process.scheduler.policy", &word, err) < 0)
		return -1;
	(void)json_to_i64(json_get(j, "nice"), &nice);
	(void)json_to_i64(json_get(j, "priority"), &priority);
	s->scheduler = (struct process_scheduler){
		.size = sizeof(s->scheduler),
		.policy = word,
		.nice = (int32_t)nice,
		.priority = (uint32_t)priority,
		.runtime = u64_of(j, "runtime"),
		.deadline = u64_of(j, "deadline"),
		.period = u64_of(j, "period"),
	};
	for (size_t i = 0; i < json_len(flags); i++) {
		if (look_up(scheduler_flags, json_str(json_at(flags, i)), "process.scheduler.flags", &word,
			    err) < 0)
			return -1;
		s->scheduler.flags |= word;
	}
	s->has_scheduler = true;
	return 0;
}

static int read_io_priority(const struct json *j, struct process_setup *s, struct err **err)
{
	int64_t priority = 0;
	unsigned word;

	if (!json_is(j, JSON_OBJECT))
		return 0;
	if (look_up(io_classes, json_str(json_get(j, "class")), "process.ioPriority.class", &word, err) < 0)
		return -1;
	(void)json_to_i64(json_get(j, "priority"), &priority);
	s->io_priority = (int)(word << IO_CLASS_SHIFT) | (int)priority;
	s->has_io_priority = true;
	return 0;
}

static int read_personality(const struct json *j, struct process_setup *s, struct err **err)
{
	unsigned word;

	if (!json_is(j, JSON_OBJECT))
		return 0;
	if (look_up(domains, json_str(json_get(j, "domain")), "linux.personality.domain", &word, err) < 0)
		return -1;
	if (json_len(json_get(j, "flags")) > 0)
		return err_make(err, ERR_CORRUPT, "config.json: linux.personality.flags: none is known");
	s->personality = word;
	s->has_personality = true;
	return 0;
}

static bool has_apparmor(void)
{
	char c = 'N';
	autoclose int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static bool has_selinux(void)
{
	return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static void read_labels(const struct json *process, struct process_setup *s)
{
	const char *apparmor = json_str(json_get(process, "apparmorProfile"));
	const char *selinux = json_str(json_get(process, "selinuxLabel"));

	if (apparmor && *apparmor && has_apparmor())
		s->apparmor = xasprintf("exec %s", apparmor);
	if (selinux && *selinux && has_selinux())
		s->selinux = xstrdup(selinux);
}

static void read_groups(const struct json *list, struct process_setup *s)
{
	if (json_len(list) == 0 || !caps_has(CAP_SETGID))
		return;
	s->groups = xcalloc(json_len(list), sizeof(*s->groups));
	for (size_t i = 0; i < json_len(list); i++) {
		int64_t id = 0;

		(void)json_to_i64(json_at(list, i), &id);
		s->groups[s->n_groups++] = (gid_t)id;
	}
}

int process_setup_read(const struct json *config, struct process_setup *ret, struct err **err)
{
	const struct json *process = json_get(config, "process");
	struct process_setup s = PROCESS_SETUP_INIT;

	if (read_scheduler(json_get(process, "scheduler"), &s, err) < 0 ||
		read_io_priority(json_get(process, "ioPriority"), &s, err) < 0 ||
		read_personality(json_path(config, "linux", "personality", NULL), &s, err) < 0)
		return -1;
	read_labels(process, &s);
	read_groups(json_path(process, "user", "additionalGids", NULL), &s);
	*ret = s;
	return 0;
}

/* "0-3,7", as Linux writes lists of processors. */
static int add_cpus(const char *text, const char *property, cpu_set_t *set, struct err **err)
{
	autofree char *copy = xstrdup(text);
	char *dash = strchr(copy, '-');
	int first, last;

	if (dash)
		*dash++ = '\0';
	if (num_parse_int(copy, 0, INT32_MAX, &first) < 0 ||
		num_parse_int(dash ? dash : copy, first, INT32_MAX, &last) < 0)
		return err_make(err, ERR_CORRUPT, "config.json: %s: '%.60s' is no range of processors",
			property, text);
	if (last >= HOST_CPUS_MAX)
		return err_make(err, ERR_UNSUPPORTED, "config.json: %s: processors from %d on", property,
			HOST_CPUS_MAX);
	for (int i = first; i <= last; i++)
		CPU_SET((size_t)i, set);
	return 0;
}

static int read_cpus(const char *list, const char *property, cpu_set_t *ret, struct err **err)
{
	auto_strv ranges = STRV_INIT;

	CPU_ZERO(ret);
	strv_split(&ranges, list, ",");
	for (size_t i = 0; i < ranges.n; i++)
		if (add_cpus(ranges.v[i], property, ret, err) < 0)
			return -1;
	return 0;
}

int process_setup_read_cpus(const struct json *config, struct process_setup *s, struct err **err)
{
	const struct json *j = json_path(config, "process", "execCPUAffinity", NULL);
	const char *final = json_str(json_get(j, "final")), *initial = json_str(json_get(j, "initial"));

	if (read_cpus(final && *final ? final
		      : initial       ? initial
				      : "",
		    "process.execCPUAffinity", &s->cpus, err) < 0)
		return -1;
	s->has_cpus = CPU_COUNT(&s->cpus) > 0;
	return 0;
}

int process_pin(const struct json *config, struct err **err)
{
	const char *list = runtime_annotation(config, ANNOTATION_CPUSET);
	cpu_set_t cpus;

	if (!list || !*list)
		return 0;
	if (read_cpus(list, ANNOTATION_CPUSET, &cpus, err) < 0)
		return -1;
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		return err_make(err, ERR_UNSUPPORTED, "processors %.60s: %s", list,
			errno == EINVAL ? "none of them may be used here" : strerror(errno));
	return 0;
}

/* ---- doing ---- */

/* The next exec takes the label. AppArmor has had a place of its own since Linux 5.8, before it shared SELinux's. */
static int set_label(const char *own, const char *label)
{
	autoclose int fd = own ? open(own, O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		fd = open("/proc/self/attr/exec", O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -1 : fd_write_all(fd, label, strlen(label));
}

const char *process_setup_enter(const struct process_setup *s)
{
	if (s->groups && setgroups(s->n_groups, s->groups) < 0)
		return "process.user.additionalGids";
	if (s->has_personality && personality(s->personality) < 0)
		return "linux.personality";
	if (s->apparmor && set_label("/proc/self/attr/apparmor/exec", s->apparmor) < 0)
		return "process.apparmorProfile";
	if (s->selinux && set_label(NULL, s->selinux) < 0)
		return "process.selinuxLabel";
	return NULL;
}

int process_setup_program(const struct process_setup *s, pid_t program, struct err **err)
{
	if (s->has_io_priority && syscall(SYS_ioprio_set, IO_WHO_PROCESS, program, s->io_priority) < 0)
		return err_sys(err, errno, "process.ioPriority");
	if (s->has_scheduler && syscall(SYS_sched_setattr, program, &s->scheduler, 0) < 0)
		return err_sys(err, errno, "process.scheduler");
	return 0;
}

/* ---- what cannot be had ---- */

static int current_oom_score(void)
{
	char text[16] = "";
	autoclose int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int score = 0;

	return n > 0 && sscanf(text, "%d", &score) == 1 ? score : 0;
}

void process_unmet(const struct json *config, const struct runtime_process *p, struct strv *ret_ignored)
{
	const struct json *process = json_get(config, "process");
	const char *apparmor = json_str(json_get(process, "apparmorProfile"));
	const char *selinux = json_str(json_get(process, "selinuxLabel"));
	struct rlimit have;

	if (apparmor && *apparmor && !has_apparmor())
		strv_add(ret_ignored, "process.apparmorProfile: the kernel has no AppArmor");
	if (selinux && *selinux && !has_selinux())
		strv_add(ret_ignored, "process.selinuxLabel: the kernel has no SELinux");
	if (p->n_groups > 0 && !caps_has(CAP_SETGID))
		strv_add(ret_ignored, "process.user.additionalGids: the caller's groups stay");
	if (p->has_oom_score_adj && p->oom_score_adj < current_oom_score() && !caps_has(CAP_SYS_RESOURCE))
		strv_add(ret_ignored, "process.oomScoreAdj: lowering it takes CAP_SYS_RESOURCE");
	for (size_t i = 0; i < p->n_rlimits; i++)
		if (getrlimit(p->rlimits[i].resource, &have) == 0 && p->rlimits[i].hard > have.rlim_max)
			strv_addf(ret_ignored, "process.rlimits: %s exceeds the caller's hard limit",
				p->rlimits[i].name);
}
