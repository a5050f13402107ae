/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a run as plain data, without a command line: what config.json is computed from, beside the image's configuration. */
#ifndef UDOCKER_BUNDLE_OPTIONS_H
#define UDOCKER_BUNDLE_OPTIONS_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct docker_options;
struct err;
struct run_options;

/*
 * Everything is borrowed: strings and vectors must outlive the call they are given to. BUNDLE_OPTIONS_INIT is a run without
 * options, which is also what config.json in a container folder is made from (with `quiet`).
 */
struct bundle_options {
	const struct docker_options *docker; /* NULL: none of them */
	const struct strv *volumes; /* HOST[:CONT[:OPTIONS]]; NULL: none */
	const struct strv *novol;
	bool nosysdirs;
	bool bindhome;
	bool dri;
	bool read_only; /* root.readonly */
	const struct strv *devices;
	const char *gpus; /* "all", or as nvidia_find() takes it; NULL: as the container is set up */

	const struct strv *env; /* KEY=VALUE or KEY (the host's value), in order */
	const struct strv *env_files;
	bool hostenv;

	const char *user; /* docker's USER; NULL: the image's, else root */
	bool hostauth; /* the host's user database instead of the container's */
	bool containerauth; /* the container's as it is: nothing is added */
	const char *hostname;

	const char *workdir; /* NULL: the image's, else the home */
	const char *entrypoint; /* NULL: the image's; "": none and no Cmd */
	const struct strv *command; /* the words behind the container; NULL or empty: the image's Cmd */
	bool nometa; /* nothing of the image's process settings */
	bool tty;
	/*
	 * A rank of a parallel job: the launcher's variables over the image's, its folders and the caller's working directory at the same place, the
	 * caller's ids instead of the image's user.
	 */
	bool mpi;
	const char *cpuset;

	const char *kernel;
	const struct strv *publish;
	bool publish_all;

	bool quiet; /* no warnings about the image: nothing is about to run */
	bool any_user; /* an image's user that cannot be found is a warning, and root: a run may name another */
};
#define BUNDLE_OPTIONS_INIT ((struct bundle_options){ 0 })

/* From a command line. Borrows from r; `command` is left NULL. */
void bundle_options_from_run(const struct run_options *r, struct bundle_options *ret);

/*
 * Judge what needs no container: that all is UTF-8, hostname, cpuset, kernel, publish, user, workdir, docker's options. ERR_USAGE. bundle_config_make() calls it; a command may
 * call it before long work.
 */
int bundle_options_check(const struct bundle_options *o, struct err **err);

/* "HPORT:CPORT", "IP:HPORT:CPORT", each with /tcp or /udp behind: the two numbers. ERR_USAGE. */
int bundle_publish_parse(const char *text, unsigned *ret_host, unsigned *ret_cont, struct err **err);

#endif
