/* SPDX-License-Identifier: Apache-2.0 */
/* udocker.conf: whatever the text, every setting keeps a value of its type and can be shown. */
#include <stdint.h>

#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);

	log_set_level(LOG_LEVEL_ERROR);
	conf_reset();
	conf_read_text("fuzz", text);
	for (int key = 0; key < CONF_N; key++) {
		autofree char *shown = conf_show((enum conf_key)key);
		const char *value = conf_str((enum conf_key)key);

		if (!*shown || !value)
			abort();
		if (conf_table()[key].type == CONF_PATH && *value && *value != '/')
			abort();
		if (conf_table()[key].type == CONF_INT && conf_int((enum conf_key)key) < 0)
			abort();
	}
	conf_reset();
	return 0;
}
