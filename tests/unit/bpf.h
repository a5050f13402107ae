/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests of seccomp programs: what they decide, interpreted as the kernel does. */
#ifndef UDOCKER_TEST_BPF_H
#define UDOCKER_TEST_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "pkg/base/base.h"

#define BPF_BROKEN \
	0xdead0000u /* what a kernel would not load, or an instruction that none of our programs has */

static uint32_t bpf_loaded; /* a bit for each word of seccomp_data that the last run has looked at */

static inline uint32_t bpf_run(const struct sock_filter *program, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0;

	bpf_loaded = 0;
	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter f = program[pc];
		bool yes = false;

		switch (f.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f.k > sizeof(*data) - 4)
				return BPF_BROKEN;
			memcpy(&a, (const char *)data + f.k, sizeof(a));
			bpf_loaded |= 1u << (f.k / 4);
			continue;
		case BPF_LD | BPF_IMM:
			a = f.k;
			continue;
		case BPF_RET | BPF_K:
			return f.k;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f.k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += f.k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == f.k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= f.k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > f.k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = a & f.k;
			break;
		default:
			return BPF_BROKEN;
		}
		pc += yes ? f.jt : f.jf;
	}
	return BPF_BROKEN;
}

#endif
