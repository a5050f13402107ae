/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of fake root (fake_root.h) as a seccomp program ready to be installed: where a runtime takes one, it need not compile a
 * profile of the same meaning, which costs it more than half a millisecond at each start.
 */
#ifndef UDOCKER_FAKE_ROOT_FILTER_H
#define UDOCKER_FAKE_ROOT_FILTER_H

#include "engines/fake_root.h"
#include "pkg/base/base.h"

struct sock_filter;

/*
 * ERRNO(0) for the calls of `part` about other ids and for nodes of devices, ALLOW for everything else, of all ABIs of this machine; `capset`: that
 * call, too. The caller frees it; NULL with *ret_len 0 on machines whose numbers are not in the tables.
 */
struct sock_filter *fake_root_filter_build(enum fake_root_part part, bool capset, size_t *ret_len);

#endif
