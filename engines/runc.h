/* SPDX-License-Identifier: Apache-2.0 */
/* The engine runc, modes R1, R2 and R3. */
#ifndef UDOCKER_RUNC_H
#define UDOCKER_RUNC_H

#include "engines/engine.h"

extern const struct engine engine_runc;

#endif
