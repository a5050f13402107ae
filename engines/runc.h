/* SPDX-License-Identifier: Apache-2.0 */
/* The engine runc, mode R1. */
#ifndef UDOCKER_RUNC_H
#define UDOCKER_RUNC_H

#include "engines/engine.h"

extern const struct engine engine_runc;

#endif
