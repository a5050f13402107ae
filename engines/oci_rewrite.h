/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a bundle's config.json one that this runc or crun can run for this caller: everything that needs a privilege the caller has not
 * is replaced by what does the same without it, or left out and told. Edits a copy of the tree, so unknown fields live on.
 */
#ifndef UDOCKER_OCI_REWRITE_H
#define UDOCKER_OCI_REWRITE_H

#include "engines/engine.h"

struct err;
struct json;

/* What decides the edits besides the bundle. */
struct oci_facts {
	const char *engine,
		*version; /* "runc", "1.1.5": for messages, and for what the version does not know */
	unsigned quirks; /* enum oci_quirk_flags */
	int spec_minor; /* the engine knows the specification up to 1.N */
	bool inner; /* the caller is in a user namespace */
	bool single_id; /* the caller is root of a user namespace that maps one id */
	bool cgroups; /* a control group can be made here */
	bool may_raise; /* CAP_SYS_RESOURCE of the host: limits may be raised */
	bool host_mqueue; /* the host has /dev/mqueue */
	bool fake_root; /* the engine's seccomp filter can answer "done" */
	bool no_mqueue; /* setting runc_nomqueue, or a kernel where it fails */
	int oom_score_adj; /* the caller's */
	bool traced; /* the program will run under PRoot, in the container */
	bool shows_ids; /* which can show it other ids than it has */
	unsigned tracer_version; /* COMPAT_VERSION() of that */
};

/* What has been done to the document that others must know. */
struct oci_result {
	struct json *config; /* the caller frees it */
	bool fake_root; /* the program is root of a map of one id, and its calls succeed */
	char *filter; /* a seccomp program in base64 that the first process before a tracer installs, or NULL; the caller frees it */
};

/*
 * The rewritten document in *ret. What is lost by it is appended to `losses`, one line each; the caller of this decides whether that is
 * an error (--strict). ERR_CORRUPT for a mount that cannot be read.
 */
int oci_rewrite(const struct engine_ctx *ctx, const struct oci_facts *facts, struct strv *losses,
	struct oci_result *ret, struct err **err);

#endif
