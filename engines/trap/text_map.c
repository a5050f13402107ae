/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings of code: see text_map.h. The kernel is asked for one, since Linux 6.11, or for the list of all. */
#include "engines/trap/text_map.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "engines/trap/mem.h"
#include "engines/trap/sys.h"

#define KNOWN 8

struct maps_query {
	uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size, vma_offset,
		inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define MAPS_QUERY _IOWR('f', 17, struct maps_query)
enum { MAPS_READ = 1, MAPS_WRITE = 2, MAPS_EXECUTE = 4, MAPS_SHARED = 8 };

static struct text_range known[KNOWN];
static unsigned n_known;

static bool contains(const struct text_range *r, unsigned long address)
{
	return address >= r->from && address < r->to;
}

static bool read_hex(const char **s, unsigned long *ret)
{
	const char *p = *s;
	unsigned long v = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			v = v * 16 + (unsigned long)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = v * 16 + (unsigned long)(*p - 'a' + 10);
		else
			break;
	}
	*ret = v;
	if (p == *s)
		return false;
	*s = p;
	return true;
}

/* FROM-TO r-xp OFFSET MAJOR:MINOR INODE NAME */
bool text_map_parse(const char *line, struct text_range *ret)
{
	unsigned long number;

	if (!read_hex(&line, &ret->from) || *line++ != '-' || !read_hex(&line, &ret->to))
		return false;
	if (!text_begins(line, " r-xp "))
		return false;
	line += sizeof(" r-xp ") - 1;
	if (!read_hex(&line, &number) || *line++ != ' ' || !read_hex(&line, &number) || *line++ != ':' ||
		!read_hex(&line, &number) || *line++ != ' ')
		return false;
	return *line != '0' || line[1] != ' '; /* the inode */
}

/* A read ends with a whole line. */
static bool search_list(int fd, unsigned long address, struct text_range *ret)
{
	char *buffer = buffer_take(), *line, *end;
	bool found = false;
	long n;

	while (!found && (n = SYS(read, fd, buffer, TRAP_PATH_ROOM - 1)) > 0) {
		buffer[n] = '\0';
		for (line = buffer; *line && !found; line = *end ? end + 1 : end) {
			for (end = line; *end && *end != '\n'; end++)
				;
			found = text_map_parse(line, ret) && contains(ret, address);
		}
	}
	buffer_give(buffer);
	return found;
}

static bool ask_kernel(unsigned long address, struct text_range *ret)
{
	struct maps_query q = { .size = sizeof(q), .query_addr = address };
	long fd = SYS(openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool found;
	long r;

	if (fd < 0)
		return false;
	r = SYS(ioctl, fd, MAPS_QUERY, &q);
	if (r == 0) {
		ret->from = q.vma_start;
		ret->to = q.vma_end;
		found = q.inode && (q.vma_flags & 15) == (MAPS_READ | MAPS_EXECUTE);
	} else {
		found = r != -ENOENT && search_list((int)fd, address, ret);
	}
	(void)SYS(close, fd);
	return found;
}

bool text_map_find(unsigned long address, struct text_range *ret)
{
	for (unsigned i = 0; i < (n_known < KNOWN ? n_known : KNOWN); i++)
		if (contains(&known[i], address)) {
			*ret = known[i];
			return true;
		}
	if (!ask_kernel(address, ret))
		return false;
	known[n_known++ % KNOWN] = *ret;
	return true;
}
