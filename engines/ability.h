/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel lets this caller have beyond what an engine does by itself. Nothing is changed. */
#ifndef UDOCKER_ABILITY_H
#define UDOCKER_ABILITY_H

#include "engines/engine.h"

/*
 * What can keep a program from writing: mounts for who may make a mount namespace and mount in it, else Landlock from its second version on
 * (Linux 5.19; the first refuses every rename from one directory to another). Found out once.
 */
enum engine_guard ability_guard(void);

/* May it make network, IPC, UTS and control group namespaces and enter others? Found out once. */
bool ability_namespaces(void);

/* The version of Landlock that is in force here, 0: none. */
#define LANDLOCK_REFER 2 /* renames from one directory to another can be allowed: Linux 5.19 */
#define LANDLOCK_TRUNCATE 3 /* truncate() is kept from too: Linux 6.2 */
int ability_landlock(void);

#endif
