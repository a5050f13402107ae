/* SPDX-License-Identifier: Apache-2.0 */
/* err: kinds, context, hints, hand-over, and that a first error is never lost. */
#include "pkg/base/err.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/tap.h"

static void test_make(void)
{
	auto_err *err = NULL;

	is_int(err_make(&err, ERR_AUTH, "layer %s: line\n\033[2Jx %d", "a", 7), -1, "err_make returns -1");
	is_str(err_text(err), "layer a: line\\n\\x1b[2Jx 7", "control characters are escaped");
	ok(err_is(err, ERR_AUTH) && err_kind(err) == ERR_AUTH && !err_is(err, ERR_BUSY), "kind");
	is_int(err_errno(err), 0, "no errno");
	is_str(err_hint_text(err), NULL, "no hint");
	is_int(err_add(&err, "pull '%s'", "im\tage"), -1, "err_add returns -1");
	is_str(err_text(err), "pull 'im\\tage': layer a: line\\n\\x1b[2Jx 7",
		"context stands in front, escaped once");
	is_int(err_hint(&err, "first"), -1, "err_hint returns -1");
	is_int(err_hint(&err, "run %s\n", "it"), -1, "err_hint again");
	is_str(err_hint_text(err), "run it\\n", "the later hint counts");
	is_int(err_hint_else(&err, ERR_AUTH, "other"), -1, "err_hint_else returns -1");
	is_str(err_hint_text(err), "run it\\n", "a hint stays");
	err_clear(&err);
	err_make(&err, ERR_AUTH, "layer");
	(void)err_hint_else(&err, ERR_CORRUPT, "other");
	is_str(err_hint_text(err), NULL, "not for another kind");
	(void)err_hint_else(&err, ERR_AUTH, "log in");
	is_str(err_hint_text(err), "log in", "where there is none");
	is_int(err_set_kind(&err, ERR_CORRUPT), -1, "err_set_kind returns -1");
	ok(err_is(err, ERR_CORRUPT), "kind changed");
}

static void test_sys(void)
{
	static const struct {
		int errnum;
		enum err_kind kind;
	} rows[] = { { ENOENT, ERR_NOT_FOUND }, { EEXIST, ERR_EXISTS }, { ENOTEMPTY, ERR_EXISTS },
		{ EACCES, ERR_DENIED }, { EPERM, ERR_DENIED }, { EROFS, ERR_DENIED }, { EBUSY, ERR_BUSY },
		{ ETXTBSY, ERR_BUSY }, { EIO, ERR_SYSTEM }, { ENOSPC, ERR_SYSTEM } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_err *err = NULL;

		is_int(err_sys(&err, rows[i].errnum, "open %s", "f"), -1, "err_sys returns -1");
		ok(err_is(err, rows[i].kind) && err_errno(err) == rows[i].errnum, "kind of errno %d",
			rows[i].errnum);
	}
	{
		auto_err *err = NULL;

		err_sys(&err, ENOENT, "open %s", "f");
		is_str(err_text(err), "open f: No such file or directory", "text of an errno");
	}
}

static void test_nobody_cares(void)
{
	struct err *none = NULL;

	is_int(err_make(NULL, ERR_USAGE, "x"), -1, "err_make without a place");
	is_int(err_sys(NULL, EIO, "x"), -1, "err_sys without a place");
	ok(err_add(NULL, "x") == -1 && err_add(&none, "x") == -1 && !none, "err_add to nothing");
	ok(err_hint(NULL, "x") == -1 && err_hint(&none, "x") == -1 && !none, "err_hint to nothing");
	ok(err_set_kind(NULL, ERR_BUSY) == -1 && err_set_kind(&none, ERR_BUSY) == -1,
		"err_set_kind of nothing");
	ok(!err_is(NULL, ERR_USAGE), "nothing is of no kind");
	err_free(NULL);
	err_clear(NULL);
	err_clear(&none);
}

static void test_move(void)
{
	struct err *from = NULL, *to = NULL;

	err_make(&from, ERR_BUSY, "moved");
	is_int(err_move(&to, &from), -1, "err_move returns -1");
	ok(!from && to, "it has moved");
	is_str(err_text(to), "moved", "unchanged");
	is_int(err_move(NULL, &to), -1, "err_move to nobody");
	ok(!to, "frees it");
	is_int(err_move(&to, &from), -1, "err_move of nothing");
	ok(!to, "makes nothing");
	err_make(&to, ERR_BUSY, "cleared");
	err_clear(&to);
	ok(!to, "err_clear");
}

/* The second error would hide the first: that is a bug of ours and must be seen. */
static void test_overwrite(void)
{
	static const struct rlimit no_core = { 0, 0 };
	struct err *err = NULL;
	int status;
	pid_t pid;

	err_make(&err, ERR_USAGE, "first");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		err_make(&err, ERR_USAGE, "second");
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
		"setting a set error aborts");
	err_free(err);
}

int main(void)
{
	test_make();
	test_sys();
	test_nobody_cares();
	test_move();
	test_overwrite();
	return tap_done();
}
