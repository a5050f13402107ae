/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of guest_init that runs programs under libfakechroot: the library hands every program to what FAKECHROOT_ELFLOADER names, and
 * that is us. So each one is looked at before it runs: a program that the library cannot reach (static, of another C library or machine) is
 * refused in words, status 126, and never runs against the host. The others are run by the loader of the container, in its libraries alone.
 *
 *     guest_init FILE ARG…                  from the library, under the name of FAKECHROOT_ELFLOADER; FILE is a path of the host
 *     guest_init --exec NAME FILE ARG…      the same from us; NAME is what the program is called by
 *     anything else, with FAKECHROOT_BASE   in place of a static program of the container: refused; as FAKECHROOT_CMD_SUBST: success
 *
 * The library is not told that we would take a name (FAKECHROOT_ELFLOADER_OPT_ARGV0): 2.20 loses the arguments of scripts then.
 */
#ifndef UDOCKER_GUEST_LOADER_H
#define UDOCKER_GUEST_LOADER_H

#define GUEST_LOADER_EXEC "--exec"

/*
 * FAKECHROOT_LDLIBPATH, which the library keeps for every program whatever that does to its environment, is
 * "FLAGS:LIBRARY:KEEPER:DIR:DIR…": of the flags below, the library itself, guest_keep.c's, and where libraries are looked for, as the
 * host names them.
 */
#define GUEST_LOADER_PATHS "FAKECHROOT_LDLIBPATH"
#define GUEST_LOADER_ARGV0 'a' /* the container's loader has --argv0 (glibc 2.33) */
#define GUEST_LOADER_MUSL 'm' /* the library is one for musl */

#define GUEST_LOADER_REFUSED 126
/* libfakechroot 2.20 drops what exceeds 1024 words, in silence: from here on it may have. */
#define GUEST_LOADER_MAX_ARGS 1023

/* Returns if the words on the stack (the kernel's: argc, argv, environment) are not for us. */
void guest_loader_main(long *stack);

#endif
