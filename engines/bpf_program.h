/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp program (seccomp(2)) that grows by one instruction at a time. */
#ifndef UDOCKER_BPF_PROGRAM_H
#define UDOCKER_BPF_PROGRAM_H

#include <linux/filter.h>
#include <linux/seccomp.h>

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

/* The program that decides as `a` does, and where that allows a call, as `b`. The caller frees it. */
static inline struct sock_filter *bpf_chain(
	const struct sock_filter *a, size_t n_a, const struct sock_filter *b, size_t n_b)
{
	struct bpf_program p = { 0 };

	for (size_t i = 0; i < n_a; i++) {
		bool allows = a[i].code == (BPF_RET | BPF_K) && a[i].k == SECCOMP_RET_ALLOW;

		if (allows)
			bpf_emit(&p, BPF_JMP | BPF_JA, 0, 0, (uint32_t)(n_a - i - 1));
		else
			bpf_emit(&p, a[i].code, a[i].jt, a[i].jf, a[i].k);
	}
	for (size_t i = 0; i < n_b; i++)
		bpf_emit(&p, b[i].code, b[i].jt, b[i].jf, b[i].k);
	return p.v;
}

#endif
