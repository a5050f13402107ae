/* SPDX-License-Identifier: Apache-2.0 */
/* The state is one line of JSON from runc; what is not is passed on as it is. */
#include "pkg/runtime/hook_relay.h"

#include <errno.h>
#include <unistd.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"

#define STATE_MAX ((size_t)4 << 20) /* annotations may be long */

/* ---- in the configuration ---- */
static void wrap(struct json *hook, const char *kind, const char *program, const char *bundle)
{
	const char *path = json_str(json_get(hook, "path"));
	const struct json *args = json_get(hook, "args");
	const char *const words[] = { program, HOOK_RELAY_COMMAND, kind, bundle, path };
	struct json *list;

	if (!path || path[0] != '/' || access(path, X_OK) < 0)
		return;
	list = json_new_array();
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		json_append(list, json_new_str(words[i]));
	for (size_t i = 0; i < json_len(args); i++)
		json_append(list, json_clone(json_at(args, i)));
	json_set(hook, "args", list);
	json_set_str(hook, "path", program); /* `path` ends here */
}

void hook_relay_wrap(struct json *config, const char *bundle, bool inner_user)
{
	struct json *hooks = json_get(config, "hooks");
	autofree char *program = NULL;

	if (json_len(hooks) == 0 || proc_sibling("udocker-runtime", &program, NULL) < 0)
		return;
	for (int kind = 0; kind < HOOK_N; kind++) {
		const char *name = runtime_hook_name((enum runtime_hook_kind)kind);
		struct json *list = json_get(hooks, name);

		if (kind == HOOK_START_CONTAINER || (kind == HOOK_CREATE_CONTAINER && inner_user))
			continue;
		for (size_t i = 0; i < json_len(list); i++)
			wrap(json_at(list, i), name, program, bundle);
	}
}

/* ---- as the hook ---- */
/* Standard input, with that bundle in it. A file, so that a hook that does not read it blocks nobody. */
static int replace_state(const char *bundle, struct err **err)
{
	auto_str text = STR_INIT;
	auto_json *state = NULL;
	autofree char *changed = NULL;
	autoclose int fd = fd_anon("state");
	const char *content;

	if (fd < 0)
		return err_sys(err, errno, "temporary file");
	if (fd_read_text(STDIN_FILENO, STATE_MAX, &text, "the container's state", err) < 0)
		return -1;
	content = str_text(&text);
	if (json_parse(content, text.len, "state", NULL, &state, NULL) == 0 && json_get(state, "bundle")) {
		json_set_str(state, "bundle", bundle);
		content = changed = json_text(state, 0);
	}
	if (fd_write_all(fd, content, strlen(content)) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		dup2(fd, STDIN_FILENO) < 0)
		return err_sys(err, errno, "temporary file");
	return 0;
}

int hook_relay_run(char *const *words, struct err **err)
{
	const char *kind = words[0], *bundle = words[1], *path = words[2];
	char *const alone[] = { words[2], NULL };

	if (replace_state(bundle, err) < 0)
		return -1;
	/* Among the container's mounts runc's own choice stays: there the bundle may be another. */
	if (!str_eq(kind, runtime_hook_name(HOOK_CREATE_CONTAINER)) && chdir(bundle) < 0)
		return err_sys(err, errno, "bundle '%s'", bundle);
	sig_reset_all();
	execv(path, words[3] ? words + 3 : alone);
	return err_sys(err, errno, "hook %s", path);
}
