/* SPDX-License-Identifier: Apache-2.0 */
/* The ceilings of load, seen from the other side. */
#include "pkg/image/save_limits.h"

#include "oci-spec/docker_v1.h"
#include "oci-spec/index.h"
#include "pkg/base/err.h"
#include "pkg/image/save_set.h"
#include "pkg/image/source.h"

static int too_much(size_t max, const char *what, struct err **err)
{
	err_make(err, ERR_UNSUPPORTED, "more than %zu%s in an archive could not be loaded again", max, what);
	return err_hint(err, "put fewer images into one");
}

static size_t count_names(const struct save_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_groups; i++)
		n += set->groups[i].names.n;
	return n;
}

int save_limit_docker(const struct save_set *set, struct err **err)
{
	if (set->n_images > DOCKER_ARCHIVE_MAX_ITEMS)
		return too_much(DOCKER_ARCHIVE_MAX_ITEMS, " images", err);
	if (count_names(set) > DOCKER_ARCHIVE_MAX_TAGS)
		return too_much(DOCKER_ARCHIVE_MAX_TAGS, " names", err);
	return 0;
}

int save_limit_oci(const struct save_set *set, struct err **err)
{
	return save_limit_index(count_names(set), 0, err);
}

int save_limit_text(struct save_texts *t, size_t n, size_t times, struct err **err)
{
	if (n > SOURCE_TEXT_MAX) {
		err_make(err, ERR_UNSUPPORTED,
			"a document of %zu MiB, more than %zu MiB could not be loaded again", (n >> 20) + 1,
			SOURCE_TEXT_MAX >> 20);
		return err_hint(err, "its configuration, or the list of images, is too long");
	}
	for (size_t i = 0; i < times; i++) {
		t->bytes += n;
		if (t->bytes > SOURCE_TEXTS_MAX)
			return too_much(SOURCE_TEXTS_MAX >> 20, " MiB of manifests and configurations", err);
	}
	return 0;
}

int save_limit_index(size_t entries, size_t n, struct err **err)
{
	struct save_texts alone = { 0 };

	if (entries > INDEX_MAX_ITEMS)
		return too_much(INDEX_MAX_ITEMS, " names", err);
	return save_limit_text(&alone, n, 1, err);
}

int save_limit_files(size_t n, struct err **err)
{
	return n > SOURCE_FILES_MAX ? too_much(SOURCE_FILES_MAX, " files", err) : 0;
}
