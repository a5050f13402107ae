/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says of an upload. */
#include "pkg/registry/upload.h"

#include "tests/unit/tap.h"

int main(void)
{
	is_int(upload_range("0-0"), 1, "one byte, or none");
	is_int(upload_range("0-99"), 100, "the last byte is there");
	is_int(upload_range("bytes=0-99"), 100, "with the unit, as some write it");
	is_int(upload_range("1-99"), -1, "it has to begin at the start");
	is_int(upload_range("0-"), -1, "no end");
	is_int(upload_range("0--5"), -1, "a negative end");
	is_int(upload_range("0-9x"), -1, "something behind it");
	is_int(upload_range("0-99999999999999999999"), -1, "beyond 64 bits");
	is_int(upload_range(""), -1, "empty");
	is_int(upload_range(NULL), -1, "no such header");
	return tap_done();
}
