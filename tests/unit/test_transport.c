/* SPDX-License-Identifier: Apache-2.0 */
/* The names of copy's sources and destinations. */
#include "pkg/image/transport.h"

#include "pkg/base/err.h"
#include "tests/unit/tap.h"

static void good(const char *text, enum transport_kind kind, const char *path, const char *name)
{
	auto_transport t = { 0 };

	ok(transport_parse(text, &t, NULL) == 0, "%s", text);
	is_int(t.kind, kind, "its kind");
	is_str(t.path, path, "its path");
	is_str(t.name, name, "its name");
}

static void bad(const char *text)
{
	auto_transport t = { 0 };
	auto_err *e = NULL;

	ok(transport_parse(text, &t, &e) < 0 && err_is(e, ERR_USAGE), "%s", text);
}

int main(void)
{
	good("docker://localhost:5000/a/b:1", TRANSPORT_REGISTRY, NULL, "localhost:5000/a/b:1");
	good("docker://a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
		TRANSPORT_REGISTRY, NULL,
		"a@sha256:0123456789012345678901234567890123456789012345678901234567890123");
	good("store:a:1", TRANSPORT_STORE, NULL, "a:1");
	good("oci:/x/y", TRANSPORT_OCI, "/x/y", NULL);
	good("oci:dir:repo/name:tag", TRANSPORT_OCI, "dir", "repo/name:tag");
	good("oci-archive:f.tar:1", TRANSPORT_OCI_ARCHIVE, "f.tar", "1");
	good("docker-archive:f.tar:a/b:2", TRANSPORT_DOCKER_ARCHIVE, "f.tar", "a/b:2");
	bad("");
	bad("docker:a");
	bad("docker://");
	bad("docker://a b");
	bad("store:");
	bad("oci:");
	bad("oci:dir:");
	bad("oci::tag");
	bad("oci:dir:a\nb");
	bad("docker-archive:f:UP PER");
	bad("dir:x");
	bad("OCI:x");
	return tap_done();
}
