/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp program (seccomp(2)) that grows by one instruction at a time. */
#ifndef UDOCKER_BPF_PROGRAM_H
#define UDOCKER_BPF_PROGRAM_H

#include <linux/filter.h>

#include "pkg/base/mem.h"

struct bpf_program {
	struct sock_filter *v; /* whoever builds it frees or passes it on */
	size_t n, cap;
};

static inline void bpf_emit(struct bpf_program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	p->v = mem_grow(p->v, &p->cap, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
}

#endif
