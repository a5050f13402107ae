/* SPDX-License-Identifier: Apache-2.0 */
/* Options and steps that the commands which speak to registries share. */
#ifndef UDOCKER_CMD_IMAGE_NETWORK_H
#define UDOCKER_CMD_IMAGE_NETWORK_H

#include "cmd/udocker-image/program.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/registry/client.h"

/* First in the options struct of such a command: the table's offsets count from there. */
struct network_opts {
	const char *registry, *proxy;
	int proxy_fd; /* the proxy from the wrapper, which shows no password in our arguments */
	bool insecure;
};
extern const struct cli_option network_options[];
extern const struct cli_option *const network_more_options[];

/* A proxy that holds a password leaves the list of processes here. */
int network_settings(const struct network_opts *o, struct registry_settings *ret, struct err **err);
/* Parse a reference and open its registry. */
int network_open(const struct network_opts *o, const char *text, struct reference *ret_ref,
	struct registry **ret, struct err **err);
/* --platform into *p; *ret is p, or NULL where there is no option. */
int network_platform(const char *text, struct platform *p, const struct platform **ret, struct err **err);
/* `tags`, and `search --list-tags`: the tags of a repository, one a line or as JSON. */
int tags_print(const struct network_opts *network, const char *name, bool json, struct err **err);

#endif
