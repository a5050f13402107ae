/* SPDX-License-Identifier: Apache-2.0 */
/* The engine crun, modes R1, R2 and R3. */
#ifndef UDOCKER_CRUN_H
#define UDOCKER_CRUN_H

#include "engines/engine.h"

extern const struct engine engine_crun;

#endif
