/* SPDX-License-Identifier: Apache-2.0 */
/* Where patchelf is, and one call of it. */
#include "engines/patchelf.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engines/find.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define TIMEOUT_MS 60000
#define OUTPUT_MAX ((size_t)64 << 10)
#define GROWTH_MAX ((uint64_t)64 << 20) /* paths, and segments aligned to pages of any size */
#define MEMORY_MAX ((uint64_t)4 << 30)
#define PROGRAM_MAX ((size_t)16 << 20)

char *patchelf_find(struct err **err)
{
	static const char *const names[] = { "patchelf", NULL }, *const bundled[] = { "patchelf-%",
		"patchelf", NULL };
	static const struct find_rule rule = {
		.setting = CONF_USE_PATCHELF_EXECUTABLE, .names = names, .bundled = bundled
	};
	autofree char *why = NULL;
	char *path = find_executable(&rule, &why);

	if (!path) {
		err_make(err, ERR_ENGINE, "patchelf: %s", why);
		err_hint(err, "install patchelf (Debian: apt install patchelf), or choose F1 or F2");
	}
	return path;
}

int patchelf_run(
	const char *patchelf, const struct strv *options, const char *file, off_t size, struct err **err)
{
	auto_strv argv = STRV_INIT;
	auto_str out = STR_INIT;
	const struct proc_limit limits[] = { { RLIMIT_FSIZE, (uint64_t)size + GROWTH_MAX },
		{ RLIMIT_AS, MEMORY_MAX } };
	struct proc_spawn s = PROC_SPAWN_INIT;
	int status = 0, r;

	strv_add(&argv, patchelf);
	for (size_t i = 0; i < options->n; i++)
		strv_add(&argv, options->v[i]);
	strv_add(&argv, file);
	s.path = patchelf;
	s.argv = strv_argv(&argv);
	s.fd_in = s.fd_err = PROC_NULL;
	s.limits = limits;
	s.n_limits = ARRAY_LEN(limits);
	r = proc_capture(&s, OUTPUT_MAX, TIMEOUT_MS, &out, &status, err);
	if (r == 0 && status != 0)
		r = err_make(err, ERR_ENGINE, "patchelf ended with status %d", status);
	return r;
}

bool patchelf_has_prefixes(const char *patchelf)
{
	static const char option[] = "--set-root-prefix";
	autoclose int fd = open(patchelf, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_str bytes = STR_INIT_MAX(PROGRAM_MAX);

	return fd >= 0 && fd_read_text(fd, PROGRAM_MAX, &bytes, patchelf, NULL) == 0 && bytes.len &&
	       memmem(bytes.data, bytes.len, option, strlen(option));
}
