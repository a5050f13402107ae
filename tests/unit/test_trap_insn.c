/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths of x86-64 instructions, and padding behind functions that nothing reaches. */
#include "engines/trap/insn.h"

#include "tests/unit/tap.h"

struct sample {
	const char *bytes;
	size_t n;
	enum insn_kind kind;
	const char *what;
};
#define SAMPLE(bytes, kind, what) \
	{ \
		bytes, sizeof(bytes) - 1, kind, what \
	}

static const struct sample samples[] = {
	SAMPLE("\x90", INSN_PAD, "nop"),
	SAMPLE("\xf3\x90", INSN_OTHER, "pause"),
	SAMPLE("\xcc", INSN_PAD, "int3"),
	SAMPLE("\xc3", INSN_END, "ret"),
	SAMPLE("\xf3\xc3", INSN_END, "repz ret"),
	SAMPLE("\xc2\x08\x00", INSN_END, "ret $8"),
	SAMPLE("\xe9\x00\x01\x02\x03", INSN_END, "jmp"),
	SAMPLE("\xeb\x10", INSN_END, "jmp short"),
	SAMPLE("\xff\xe0", INSN_END, "jmp *%rax"),
	SAMPLE("\x3e\xff\xe0", INSN_END, "notrack jmp *%rax"),
	SAMPLE("\xff\x25\x00\x00\x00\x00", INSN_END, "jmp *0(%rip)"),
	SAMPLE("\xff\x15\x00\x00\x00\x00", INSN_OTHER, "call *0(%rip)"),
	SAMPLE("\xf4", INSN_END, "hlt"),
	SAMPLE("\x0f\x0b", INSN_END, "ud2"),
	SAMPLE("\x0f\x05", INSN_OTHER, "syscall"),
	SAMPLE("\x0f\x1f\x00", INSN_PAD, "nopl (%rax)"),
	SAMPLE("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00", INSN_PAD, "cs nopw 0(%rax,%rax,1)"),
	SAMPLE("\xf3\x0f\x1e\xfa", INSN_OTHER, "endbr64"),
	SAMPLE("\xb8\x01\x01\x00\x00", INSN_OTHER, "mov $0x101,%eax"),
	SAMPLE("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", INSN_OTHER, "movabs"),
	SAMPLE("\x48\xc7\xc0\x0f\x00\x00\x00", INSN_OTHER, "mov $15,%rax"),
	SAMPLE("\x66\xc7\x00\x01\x02", INSN_OTHER, "movw $0x201,(%rax)"),
	SAMPLE("\x48\x3d\x01\xf0\xff\xff", INSN_OTHER, "cmp $-4095,%rax"),
	SAMPLE("\x77\x05", INSN_OTHER, "ja"),
	SAMPLE("\x0f\x87\x00\x00\x00\x00", INSN_OTHER, "ja near"),
	SAMPLE("\x64\x89\x02", INSN_OTHER, "mov %eax,%fs:(%rdx)"),
	SAMPLE("\x64\x48\x8b\x04\x25\x28\x00\x00\x00", INSN_OTHER, "mov %fs:0x28,%rax"),
	SAMPLE("\x48\x8d\x4c\x24\x08", INSN_OTHER, "lea 8(%rsp),%rcx"),
	SAMPLE("\x8b\x84\x24\x00\x01\x00\x00", INSN_OTHER, "mov 0x100(%rsp),%eax"),
	SAMPLE("\x8b\x04\x8d\x00\x00\x00\x00", INSN_OTHER, "mov 0(,%rcx,4),%eax"),
	SAMPLE("\xf6\x45\x08\x01", INSN_OTHER, "testb $1,8(%rbp)"),
	SAMPLE("\xf7\xd8", INSN_OTHER, "neg %eax"),
	SAMPLE("\xf7\xc1\x01\x00\x00\x00", INSN_OTHER, "test $1,%ecx"),
	SAMPLE("\xf0\x0f\xb1\x11", INSN_OTHER, "lock cmpxchg %edx,(%rcx)"),
	SAMPLE("\x0f\xba\xe0\x03", INSN_OTHER, "bt $3,%eax"),
};

static void test_lengths(void)
{
	uint8_t code[32];

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		enum insn_kind kind = INSN_OTHER;

		memset(code, 0x90, sizeof(code));
		memcpy(code, s->bytes, s->n);
		is_int(insn_length(code, sizeof(code), &kind), s->n, s->what);
		ok(kind == s->kind, "  its kind");
		is_int(insn_length((const uint8_t *)s->bytes, s->n - 1, &kind), 0,
			"  not known by a part of it");
	}
	is_int(insn_length((const uint8_t *)"\xc5\xf8\x77", 3, &(enum insn_kind){ 0 }), 0,
		"VEX is not known");
	is_int(insn_length((const uint8_t *)"\x62\xf1\x7c", 3, &(enum insn_kind){ 0 }), 0, "nor is EVEX");
}

/* `code` stands at an address that is 4 above a multiple of 16, with 0x90 behind it to the end of 32 bytes. */
static size_t padding(const char *code, size_t n, size_t reach)
{
	uint8_t all[28];

	memset(all, 0x90, sizeof(all));
	memcpy(all, code, n);
	return insn_find_padding(all, sizeof(all), 0x1004, reach);
}
#define PADDING(code, reach) padding(code, sizeof(code) - 1, reach)

static void test_padding(void)
{
	is_int(PADDING("\x85\xc0\xc3", 127), 3, "nops behind a ret, before an aligned address");
	is_int(PADDING("\x85\xc0\xc3", 2), 0, "out of reach");
	is_int(PADDING("\x85\xc0\x0f\x05", 127), 0, "none behind what goes on");
	is_int(PADDING("\xb8\xc3\xc3\xc3\xc3\x85\xc0\x31\xd2\x31\xf6", 127), 0,
		"0xc3 within another instruction is no ret");
	is_int(PADDING("\x31\xc0\x31\xc0\x31\xc0\x31\xc0\xc3", 127), 0, "three bytes are too few for a jump");
	is_int(PADDING("\xc3\x0f\x1f\x44\x00\x00\x0f\x1f\x44\x00\x00\x90", 127), 1, "nops of several bytes");
	is_int(PADDING("\xc3\x90\x90\x90\x90\x90\x31\xc0\x90\x90\x90\x90", 127), 0,
		"nops that end before an address that is not aligned lead somewhere");
	is_int(PADDING("\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x85\xc0\xc3\x0f\x1f\x44\x00\x00\x31"
		       "\xc0",
		       127),
		15, "nops within a function, before a multiple of 8");
	is_int(PADDING("\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x90\xc3\x0f\x1f\x84\x00\x00\x00\x00\x00\x31"
		       "\xc0\x31\xc0",
		       127),
		0, "but not those that a function begins with");
	is_int(PADDING("\xc5\xf8\x77\xc3", 127), 0, "behind an instruction that is not known nothing is");
	is_int(PADDING("\xc3\x31\xc0\xeb\xfb\xcc\xcc\xcc\xcc\xcc\xcc\xcc", 127), 5, "int3 behind a jump");
}

int main(void)
{
	test_lengths();
	test_padding();
	return tap_done();
}
