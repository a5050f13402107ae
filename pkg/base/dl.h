/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared libraries opened when first needed: loading libcurl costs 7 ms and libarchive 3, which no program should pay at
 * start-up. A static build (UDOCKER_STATIC) links them in and dl_load() succeeds at once: tables then hold the addresses.
 */
#ifndef UDOCKER_DL_H
#define UDOCKER_DL_H

#include "pkg/base/base.h"

struct err;

struct dl_symbol {
	const char *name;
	void **slot; /* gets the address */
};

/*
 * Open `soname` and fill every slot of the table (ended by a NULL name). ERR_UNSUPPORTED with a hint that names the
 * Debian `package` when the library or a symbol is missing. Thread-safe only if the caller makes it so (pthread_once).
 */
int dl_load(const char *soname, const char *package, const struct dl_symbol *symbols, struct err **err);

#ifdef UDOCKER_STATIC
#define DL_INIT(fn) = (fn)
#else
#define DL_INIT(fn)
#endif
/* Declare a slot: DL_SLOT(archive_read_new); call it as dl_archive_read_new(). In the table: DL_ENTRY(archive_read_new). */
#define DL_SLOT(fn) static __typeof__(fn) *dl_##fn DL_INIT(fn)
#define DL_ENTRY(fn) \
	{ \
#fn, (void **)&dl_##fn \
	}
#define DL_END \
	{ \
		NULL, NULL \
	}

#endif
