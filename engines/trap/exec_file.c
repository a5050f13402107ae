/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions and ELF headers: see exec_file.h. */
#include "engines/trap/exec_file.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "engines/trap/exec.h"
#include "engines/trap/machine.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define MOUNTED_NOEXEC 8
#define MAX_HEADERS (65536 / sizeof(Elf64_Phdr))

static long may_execute(int fd)
{
	char name[32];
	long r = -ENOSYS;

	if (!trap_has(TRAP_NO_FACCESSAT2))
		r = SYS(faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS);
	if (r == -ENOSYS || r == -EPERM) {
		text_fd_path(name, fd);
		r = SYS(faccessat, AT_FDCWD, name, X_OK);
	}
	return r;
}

/* A file system that refuses to execute says EACCES for everything: there the loader copies, and the mode alone decides. */
static bool is_noexec(int fd)
{
	struct statfs st = { 0 };

	return SYS(fstatfs, fd, &st) == 0 && (st.f_flags & MOUNTED_NOEXEC);
}

long exec_file_permitted(int fd, struct stat *ret)
{
	long r;

	*ret = (struct stat){ 0 };
	r = SYS(fstat, fd, ret);
	if (r < 0)
		return r;
	if (!S_ISREG(ret->st_mode))
		return -EACCES;
	r = may_execute(fd);
	return r == -EACCES && (ret->st_mode & 0111) && is_noexec(fd) ? 0 : r;
}

static bool is_of_machine(const Elf64_Ehdr *h)
{
	return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_machine == MACHINE_ELF;
}

/* The interpreter of a program, as the kernel looks at it. */
static long check_interpreter(const char *path)
{
	struct stat st;
	Elf64_Ehdr h = { 0 };
	long fd = path_open(AT_FDCWD, path, EXEC_FILE_OPEN, 0), r;

	if (fd < 0)
		return fd;
	r = exec_file_permitted((int)fd, &st);
	if (r == 0) {
		r = SYS(pread64, fd, &h, sizeof(h), 0);
		if (r >= 0)
			r = r < (long)sizeof(h) ? -EIO : is_of_machine(&h) ? 0 : -ELIBBAD;
	}
	(void)SYS(close, fd);
	return r;
}

static long find_interpreter(int fd, const Elf64_Phdr *p)
{
	char *path;
	long r;

	if (p->p_filesz < 2 || p->p_filesz > PATH_MAX)
		return -ENOEXEC;
	path = buffer_take();
	r = SYS(pread64, fd, path, p->p_filesz, p->p_offset);
	if (r >= 0 && r < (long)p->p_filesz)
		r = -EIO;
	else if (r >= 0)
		r = path[p->p_filesz - 1] ? -ENOEXEC : check_interpreter(path);
	buffer_give(path);
	return r;
}

static bool hits_image(const Elf64_Phdr *p)
{
	return p->p_vaddr < TRAP_BASE + TRAP_SPAN && p->p_vaddr + p->p_memsz > TRAP_BASE;
}

/* A few program headers at a time: this may be a small stack. */
static long check_headers(int fd, const Elf64_Ehdr *h)
{
	Elf64_Phdr p[4] = { 0 };
	bool found = false;

	for (unsigned i = 0; i < h->e_phnum; i++) {
		unsigned n = h->e_phnum - i < 4 ? h->e_phnum - i : 4;
		long r = 0;

		if (i % 4 == 0 && SYS(pread64, fd, p, n * sizeof(p[0]), h->e_phoff + i * sizeof(p[0])) !=
					  (long)(n * sizeof(p[0])))
			return -ENOEXEC;
		if (p[i % 4].p_type == PT_INTERP && !found) {
			found = true;
			r = find_interpreter(fd, &p[i % 4]);
		} else if (p[i % 4].p_type == PT_LOAD && h->e_type == ET_EXEC && hits_image(&p[i % 4])) {
			r = -ENOEXEC;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

long exec_file_is_elf(int fd, const char *head)
{
	Elf64_Ehdr h;

	memcpy(&h, head, sizeof(h));
	if (!is_of_machine(&h) || (h.e_type != ET_EXEC && h.e_type != ET_DYN) ||
		h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0 || h.e_phnum > MAX_HEADERS)
		return -ENOEXEC;
	return check_headers(fd, &h);
}

const char *exec_why_not(const char *path)
{
	Elf64_Ehdr h = { 0 };
	long fd = path_open(AT_FDCWD, path, EXEC_FILE_OPEN, 0);

	if (fd < 0)
		return NULL;
	(void)SYS(pread64, fd, &h, sizeof(h), 0);
	(void)SYS(close, fd);
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	if (h.e_ident[EI_CLASS] == ELFCLASS32 && (h.e_machine == EM_386 || h.e_machine == EM_ARM))
		return "32-bit program: use mode P1";
	if (h.e_machine != MACHINE_ELF)
		return "a program for another processor";
	return NULL;
}
