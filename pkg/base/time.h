/* SPDX-License-Identifier: Apache-2.0 */
/* Times: RFC 3339 in UTC, and a clock that only goes forward. SOURCE_DATE_EPOCH is honoured by time_now(). */
#ifndef UDOCKER_TIME_H
#define UDOCKER_TIME_H

#include "pkg/base/base.h"

#define TIME_RFC3339_LEN 40

int64_t time_now_ns(void); /* wall clock, ns since 1970 */
int64_t time_monotonic_ns(void);
/* "2026-11-22T10:00:00.123456789Z", without a fraction when it is 0. */
const char *time_format_rfc3339(int64_t ns, char buf[TIME_RFC3339_LEN]);
int time_parse_rfc3339(const char *text, int64_t *ret_ns); /* with offsets and fractions; 0 or -1 */
/* "3 days ago", for listings. */
void time_format_ago(int64_t ns, char *buf, size_t n);

#endif
