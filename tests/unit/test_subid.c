/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of subuid(5). */
#include "pkg/base/subid.h"
#include "tests/unit/tap.h"

int main(void)
{
	static const char text[] =
		"ann:100000:65536\nbob:x:5\n1000:7:10\nann:1:2:3\nann:5:0\nann:4294967296:1\n";
	struct subid_range r[2];

	is_int(subid_ranges(text, "ann", 1000, r, 2), 2,
		"by name and by number; malformed and empty ranges are left out");
	is_int(r[0].first, 100000, "in the order of the file");
	is_int(r[0].count, 65536, "with their sizes");
	is_int(r[1].first, 7, "the second");
	is_int(subid_ranges(text, "ann", 1000, r, 1), 1, "no more than there is room for");
	is_int(subid_ranges(text, "bob", 5, r, 2), 0, "no number");
	is_int(subid_ranges("", "ann", 1000, r, 2), 0, "an empty file");
	return tap_done();
}
