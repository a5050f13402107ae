/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of an execution engine, the whole contract between pkg/runtime and engines/. A new engine is one file and one
 * line in engines.c. Lifecycle (states, pid files, hooks, signals) is pkg/runtime's and not here.
 */
#ifndef UDOCKER_ENGINE_H
#define UDOCKER_ENGINE_H

#include <sys/types.h>

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;

enum engine_kind {
	ENGINE_DIRECT, /* we own the process: plan gives an argv */
	ENGINE_DELEGATE, /* an OCI runtime does: plan gives a rewritten config and an argv prefix */
};

enum engine_how { ENGINE_APPLIES, ENGINE_EMULATES, ENGINE_IGNORES, ENGINE_REFUSES };

/* Options of `run` beside these properties, in their own words. */
#define ENGINE_PUBLISH "--publish"
#define ENGINE_KERNEL "--kernel"
/* A note that begins so is told to everybody: the programs do not run without what it says. */
#define ENGINE_NOTE_PLATFORM "--platform: "

/* What an engine does with one property of config.json ("linux.namespaces.pid", "process.rlimits", "root.readonly"). */
struct engine_answer {
	const char *property; /* ended by NULL */
	enum engine_how how;
	const char *note; /* for udocker-engines(7) and warnings: why, or how it differs */
};

/*
 * What an answer takes of the machine and the caller, for engines without namespaces and mounts of their own: see ability.h. Where it is not
 * to be had, `otherwise` is the answer.
 */
enum engine_needs { ENGINE_NEEDS_GUARD, ENGINE_NEEDS_MOUNTS, ENGINE_NEEDS_NAMESPACES };
struct engine_condition {
	enum engine_needs needs;
	struct engine_answer otherwise; /* property NULL: the table's end */
};

/* How the runtime keeps the program of a direct engine from writing. */
enum engine_guard {
	ENGINE_GUARD_NONE,
	ENGINE_GUARD_LANDLOCK, /* by a list of what may be written in: nothing within that can be taken out */
	ENGINE_GUARD_MOUNTS, /* by read-only mounts in a mount namespace of its own */
};

/* What probing found. Writes nothing, and stops at the first executable that will do. */
struct engine_probe {
	bool available;
	char *path; /* executable, absolute */
	char *version; /* "5.1.0" */
	unsigned flags; /* the engine's own ENUM: switches and quirks found */
	char *reason; /* one line: why not, or a remark on how it works here ("no seccomp acceleration: P1 is P2") */
	char *remedy; /* what would change that, or NULL */
	struct engine_probe
		*inside; /* of the tracer that a delegate's program runs under (R2, R3), or NULL */
};
void engine_probe_free(struct engine_probe *p);
#define auto_engine_probe CLEANUP(engine_probe_free) struct engine_probe

/* The container to be started, as pkg/runtime sees it. */
struct engine_ctx {
	const char *mode; /* "P1" */
	const char *bundle; /* absolute */
	const char *rootfs; /* absolute, checked to be a directory */
	const struct json *config; /* config.json, checked by runtime_config_check(); never changed */
	const char *
		state_dir; /* private directory of this container: where a delegate's rewritten bundle will lie. Not written by plan */
	const char *guest_init; /* host path of our static first program (direct engines) */
	struct strv env; /* what the engine itself needs of the caller's environment: engine_collect_env() */
	bool no_fake_root;
	bool strict;
	bool checked; /* the answers have been looked at: the plan need not */
	bool interactive; /* run in the foreground */
	bool looks; /* ROOT has not been prepared for this plan: a dry run, or a further program */
	enum engine_guard guard; /* for direct engines */
	bool has_uts; /* a direct engine's program has a UTS namespace of its own, with its names */
	uid_t uid; /* the true effective ids of the caller */
	gid_t gid;
};

/* Something that must exist before the engine starts, below state_dir: a file, a symbolic link, or else an empty directory. */
struct engine_make {
	char *path; /* absolute */
	char *target; /* of a symbolic link, or NULL */
	const char *content; /* of a file, static; or NULL */
};

/* What guest_init runs: as the configuration says, and after engine_entry.enter() as the host names it. Owns its strings. */
struct engine_program {
	char *file; /* where the program was found, or NULL */
	char *cwd;
	struct strv args, env;
};

/* The way of a program into a root file system that neither the kernel nor a tracer shows it (Fakechroot). */
struct engine_entry {
	/* ERR_UNSUPPORTED for a program that could not be confined, ERR_NOT_FOUND, ERR_DENIED. Writes nothing. */
	int (*enter)(const struct engine_entry *entry, struct engine_program *program, struct err **err);
	int (*make)(const struct engine_entry *entry, struct err **err); /* a part of engine_plan_make() */
	void (*free)(struct engine_entry *entry);
};

struct engine_plan {
	/* ---- direct ---- */
	/* argv[0] is the executable's path; ends with what precedes guest_init's own arguments. */
	struct strv argv;
	struct strv env; /* of the engine process, not of the program: guest_init sets that */
	char *cwd; /* host directory to start the engine in, or NULL */
	char *init_path; /* under which guest_init is reached inside; already the last word of argv */
	struct sock_filter *filter; /* seccomp program for the engine process, or NULL */
	size_t filter_len;
	/* Stand-ins for tmpfs mounts and masked directories, detours for names with ':'. See engine_plan_make(). */
	struct engine_make *makes;
	size_t n_makes, makes_cap;
	struct strv sources; /* host paths that must be there, which the engine would leave out in silence */
	/* With a Landlock guard: the host's hierarchies that may be written in; empty: all, nothing is to be read-only. */
	struct strv writable;
	/* With mounts: each source (absolute, without links where it is there) is to be bound read-only at its target: itself, or one of makes. */
	struct strv readonly_sources, readonly_targets;
	struct engine_entry *entry; /* NULL: what the configuration says is what is run */
	/* The engine does not keep the promise of section 6: the waiting child stays as a supervisor. */
	bool supervise;
	bool in_place; /* the engine's process becomes the program: there is no tracer */
	bool alone; /* in_place, and it needs nobody: a created container's first process can become it, without a supervisor */
	bool leaves; /* the engine's process ends when guest_init has detached itself: the program runs without it */
	bool helpers; /* what the engine does first takes privileges: capabilities are its business, no_new_privs is guest_init's to set */
	bool mount_points; /* targets of mounts must be in ROOT: mountpoints_make() */
	bool try_mount_points; /* it can do without, but then they are in no list of files */
	/* ---- delegate ---- */
	struct json *config; /* the rewritten config.json */
	bool cgroups; /* it may make control groups */
	bool guard_devices; /* it would change the owner of devices among the caller's standard streams */
	bool config_in_bundle; /* it is given the rewritten bundle, so hooks would be told of that one */
	bool userns; /* it makes no user namespace for an ordinary caller: it is started in one that is made for it */
	bool own_kernel; /* the container's processes are not the host's, which sees a sandbox alone */
	bool fd_gaps; /* preserved descriptors that are not open are no error to it */
	bool no_path; /* to make the container it is to find no programs: see QUIRK_MAPS_ALONE */
	/* argv before the verb: runtime, global options, with --root STATE_DIR/delegate; more may follow (--log). */
	struct strv prefix;
	/* The words before the program's own where a tracer runs in the container, and those about ids: see engine_trace_process(). */
	struct strv tracer, tracer_ids;
	/* ---- both ---- */
	struct strv notes; /* what was ignored or emulated, for the log and --dry-run */
};
void engine_plan_free(struct engine_plan *p);

/*
 * Make what plan->makes lists; what is there already is left (a second program of the same container plans again). The only
 * part of planning that writes, and only below state_dir, which `delete` removes with all it holds, or mount points into ROOT.
 * ERR_ENGINE when one of plan->sources is missing.
 */
int engine_plan_make(const struct engine_plan *plan, struct err **err);
/*
 * A path below state_dir for something to be made, a link to `target` unless that is NULL; the plan owns it. The order of planning makes it the
 * same in every run of one config.
 */
const char *engine_plan_add_make(struct engine_plan *plan, const char *state_dir, const char *target);
#define auto_engine_plan CLEANUP(engine_plan_free) struct engine_plan

/* Put a tracer's words (engine_plan.tracer, tracer_ids) before those of a process object. */
void engine_trace_process(struct json *process, const struct strv *tracer, const struct strv *ids);
/* The same for a further program of the container; `first`: its own process object, which `ids` was made for. */
void engine_trace_further(
	struct json *process, const struct json *first, const struct strv *tracer, const struct strv *ids);

struct engine {
	const char *name; /* --engine, annotations, man page */
	const char *const *modes; /* NULL-terminated */
	enum engine_kind kind;
	bool on_request; /* `auto` never takes it */
	bool large; /* its program takes long to start */
	/* Why it does not run the programs of this ROOT, where `auto` is to look for another; caller frees. NULL: it does, or there is nothing to ask. */
	char *(*misfit)(const char *rootfs);
	const struct engine_answer *answers;
	const struct engine_condition *conditions; /* or NULL */
	int (*probe)(const char *mode, struct engine_probe *ret, struct err **err);
	/* Make ROOT fit this mode, and undo it; NULL where there is nothing to do. Idempotent and resumable after a crash. */
	int (*prepare)(const struct engine_ctx *ctx, struct err **err);
	int (*restore)(const struct engine_ctx *ctx, struct err **err);
	/* Pure: from config and probe to the plan. Fails for a property that it REFUSES, naming it. */
	int (*plan)(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
		struct err **err);
};

/* ---- engines.c ---- */
/* NULL-terminated, in the order of `auto`: crun, runc, runsc, trap, proot; what `auto` never takes stands behind. */
extern const struct engine *const engine_table[];
const struct engine *engine_by_name(const char *name);
const struct engine *engine_by_mode(const char
		*mode); /* the first choice for it (R1: runc, then crun, then runsc); case-sensitive "P1" */
bool engine_mode_is_valid(const char *mode); /* P1 P2 F1 F2 F3 F4 R1 R2 R3 S1 T1 T2 */

/*
 * Where probes are remembered ("<state root>/probes", copied; made 0700 when first written), so that a start does not run the
 * engine to learn what it is. Keyed by device, inode, size, times of the executable, the kernel and its settings that matter.
 * NULL or never called: nothing is remembered. What does not work is not remembered. A broken or foreign file is replaced.
 */
void engine_set_cache_dir(const char *dir);

/* Copy what engines need of our own environment into ctx->env: PROOT_*, LD_LIBRARY_PATH, PATH, TMPDIR. */
void engine_collect_env(struct strv *ret);

/* How the engine handles a property (longest dotted prefix in its answers; IGNORES if there is none). */
const struct engine_answer *engine_answer_for(const struct engine *e, const char *property);

/* The same for this caller on this machine. */
const struct engine_answer *engine_answer_here(const struct engine *e, const char *property);

/* The properties of this config that the engine does not apply, as "property: note" lines; true if any is refused. */
bool engine_unmet(const struct engine *e, const struct json *config, struct strv *ret_ignored,
	struct strv *ret_refused);

/*
 * A file beside the bundle's `execmode`, of its form: a change of the mode is under way, and ROOT may be in between. It names the one of both modes
 * that has changed ROOT, and goes when the change is complete. Runs are refused meanwhile.
 */
#define ENGINE_MODE_NEXT "execmode.next"

/* Where the choice came from, for --dry-run and errors. */
struct engine_request {
	const char *switch_engine; /* --engine, or NULL */
	const char *switch_mode; /* --execmode, or NULL */
	const char *fallback_mode; /* the built-in default: "P1"; NULL: "auto" */
	const char *
		auto_mode; /* what `auto` is found to mean here (engine_light_mode()); NULL or "auto": as below */
};
struct engine_choice {
	const struct engine *engine;
	char mode[4];
	struct engine_probe probe;
	char *why; /* "annotation org.udocker.execmode", "auto: crun refuses hybrid cgroups; runc works" */
};
/*
 * The selection order of cli(7): switch, annotation, `execmode` file of the bundle (open directory bundle_fd), environment and
 * udocker.conf (CONF_DEFAULT_EXECUTION_MODE), fallback; `auto` anywhere in it takes the first engine that works and applies everything, else the first
 * that works. Probing stops at the first hit. ERR_ENGINE with the reason and remedy when the chosen one does not work here.
 */
int engine_choose(const struct engine_request *req, const struct json *config, int bundle_fd,
	struct engine_choice *ret, struct err **err);
void engine_choice_free(struct engine_choice *c);

/*
 * What `auto` means to a caller who asks for no namespaces, as the wrapper udocker: "T1" where the trap engine works here and runs the programs of
 * this ROOT (on x86-64), else "P1" where that works, else the first mode that does. NULL: none does, and engine_choose() says why.
 */
const char *engine_light_mode(const char *rootfs);

/* One row per engine and mode for the doctor (`udocker-runtime engines`): probes everything, the engines at once. */
struct engine_report {
	const struct engine *engine;
	const char *mode;
	struct engine_probe probe;
	bool is_auto; /* what `auto` would take for a plain bundle */
};
int engine_report_all(struct engine_report **ret, size_t *ret_n, struct err **err);
void engine_report_free(struct engine_report *r, size_t n);

#endif
