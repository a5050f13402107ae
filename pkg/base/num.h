/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict numbers: the whole text must be one number, no sign where none belongs, no overflow, no
 * leading or trailing blanks. Return 0 or -1; *ret is written on success only.
 */
#ifndef UDOCKER_NUM_H
#define UDOCKER_NUM_H

#include "pkg/base/base.h"

int num_parse_u64(const char *s, uint64_t max, uint64_t *ret);
int num_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
int num_parse_u32(const char *s, uint32_t *ret);
int num_parse_int(const char *s, int min, int max, int *ret);
int num_parse_octal(const char *s, unsigned max, unsigned *ret);
int num_parse_bool(const char *s, bool *ret); /* true yes on 1, false no off 0; any case */

/* Bytes with an optional unit: 10, 64k, 2M, 1G, 3T (powers of 1024; an i, b or B may follow). */
int num_parse_size(const char *s, uint64_t *ret);

/* "17 B", "3.4 kB", "192 MB" (powers of 1000, three digits). buf of NUM_SIZE_LEN bytes. */
#define NUM_SIZE_LEN 16
const char *num_format_size(uint64_t n, char buf[NUM_SIZE_LEN]);

#endif
