/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between processors outside of assembly: machine_page, the size of a page, and MACHINE_PAGE_MOST, the largest there is; MACHINE_ELF; where
 * programs go; machine_code_changed(), behind which what was written is what is executed; a function for the probe. */
#ifndef UDOCKER_TRAP_MACHINE_H
#define UDOCKER_TRAP_MACHINE_H

#if defined(__x86_64__)
#include "engines/trap/machine_x86_64.h"
#elif defined(__aarch64__)
#include "engines/trap/machine_aarch64.h"
#else
#error "the trap engine knows x86-64 and aarch64"
#endif

#define PAGE_DOWN(x) ((x) & ~(machine_page - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + machine_page - 1)

#endif
