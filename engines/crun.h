/* SPDX-License-Identifier: Apache-2.0 */
/* The engine crun, mode R1. */
#ifndef UDOCKER_CRUN_H
#define UDOCKER_CRUN_H

#include "engines/engine.h"

extern const struct engine engine_crun;

#endif
