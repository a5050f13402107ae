/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into libfakechroot by `make engines`, so that one library serves every glibc since 2.14: what the present glibc would bind to its own
 * newest version is bound to the first one, or asked of the kernel. The linker's --wrap leads here.
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_GLIBC "GLIBC_2.17"
#else
#error "which version of glibc was the first on this machine?"
#endif

extern void *first_dlsym(void *handle, const char *name);
extern char *first_dlerror(void);
__asm__(".symver first_dlsym, dlsym@" FIRST_GLIBC);
__asm__(".symver first_dlerror, dlerror@" FIRST_GLIBC);

#define INSIDE __attribute__((visibility("hidden")))

INSIDE void *__wrap_dlsym(void *handle, const char *name);
INSIDE char *__wrap_dlerror(void);
INSIDE int __wrap_fstat(int fd, struct stat *st);

void *__wrap_dlsym(void *handle, const char *name)
{
	return first_dlsym(handle, name);
}

char *__wrap_dlerror(void)
{
	return first_dlerror();
}

/* struct stat is the kernel's on these machines, and so is that of fstat64(). */
int __wrap_fstat(int fd, struct stat *st)
{
	return (int)syscall(SYS_fstat, fd, st);
}

extern int __wrap_fstat64(int fd, struct stat *st)
	__attribute__((alias("__wrap_fstat"), visibility("hidden")));
