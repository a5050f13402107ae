/* SPDX-License-Identifier: Apache-2.0 */
/* reference: what is accepted is a safe path below repos/, reads back as itself and can be asked of a registry. */
#include "oci-spec/image_layout.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_remote(const struct reference *r)
{
	struct reference_remote remote = REFERENCE_REMOTE_INIT;

	reference_remote(r, &remote);
	must(*remote.host && *remote.repository && *remote.what);
	must(path_is_plain(remote.repository) && !strchr(remote.what, '/'));
	reference_remote_free(&remote);
}

static void check_old(const struct reference *r)
{
	auto_strv dirs = STRV_INIT;

	reference_old_dirs(r, &dirs);
	for (size_t i = 0; i < dirs.n; i++)
		must(path_is_plain(dirs.v[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmemdup(data, size), *dir = NULL, *show = NULL,
		      *familiar = image_layout_familiar(text);
	autofree char *old_name = NULL, *old_tag = NULL;
	auto_reference r = REFERENCE_INIT, again = REFERENCE_INIT, stored = REFERENCE_INIT;
	auto_err *err = NULL;

	if (reference_from_old_dir(text, &old_name, &old_tag))
		must(reference_name_is_valid(old_name) && reference_tag_is_valid(old_tag));
	if (reference_parse(text, &r, &err) < 0) {
		must(err_is(err, ERR_USAGE) && !strchr(err_text(err), '\n') && !r.name);
		return 0;
	}
	must(reference_name_is_valid(r.name) && path_is_plain(r.name) && path_is_plain(r.tag) &&
		!strchr(r.tag, '/'));
	for (const char *c = r.name; *c; c++)
		must(*c > ' ' && *c < 0x7f);
	dir = reference_dir(&r);
	must(path_is_plain(dir));
	show = reference_show(&r);
	must(reference_parse(show, &again, NULL) == 0 && str_eq(again.name, r.name) &&
		str_eq(again.tag, r.tag));
	must(reference_from_store(r.name, r.tag, &stored, NULL) == 0 && stored.has_host == r.has_host);
	check_remote(&r);
	check_old(&r);
	return 0;
}
