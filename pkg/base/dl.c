/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a shared library late and resolving a table of its functions. The library stays open to the end. */
#include "pkg/base/dl.h"

#include <dlfcn.h>

#include "pkg/base/err.h"

#ifdef UDOCKER_STATIC

int dl_load(const char *soname, const char *package, const struct dl_symbol *symbols, struct err **err)
{
	(void)soname;
	(void)package;
	(void)symbols;
	(void)err;
	return 0;
}

#else

static void clear_slots(const struct dl_symbol *symbols)
{
	for (const struct dl_symbol *s = symbols; s->name; s++)
		*s->slot = NULL;
}

int dl_load(const char *soname, const char *package, const struct dl_symbol *symbols, struct err **err)
{
	void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		err_make(err, ERR_UNSUPPORTED, "cannot load the library %s: %s", soname, dlerror());
		return err_hint(err, "install the package %s", package);
	}
	for (const struct dl_symbol *s = symbols; s->name; s++) {
		*s->slot = dlsym(lib, s->name);
		if (*s->slot)
			continue;
		err_make(err, ERR_UNSUPPORTED, "the library %s has no function %s", soname, s->name);
		clear_slots(symbols);
		dlclose(lib);
		return err_hint(err, "install a newer version of the package %s", package);
	}
	return 0;
}

#endif
