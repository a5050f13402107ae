/* SPDX-License-Identifier: Apache-2.0 */
/* The one piece of base.h that needs code: closing a descriptor when its scope ends. */
#include "pkg/base/base.h"

#include <errno.h>

void base_autoclose(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
