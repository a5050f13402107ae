/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trapsites [threads]: calls chdir("/") from sites at every alignment, several times each, and says how many failed. With "threads" while
 * another thread waits. Statically linked, since the trap engine leaves the sites of other programs alone.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#ifdef __x86_64__
enum { SITES = 64, STEP = 128, TIMES = 5 };

/* One for each offset from a multiple of 64; one where two pages meet; one whose call alone lies on two pages, with padding behind its ret. */
__asm__("	.text\n"
	"	.balign	4096\n"
	"trapsites_each:\n"
	"	.set	offset, 0\n"
	"	.rept	64\n"
	"	.balign	128\n"
	"	.fill	offset, 1, 0x90\n"
	"	mov	$80, %eax\n"
	"	syscall\n"
	"	ret\n"
	"	.set	offset, offset + 1\n"
	"	.endr\n"
	"	.balign	4096\n"
	"	.fill	4093, 1, 0x90\n"
	"trapsites_pages:\n"
	"	mov	$80, %eax\n"
	"	syscall\n"
	"	ret\n"
	"	.balign	4096\n"
	"	.fill	4088, 1, 0x90\n"
	"trapsites_call:\n"
	"	mov	$80, %eax\n"
	"	mov	%esi, %esi\n"
	"	syscall\n"
	"	cmp	$-4095, %rax\n"
	"	ret\n"
	"	.balign	16, 0x90\n"
	"	ret\n");

typedef long site(const char *path);
extern const char trapsites_each[];
site trapsites_pages, trapsites_call;

static int failures(site *s)
{
	int failed = 0;

	for (int i = 0; i < TIMES; i++)
		failed += s("/") != 0;
	return failed;
}

static int try_all(void)
{
	int failed = failures(trapsites_pages) + failures(trapsites_call);

	for (int i = 0; i < SITES; i++) {
		const char *at = trapsites_each + STEP * i + i;
		site *s;

		memcpy(&s, &at, sizeof(s));
		failed += failures(s);
	}
	return failed;
}
#else
static int try_all(void)
{
	return 0;
}
#endif

static sem_t done;

static void *wait_done(void *arg)
{
	return sem_wait(&done) < 0 ? NULL : arg;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 && strcmp(argv[1], "threads") == 0, failed;
	pthread_t t;

	if (threads && (sem_init(&done, 0, 0) < 0 || pthread_create(&t, NULL, wait_done, &done) != 0))
		return 2;
	failed = try_all();
	if (threads && (sem_post(&done) < 0 || pthread_join(t, NULL) != 0))
		return 2;
	printf("%d failed\n", failed);
	return failed != 0;
}
