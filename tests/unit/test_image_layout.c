/* SPDX-License-Identifier: Apache-2.0 */
/* Image layouts: versions, blob paths, names of entries. */
#include "oci-spec/descriptor.h"
#include "oci-spec/image_layout.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "tests/unit/tap.h"

#define HEX64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void named(const char *ref, const char *containerd, const char *want_name, const char *want_tag)
{
	struct descriptor d = { .annotations = json_new_object() };
	char *name, *tag;

	json_set_str(d.annotations, ANNOTATION_REF_NAME, ref);
	json_set_str(d.annotations, ANNOTATION_CONTAINERD_NAME, containerd);
	image_layout_names(&d, &name, &tag);
	is_str(name, want_name, "full name");
	is_str(tag, want_tag, "tag");
	free(name);
	free(tag);
	json_free(d.annotations);
}

static int check(const char *text)
{
	auto_json *j = NULL;

	if (json_parse(text, strlen(text), "oci-layout", NULL, &j, NULL) < 0)
		return -2;
	return image_layout_check(j, NULL);
}

int main(void)
{
	struct digest d;
	autofree char *path = NULL;

	is_int(check("{\"imageLayoutVersion\":\"1.0.0\"}"), 0, "version 1.0.0");
	is_int(check("{\"imageLayoutVersion\":\"2.0.0\"}"), -1, "version 2");
	is_int(check("{}"), -1, "no version");
	is_int(check("[]"), -1, "no object");
	(void)digest_parse("sha256:" HEX64, &d, NULL);
	path = image_layout_blob_path(&d);
	is_str(path, "blobs/sha256/" HEX64, "blob path");
	ok(image_layout_is_blob("./blobs/sha256/" HEX64, &d), "the way back");
	ok(!image_layout_is_blob("blobs/sha256/" HEX64 "/x", &d), "nothing below");
	ok(!image_layout_is_blob("blobs/sha256/..", &d), "no dots");
	ok(!image_layout_is_blob("blobs/", &d) && !image_layout_is_blob("blob", &d), "short ones");

	named("1.2", NULL, NULL, "1.2");
	named("latest", "docker.io/library/busybox:latest", "busybox:latest", "latest");
	named("1", "quay.io/org/app:1", "quay.io/org/app:1", "1");
	named("2", "quay.io/org/app:1", NULL, "2");
	named(NULL, "docker.io/org/app:1", "org/app:1", NULL);
	named("org/app:3", NULL, "org/app:3", NULL);
	named("docker.io/library/x:3", NULL, "x:3", NULL);
	named("x:3", "docker.io/library/x:3", "x:3", NULL);
	named("docker.io/x:3", "docker.io/library/x:3", "docker.io/x:3", NULL);
	named("y:3", "docker.io/library/x:3", "x:3", NULL);
	named("a/b@sha256:" HEX64, "docker.io/a/b@sha256:" HEX64, "a/b@sha256:" HEX64, NULL);
	named("docker.io/a/b@sha256:" HEX64, NULL, "a/b@sha256:" HEX64, NULL);
	named("a/b@sha256:1", NULL, NULL, NULL);
	named("org/app", NULL, NULL, NULL);
	named("../../etc:1", "../x:2", NULL, NULL);
	named("a b", NULL, NULL, NULL);
	named(NULL, NULL, NULL, NULL);
	return tap_done();
}
