/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UDOCKER_RUNSC_H
#define UDOCKER_RUNSC_H

#include "engines/engine.h"

extern const struct engine engine_runsc;

#endif
