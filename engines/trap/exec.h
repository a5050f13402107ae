/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs: execve() of the guest becomes one of our image, which maps the program and its interpreter itself. All that can be refused is
 * refused before the kernel's execve, so that the guest gets an errno. Lines with #! are resolved here, not by the loader.
 */
#ifndef UDOCKER_TRAP_EXEC_H
#define UDOCKER_TRAP_EXEC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What the loader is given before the guest's own argv (that is, with the words of #! lines put in as the kernel does): EXEC_WORDS strings, an
 * even number, so that the kernel's stack stays aligned when they are dropped. The image started by any other argv[0] is the launcher.
 */
enum exec_word {
	EXEC_MARK, /* "\1T", the number of the state's descriptor, ',', the text of the ids (ids_to_text()), the name of the root (root.h) */
	EXEC_PROGRAM, /* canonical guest name of the ELF file, for /proc/self/exe, or what is shown of one without */
	EXEC_NAME, /* as it was called: AT_EXECFN, and its last part the process's name */
	EXEC_FD, /* the number of a descriptor that has it open for reading: the loader closes it */
	EXEC_WORDS,
};
#define EXEC_MARK_BYTE '\1'

/* The guest name of the program of this process, for /proc/self/exe; the loader sets it. */
const char *exec_program(void);
void exec_set_program(const char *name);
/* No name leads to it: the loader keeps it open, at trap_state->program. */
bool exec_program_is_kept(void);

/* Put a program of the guest in place of this one; returns -errno only. `path` and the vectors are the engine's or the guest's memory. */
long exec_program_at(int dirfd, const char *path, int flags, char *const *argv, char *const *envp);
/* More than -ENOEXEC says of a program, for the launcher's message; NULL if there is no more to say. */
const char *exec_why_not(const char *path);

#endif
