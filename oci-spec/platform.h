/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms, `os/arch[/variant]`: spellings, normal form, what runs on what and which is preferred (as containerd and docker choose). */
#ifndef UDOCKER_PLATFORM_H
#define UDOCKER_PLATFORM_H

#include "pkg/base/base.h"

struct err;
struct json;

#define PLATFORM_PART_MAX 63

struct platform {
	char os[PLATFORM_PART_MAX + 1]; /* "linux"; "" where a document says nothing */
	char arch[PLATFORM_PART_MAX + 1]; /* Go's names: "amd64", "arm64", "arm" */
	char variant[PLATFORM_PART_MAX + 1]; /* "v7", or "" */
};
#define PLATFORM_TEXT_MAX (3 * (PLATFORM_PART_MAX + 1))

/* "linux/arm64/v8", "arm64", "linux", also uname's and udocker's spellings (x86_64, aarch64, armhf …). ERR_USAGE. */
int platform_parse(const char *text, struct platform *ret, struct err **err);
/* The `platform` object of a descriptor, or the top of an image config; absent members stay "". Checked lengths, ERR_CORRUPT. */
int platform_from_json(const struct json *j, const char *where, struct platform *ret, struct err **err);
void platform_to_json(const struct platform *p, struct json *object);

/* The machine: every Linux kernel counts as "linux". */
void platform_host(struct platform *ret);
/* Normal form in place: x86_64 -> amd64, aarch64 -> arm64, armhf -> arm/v7, arm64/v8 -> arm64, arm -> arm/v7 and so on. */
void platform_normalise(struct platform *p);

/* "os/arch[/variant]" into buf. */
const char *platform_text(const struct platform *p, char buf[PLATFORM_TEXT_MAX]);
bool platform_eq(const struct platform *a, const struct platform *b); /* after normalising */

/*
 * How well `have` serves `want`: 0 is exact, greater is worse, -1 does not run. arm v7 wants v7, then v6, v5; arm64 then takes arm
 * v8 … v5, amd64 takes 386, both only with `compat`. An absent variant, os or arch on either side is tolerated and ranks behind a stated one.
 */
int platform_rank(const struct platform *want, const struct platform *have, bool compat);

#endif
