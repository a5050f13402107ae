/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trap engine's way from a path to a canonical name, beside a walker that goes from node to node as a kernel does with real mounts. The first
 * bytes are trees with files, folders and links and what is mounted where, then come the working directory, perhaps another root as after chroot(),
 * and the paths.
 *
 * The engine sees the trees by readlinkat() and newfstatat() alone, which answer here from the same nodes; it must never ask for a name behind
 * a link, or below a mount point in what is mounted over.
 */
#define TRAP_HOSTED
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long model_call(long nr, ...);
#define syscall model_call
#include "engines/trap/back.c"
#include "engines/trap/mem.c"
#include "engines/trap/path.c"
#undef RACES
#include "engines/trap/walk.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TREES 4
#define NODES 40
#define NO_NODE (-1)
#define LINK_TEXT 24
#define TREE_FD 1000

enum type { FOLDER, PLAIN_FILE, LINK };

struct node {
	enum type type;
	int parent; /* a tree's root is its own */
	int tree;
	int covered_by; /* the tree mounted on it */
	char name[4];
	char target[LINK_TEXT + 1];
};

static struct node nodes[NODES];
static int n_nodes, tree_root[TREES], mounted_on[TREES], n_trees, cwd, root;
static struct {
	struct trap_state state;
	char text[TREES * 2 * TRAP_PATH_MAX];
} built;

struct input {
	const uint8_t *p, *end;
};

static unsigned next(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

/* ---- the model ---- */

static int child(int folder, const char *name, size_t n)
{
	for (int i = 0; i < n_nodes; i++)
		if (i != folder && nodes[i].parent == folder && strlen(nodes[i].name) == n &&
			memcmp(nodes[i].name, name, n) == 0)
			return i;
	return NO_NODE;
}

static int new_node(enum type type, int parent, int tree)
{
	struct node *n = &nodes[n_nodes];

	*n = (struct node){ .type = type, .parent = parent, .tree = tree, .covered_by = NO_NODE };
	if (parent == NO_NODE)
		n->parent = n_nodes;
	return n_nodes++;
}

static void link_target(struct input *in, char *to)
{
	static const char letters[] = "abcdef//..//....";
	size_t n = 1 + next(in) % LINK_TEXT;

	for (size_t i = 0; i < n; i++)
		to[i] = letters[next(in) % 16];
	to[n] = '\0';
}

static void make_nodes(struct input *in)
{
	unsigned wanted = 4 + next(in) % (NODES - TREES - 4);

	n_nodes = 0;
	n_trees = 1 + (int)(next(in) % TREES);
	for (int t = 0; t < n_trees; t++)
		tree_root[t] = new_node(t && next(in) % 4 == 0 ? PLAIN_FILE : FOLDER, NO_NODE, t);
	while (wanted-- > 0) {
		int parent = (int)(next(in) % (unsigned)n_nodes), made;
		unsigned what = next(in);
		char name[4] = { (char)('a' + what % 6), '\0' };

		if (nodes[parent].type != FOLDER || child(parent, name, 1) != NO_NODE)
			continue;
		made = new_node((enum type)(what / 6 % 3), parent, nodes[parent].tree);
		memcpy(nodes[made].name, name, sizeof(name));
		if (nodes[made].type == LINK)
			link_target(in, nodes[made].target);
	}
}

/* Where one ends who comes to this node. */
static int over(int node)
{
	while (nodes[node].covered_by != NO_NODE)
		node = tree_root[nodes[node].covered_by];
	return node;
}

static int above(int node)
{
	if (node == root)
		return node;
	while (nodes[node].parent == node && nodes[node].tree != 0)
		node = mounted_on[nodes[node].tree];
	return over(nodes[node].parent);
}

static size_t guest_name(int node, char *to)
{
	size_t n;

	while (nodes[node].parent == node && nodes[node].tree != 0)
		node = mounted_on[nodes[node].tree];
	if (nodes[node].parent == node) {
		to[0] = '\0';
		return 0;
	}
	n = guest_name(nodes[node].parent, to);
	return n + (size_t)sprintf(to + n, "/%s", nodes[node].name);
}

/* Can a name of the guest lead to it: is it in a tree that is mounted, and under no other? */
static bool is_seen(int node)
{
	for (;;) {
		if (nodes[node].covered_by != NO_NODE || nodes[node].tree >= n_trees)
			return false;
		while (nodes[node].parent == node && nodes[node].tree != 0)
			node = mounted_on[nodes[node].tree];
		if (nodes[node].parent == node)
			return true;
		node = nodes[node].parent;
	}
}

/* Is it in the way from the root to what is mounted already? The engine mounts outer ones first, as one does. */
static bool is_above_mounted(int at, int t)
{
	for (int s = 1; s < t; s++) {
		int node = mounted_on[s];

		while (node != tree_root[0]) {
			if (node == at)
				return true;
			node = nodes[node].parent == node ? mounted_on[nodes[node].tree] : nodes[node].parent;
		}
	}
	return false;
}

static bool can_mount(int at, int t)
{
	return nodes[at].tree < t && nodes[at].parent != at && nodes[at].type == nodes[tree_root[t]].type &&
	       is_seen(at) && !is_above_mounted(at, t);
}

/* A tree is mounted on a node of one before it, of its own kind. */
static void mount_trees(struct input *in)
{
	for (int t = 1; t < n_trees; t++) {
		int at = (int)(next(in) % (unsigned)n_nodes), tries = 0;

		while (tries++ < n_nodes && !can_mount(at, t))
			at = (at + 1) % n_nodes;
		if (!can_mount(at, t)) {
			n_trees = t;
			return;
		}
		nodes[at].covered_by = t;
		mounted_on[t] = at;
	}
}

/* ---- the walker that is believed ---- */

struct believed {
	char name[TRAP_PATH_ROOM];
	long error;
	bool slash;
	bool file; /* the name lies below what is no folder: to be said at once, or by the call that is made with it */
};

/*
 * One component after the other. `left` is what follows; links put their target before it. Returns the node, or NO_NODE with the error, or with
 * the name of what may be made.
 */
static void believe(const char *path, enum walk_end end, struct believed *ret)
{
	char todo[TRAP_PATH_ROOM], again[TRAP_PATH_ROOM];
	int at = path[0] == '/' ? root : cwd, links = 0;
	char *p = todo;

	*ret = (struct believed){ .error = 0 };
	snprintf(todo, sizeof(todo), "%s", path);
	for (;;) {
		size_t n;
		bool last, kept, dots;
		int to;

		p += strspn(p, "/");
		if (!*p)
			break;
		n = strcspn(p, "/");
		ret->slash = p[n] == '/';
		last = p[n + strspn(p + n, "/")] == '\0';
		kept = last && (end == WALK_NAME || (end == WALK_KEEP && !ret->slash));
		dots = p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'));
		if (nodes[at].type != FOLDER && (!kept || dots)) {
			ret->error = -ENOTDIR;
			return;
		}
		if (dots) {
			if (last && end == WALK_NAME) {
				n = guest_name(at, ret->name);
				sprintf(ret->name + n, "/%.*s", (int)strcspn(p, "/"), p);
				return;
			}
			at = n == 2 ? above(at) : at;
			p += n;
			continue;
		}
		ret->file = nodes[at].type != FOLDER;
		to = child(at, p, n);
		if (kept || (last && to == NO_NODE)) {
			size_t len = guest_name(at, ret->name);

			sprintf(ret->name + len, "/%.*s", (int)n, p);
			return;
		}
		if (to == NO_NODE) {
			ret->error = -ENOENT;
			return;
		}
		to = over(to);
		p += n;
		if (nodes[to].type != LINK) {
			at = to;
			continue;
		}
		if (++links > 40) {
			ret->error = -ELOOP;
			return;
		}
		snprintf(again, sizeof(again), "%s%s", nodes[to].target, p);
		memcpy(todo, again, sizeof(todo));
		p = todo;
		if (*p == '/')
			at = root;
	}
	guest_name(at, ret->name);
}

/* ---- the kernel that the engine sees ---- */

/* A name in a tree, as the engine has found it. */
static int lookup(int tree, const char *path, long *error)
{
	int at = tree_root[tree];

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n && !(n == 1 && *path == '.')) {
			if (nodes[at].type == LINK) /* its name is not canonical */
				abort();
			at = nodes[at].type == FOLDER ? child(at, path, n) : NO_NODE;
			if (at != NO_NODE && nodes[at].covered_by != NO_NODE && path[n])
				abort(); /* below what is mounted over */
		} else if (n && nodes[at].type != FOLDER) {
			at = NO_NODE;
		}
		if (at == NO_NODE) {
			*error = ENOENT;
			return NO_NODE;
		}
		path += n;
		if (*path == '/' && nodes[at].type == PLAIN_FILE) {
			*error = ENOTDIR;
			return NO_NODE;
		}
		path += strspn(path, "/");
	}
	return at;
}

static long model_readlink(int tree, const char *path, char *to, size_t size)
{
	long error = 0;
	int node = lookup(tree, path, &error);
	size_t n;

	if (node == NO_NODE || nodes[node].type != LINK) {
		errno = node == NO_NODE ? (int)error : EINVAL;
		return -1;
	}
	n = strlen(nodes[node].target);
	n = n < size ? n : size;
	memcpy(to, nodes[node].target, n);
	return (long)n;
}

static long model_stat(int tree, const char *path, struct stat *st)
{
	long error = 0;
	int node = lookup(tree, path, &error);

	if (node == NO_NODE) {
		errno = (int)error;
		return -1;
	}
	*st = (struct stat){ .st_mode = nodes[node].type == FOLDER ? S_IFDIR
					: nodes[node].type == LINK ? S_IFLNK
								   : S_IFREG };
	return 0;
}

static long model_getcwd(char *to)
{
	char inside[TRAP_PATH_ROOM];
	int node = cwd;
	size_t n = 0;

	inside[0] = '\0';
	while (nodes[node].parent != node) {
		char rest[TRAP_PATH_ROOM];

		memcpy(rest, inside, n + 1);
		n = (size_t)snprintf(inside, sizeof(inside), "/%s%s", nodes[node].name, rest);
		node = nodes[node].parent;
	}
	return sprintf(to, "/T%d%s", nodes[cwd].tree, inside) + 1;
}

static long model_call(long nr, ...)
{
	long a[6];
	va_list list;

	va_start(list, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	switch (nr) {
	case SYS_readlinkat:
		return model_readlink((int)a[0] - TREE_FD, (const char *)a[1], (char *)a[2], (size_t)a[3]);
	case SYS_newfstatat:
		return model_stat((int)a[0] - TREE_FD, (const char *)a[1], (struct stat *)a[2]);
	case SYS_getcwd:
		return model_getcwd((char *)a[0]);
	default:
		abort();
	}
}

bool root_is_changed;

const char *root_name(size_t *ret_len)
{
	static char name[TRAP_PATH_ROOM];

	*ret_len = guest_name(root, name);
	return name;
}

/* What the rest of path.c would need. */
const char *exec_program(void)
{
	abort();
}

bool exec_program_is_kept(void)
{
	abort();
}

bool ids_capable(int cap)
{
	(void)cap;
	abort();
}

long owner_open(int dirfd, const char *path, unsigned long flags, unsigned mode)
{
	(void)dirfd, (void)path, (void)flags, (void)mode;
	abort();
}

long proc_link(const char *name, char *target, long n)
{
	(void)name, (void)target, (void)n;
	abort();
}

long proc_open(const char *name, unsigned long flags)
{
	(void)name, (void)flags;
	abort();
}

long guest_copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return 0;
}

long guest_copy_string(char *to, const char *from, size_t size)
{
	return snprintf(to, size, "%s", from);
}

/* ---- the state, as the launcher would write it ---- */

static uint32_t add_text(uint32_t *used, const char *text)
{
	uint32_t at = *used;

	strcpy(built.state.text + at, text);
	*used += (uint32_t)strlen(text) + 1;
	return at;
}

static void add_bind(int tree, unsigned index, uint32_t *used)
{
	struct trap_bind *b = &built.state.bind[index];
	char guest[TRAP_PATH_ROOM], host[16];
	uint32_t whole = PATH_HASH, last = PATH_HASH;

	guest_name(tree_root[tree], guest);
	snprintf(host, sizeof(host), "/T%d", tree);
	b->fd = TREE_FD + tree;
	b->flags = nodes[tree_root[tree]].type == FOLDER ? 0 : TRAP_BIND_FILE;
	b->guest_len = (uint16_t)strlen(guest);
	b->host_len = (uint16_t)strlen(host);
	b->guest = add_text(used, guest);
	b->host = add_text(used, host);
	if (tree == 0)
		return;
	for (const char *p = guest; *p; p++) {
		whole = path_hash(whole, *p);
		last = *p == '/' ? PATH_HASH : path_hash(last, *p);
	}
	trap_add_last_name(&built.state, last);
	b->next = built.state.bucket[whole % TRAP_BUCKETS];
	built.state.bucket[whole % TRAP_BUCKETS] = (uint16_t)(index + 1);
}

static void make_state(void)
{
	uint32_t used = 0;

	memset(&built, 0, sizeof(built.state));
	built.state.n_binds = (uint16_t)n_trees;
	for (int t = 0; t < n_trees; t++)
		add_bind(t, (unsigned)t, &used);
	trap_state = &built.state;
}

static void compare(const char *path, enum walk_end end)
{
	static char out[TRAP_PATH_ROOM];
	static struct believed want;
	long r = walk_path(AT_FDCWD, path, end, out);
	size_t n;

	believe(path, end, &want);
	if (r < 0 || want.error) {
		if (r == (want.file ? -ENOTDIR : want.error))
			return;
		fprintf(stderr, "%s (%d): %ld %s, wanted %ld %s\n", path, end, r, r < 0 ? "" : out,
			want.error, want.name);
		abort();
	}
	/* A slash at the end says that a folder is meant. */
	n = strlen(out);
	if (n > 0 && out[n - 1] == '/')
		out[n - 1] = '\0';
	if (strcmp(out, want.name) != 0) {
		fprintf(stderr, "%s (%d): %s, wanted %s\n", path, end, out, want.name);
		abort();
	}
}

/* A folder that names lead to, or the run's root. */
static int folder_of(unsigned byte)
{
	int node = (int)(byte % (unsigned)n_nodes);

	return nodes[node].type == FOLDER && is_seen(node) ? node : tree_root[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char letters[] = "abcdef//..abc/d.";
	struct input in = { data, data + size };
	unsigned at;
	char path[256];

	make_nodes(&in);
	mount_trees(&in);
	make_state();
	at = next(&in);
	cwd = folder_of(at);
	root = folder_of(at < 128 ? (unsigned)tree_root[0] : at / 2);
	root_is_changed = root != tree_root[0];
	for (int i = 0; i < 8 && in.p < in.end; i++) {
		size_t n = 1 + next(&in) % 40;

		for (size_t k = 0; k < n; k++)
			path[k] = letters[next(&in) % 16];
		path[n] = '\0';
		compare(path, (enum walk_end)(i % 3));
	}
	return 0;
}
