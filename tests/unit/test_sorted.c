/* SPDX-License-Identifier: Apache-2.0 */
/* sorted: what is added is found, once each, in whatever order it comes; another may take its place. */
#include "pkg/base/sorted.h"

#include "tests/unit/tap.h"

#define N 20000

struct item {
	int key, rank;
};

static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

int main(void)
{
	static struct item items[N];
	struct item other = { 7, -1 }, key = { 0 };
	void *root = NULL;
	bool added = true, found = true;

	ok(!sorted_find(&root, &key, compare), "nothing in an empty tree");
	for (int i = 0; i < N; i++) { /* ascending: what makes an unbalanced one slow */
		items[i] = (struct item){ 2 * i + 1, i };
		added = added && *sorted_slot(&root, &items[i], compare) == &items[i];
	}
	ok(added, "each is added");
	for (int i = 0; i < N; i++) {
		key.key = 2 * i + 1;
		found = found && sorted_find(&root, &key, compare) == &items[i];
		key.key = 2 * i;
		found = found && !sorted_find(&root, &key, compare);
	}
	ok(found, "and found, others are not");
	ok(*sorted_slot(&root, &other, compare) == &items[3], "the first stays");
	*sorted_slot(&root, &other, compare) = &other;
	key.key = 7;
	ok(sorted_find(&root, &key, compare) == &other, "unless it is replaced");
	sorted_free(&root);
	ok(!root && !sorted_find(&root, &key, compare), "empty again");
	sorted_free(&root);
	return tap_done();
}
