/* SPDX-License-Identifier: Apache-2.0 */
/* limits: which rows hold where. */
#include "engines/limits.h"

#include "engines/engine.h"
#include "engines/singularity.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static const struct engine_limit *row(const char *work)
{
	const struct engine_limit *l = engine_limits;

	while (l->work && !str_eq(l->work, work))
		l++;
	return l;
}

int main(void)
{
	char old[] = "5.1.0", new[] = "5.4.0", runc[] = "1.1.5";
	struct engine_probe inside = { .version = old }, probe = { .version = old };
	const struct engine_limit *owners = row("owners"), *links = engine_limits;

	ok(engine_limit_holds(row("start"), "fakechroot", "F1", &probe), "of its modes");
	ok(!engine_limit_holds(row("start"), "proot", "P1", &probe), "not of others");
	ok(engine_limit_holds(row("spawn"), "proot", "P1", &probe), "an old PRoot");
	ok(!engine_limit_holds(row("spawn"), "proot", "P1", &(struct engine_probe){ .version = new }),
		"a new one");
	ok(engine_limit_holds(row("spawn"), "proot", "P1", &(struct engine_probe){ 0 }), "none");
	probe = (struct engine_probe){ .version = runc, .inside = &inside };
	ok(engine_limit_holds(row("spawn"), "runc", "R2", &probe), "an old one inside runc");
	inside.version = new;
	ok(!engine_limit_holds(row("spawn"), "runc", "R2", &probe), "a new one");
	ok(engine_limit_holds(row("loopback"), "runsc", "R1", &probe), "of one engine");
	ok(!engine_limit_holds(row("loopback"), "crun", "R1", &probe), "not of its neighbour");
	while (!str_eq(owners->modes, "S1"))
		owners++;
	probe = (struct engine_probe){ .version = runc };
	ok(engine_limit_holds(owners, "singularity", "S1", &probe), "without subordinate ids");
	probe.flags = SINGULARITY_SUBIDS;
	ok(engine_limit_holds(owners, "singularity", "S1", &probe),
		"with them, but no --fakeroot to use them");
	probe.flags |= SINGULARITY_FAKEROOT;
	ok(!engine_limit_holds(owners, "singularity", "S1", &probe), "with them");
	while (!str_eq(links->work, "hard-links") || !str_eq(links->modes, "S1"))
		links++;
	ok(engine_limit_holds(links, "singularity", "S1", &probe), "/tmp is a mount before 3.8");
	probe.flags |= SINGULARITY_NO_MOUNT;
	ok(!engine_limit_holds(links, "singularity", "S1", &probe), "and a folder since");
	for (const struct engine_limit *l = engine_limits; l->work; l++)
		ok(*l->modes && l->guests && *l->note, "%s: a whole row", l->work);
	return tap_done();
}
