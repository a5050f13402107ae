/* SPDX-License-Identifier: Apache-2.0 */
/* Image configuration + run options -> config.json. */
#include "pkg/bundle/config.h"

#include <errno.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "oci-spec/image_config.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/docker.h"
#include "pkg/bundle/env.h"
#include "pkg/bundle/mounts.h"
#include "pkg/bundle/mpi.h"
#include "pkg/bundle/nvidia.h"
#include "pkg/bundle/options.h"
#include "pkg/bundle/setup.h"
#include "pkg/bundle/user.h"
#include "pkg/cli/docker_options.h"
#include "pkg/conf/conf.h"
#include "pkg/store/containers.h"

#define PUT_ASIDE ".bind_orig_files"
#define PUT_ASIDE_LINK "/.bind_host_files/"

/* What is gathered on the way to the document. */
struct making {
	const struct bundle_source *src;
	const struct bundle_options *o;
	struct image_config *image; /* never NULL: an empty one stands in */
	int rootfd;
	struct bundle_volumes volumes;
	struct bundle_user user;
	struct nvidia_set gpus; /* empty: none */
	struct bundle_names names;
	struct strv args, env;
	char *cwd;
};

/* ---- the command (6.6) ---- */

static void make_args(struct making *m)
{
	const struct bundle_options *o = m->o;
	bool typed = o->command && o->command->n > 0;

	if (o->entrypoint)
		strv_split(&m->args, o->entrypoint, " ");
	else if (!o->nometa)
		strv_add_all(&m->args, (const char *const *)m->image->entrypoint.v);
	if (typed)
		strv_add_all(&m->args, (const char *const *)o->command->v);
	else if (!o->entrypoint && !o->nometa)
		strv_add_all(&m->args, (const char *const *)m->image->cmd.v);
	if (m->args.n == 0) {
		const struct strv *shell = conf_list(CONF_CMD);

		strv_add_all(&m->args, (const char *const *)shell->v);
		if (m->args.n == 0)
			strv_add(&m->args, "sh");
		if (!o->quiet)
			log_warning("no command assigned by the image or the command line, running '%s'",
				m->args.v[0]);
	}
}

/* ---- the working directory (6.7) ---- */

/* Is it a directory inside: below a mount the host's, else the container's own? */
static bool is_dir_inside(const struct making *m, const char *path)
{
	const struct bundle_volume *over = NULL;
	struct stat st;
	int fd;

	for (size_t i = 0; i < m->volumes.n; i++) {
		const struct bundle_volume *v = &m->volumes.items[i];

		if (path_is_below(path, v->cont) && (!over || strlen(v->cont) > strlen(over->cont)))
			over = v;
	}
	if (over && over->kind == VOLUME_TMPFS)
		return str_eq(path, over->cont);
	if (over) {
		autofree char *there = bundle_volume_host_path(over, path);

		return stat(there, &st) == 0 && S_ISDIR(st.st_mode);
	}
	fd = fs_open(m->rootfd, path, O_PATH | O_DIRECTORY, 0, FS_IN_ROOT);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A rank of a parallel job starts where it was started, whatever the image says. True: it is. */
static bool take_caller_cwd(struct making *m)
{
	autofree char *cwd = m->o->mpi ? mpi_cwd() : NULL;

	if (cwd && is_dir_inside(m, cwd))
		m->cwd = steal_ptr(&cwd);
	else if (m->o->mpi)
		log_verbose("--mpi: the working directory is the host's alone, taking the image's");
	return m->cwd != NULL;
}

static int make_cwd(struct making *m, const char *home, struct err **err)
{
	const char *image = m->o->nometa ? NULL : m->image->working_dir;
	autofree char *wanted = NULL;

	if (m->o->workdir) {
		m->cwd = path_clean(m->o->workdir);
		if (is_dir_inside(m, m->cwd))
			return 0;
		err_make(
			err, ERR_NOT_FOUND, "working directory '%s' does not exist in the container", m->cwd);
		return err_hint(err, "name one that exists, or bind one with --volume");
	}
	if (take_caller_cwd(m))
		return 0;
	wanted = image && *image ? path_join("/", image) : xstrdup(home);
	m->cwd = path_clean(wanted);
	if (is_dir_inside(m, m->cwd))
		return 0;
	if (image && *image && !m->o->quiet)
		log_warning("the image's working directory '%s' does not exist, starting in '/'", m->cwd);
	free(m->cwd);
	m->cwd = xstrdup("/");
	return 0;
}

/* ---- what R modes of 1.3.x have put aside ---- */

/*
 * They leave a link in its place, that leads to a folder which is there during their runs alone (2.7): without this a container that they have run
 * would have no passwd.
 */
static void show_put_aside(struct making *m)
{
	auto_strv names = STRV_INIT;

	if (!m->src->id || fs_list(m->src->dirfd, PUT_ASIDE, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *path = xstrdup(names.v[i]), *text = NULL, *original = NULL;
		const char *name = NULL;
		autoclose int dirfd = -1;

		for (char *p = path; *p; p++)
			if (*p == '#')
				*p = '/';
		dirfd = *path == '/' ? fs_open_parent(m->rootfd, path, FS_IN_ROOT, &name) : -1;
		text = dirfd < 0 ? NULL : fs_readlink(dirfd, name);
		if (!text || !str_starts(text, PUT_ASIDE_LINK) ||
			(m->user.passwd && str_eq(path, "/etc/passwd")) ||
			(m->user.group && str_eq(path, "/etc/group")))
			continue;
		original = xasprintf("%s/" PUT_ASIDE "/%s", m->src->dir, names.v[i]);
		bundle_volumes_add_found(&m->volumes, original, path, false);
	}
}

/* ---- the driver of GPUs ---- */

const char *bundle_source_mode(const struct bundle_source *src)
{
	const char *configured = conf_str(CONF_DEFAULT_EXECUTION_MODE);

	if (src->execmode && *src->execmode)
		return src->execmode;
	return *configured ? configured : "auto";
}

static char mode_letter(const struct making *m)
{
	return *bundle_source_mode(m->src);
}

/* F modes have copies in ROOT. In R modes devices are made or mounted by the engine; elsewhere /dev is the host's. */
static void show_gpus(struct making *m)
{
	char letter = mode_letter(m);

	for (size_t i = 0; letter != 'F' && i < m->gpus.n; i++) {
		const struct nvidia_item *item = &m->gpus.items[i];

		if (item->kind == NVIDIA_DEVICE &&
			(letter == 'R' || (str_eq(item->host, item->cont) && !m->o->nosysdirs)))
			continue;
		/* Only root could write the host's own files through it. */
		bundle_volumes_add_found(
			&m->volumes, item->host, item->cont, item->kind == NVIDIA_PLAIN && geteuid() == 0);
	}
}

/* A container that was set up runs also where there is no GPU: stores are shared by many machines. */
static int find_gpus(struct making *m, struct err **err)
{
	autofree char *of_option = NULL;
	const char *asked;
	auto_err *e = NULL;

	if (m->o->docker && bundle_docker_gpus(m->o->docker, &of_option, err) < 0)
		return -1;
	asked = m->o->gpus ? m->o->gpus : of_option;
	if (!asked && (!m->src->id || !nvidia_is_set_up(m->src->dirfd)))
		return 0;
	if (nvidia_find(m->rootfd, asked, &m->gpus, &e) < 0) {
		if (asked)
			return err_move(err, &e);
		if (!m->o->quiet)
			log_warning("%s, going on without", err_text(e));
		return 0;
	}
	for (size_t i = 0; i < m->gpus.notes.n; i++)
		log_verbose("%s", m->gpus.notes.v[i]);
	show_gpus(m);
	return 0;
}

/* The container's loader has not heard of these folders. */
static void add_library_path(struct making *m)
{
	const char *old = strv_env_get(&m->env, "LD_LIBRARY_PATH");
	autofree char *folders = strv_join(&m->gpus.folders, ":");
	autofree char *all = old && *old ? xjoin3(old, ":", folders) : xstrdup(folders);

	if (*folders)
		strv_env_set(&m->env, "LD_LIBRARY_PATH", all);
}

static int make_env(struct making *m, const char *home, struct err **err)
{
	auto_strv image = STRV_INIT;

	if (!m->o->nometa)
		strv_add_all(&image, (const char *const *)m->image->env.v);
	for (size_t i = 0; i < m->gpus.env.n; i++)
		strv_env_put(&image, m->gpus.env.v[i]);
	if (bundle_env_make(m->src, m->o, &image, &m->user, home, &m->env, err) < 0)
		return -1;
	add_library_path(m);
	return 0;
}

/* ---- the document ---- */

static int add_capabilities(const struct making *m, struct json *process, struct err **err)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	const struct strv *conf = conf_list(CONF_RUNC_CAPABILITIES);
	auto_strv caps = STRV_INIT;
	struct json *j = json_need_object(process, "capabilities");

	for (size_t i = 0; i < conf->n; i++)
		if (!strv_has(&caps, conf->v[i]))
			strv_add(&caps, conf->v[i]);
	if (m->o->docker && bundle_docker_caps(m->o->docker, &caps, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		json_set(j, sets[i], json_new_strv(&caps));
	return 0;
}

static int add_process(struct json *config, const struct making *m, struct err **err)
{
	struct json *p = json_need_object(config, "process"), *user;

	json_set_bool(p, "terminal", m->o->tty);
	user = json_need_object(p, "user");
	json_set_i64(user, "uid", m->user.uid);
	json_set_i64(user, "gid", m->user.gid);
	for (size_t i = 0; i < m->user.n_groups; i++)
		json_append(json_need_array(user, "additionalGids"), json_new_i64(m->user.groups[i]));
	runtime_set_args(config, &m->args);
	runtime_set_env(config, &m->env);
	json_set_str(p, "cwd", m->cwd);
	json_set_bool(p, "noNewPrivileges", true);
	return add_capabilities(m, p, err);
}

static void add_frame(struct json *config, const struct making *m)
{
	if (m->o->read_only)
		json_set_bool(json_need_object(config, "root"), "readonly", true);
	runtime_add_namespace(config, "user");
	runtime_add_namespace(config, "mount");
	if (m->o->hostname) {
		runtime_add_namespace(config, "uts");
		json_set_str(config, "hostname", m->o->hostname);
	}
	runtime_set_id_maps(config, m->user.uid, geteuid(), m->user.gid, getegid());
}

static void set_if(struct json *config, const char *key, const char *value)
{
	if (value && *value)
		runtime_set_annotation(config, key, value);
}

/* conversion.md: implicit annotations first, labels over them. */
static void add_image_annotations(struct json *config, const struct making *m)
{
	const struct image_config *c = m->image;
	autofree char *ports = c->exposed_ports.n ? strv_join(&c->exposed_ports, ",") : NULL;

	set_if(config, "org.opencontainers.image.os", c->platform.os);
	set_if(config, "org.opencontainers.image.architecture", c->platform.arch);
	set_if(config, "org.opencontainers.image.variant", c->platform.variant);
	set_if(config, "org.opencontainers.image.author", c->author);
	set_if(config, "org.opencontainers.image.created", c->created);
	set_if(config, "org.opencontainers.image.stopSignal", c->stop_signal);
	set_if(config, "org.opencontainers.image.exposedPorts", m->o->nometa ? NULL : ports);
	for (size_t i = 0; i < c->labels.n; i++) {
		const char *eq = strchr(c->labels.v[i], '=');
		autofree char *key = xstrndup(c->labels.v[i], (size_t)(eq - c->labels.v[i]));

		if (!bundle_annotation_is_reserved(key))
			runtime_set_annotation(config, key, eq + 1);
	}
}

/* Properties that come from an option of this run, in words of what engines say when they do not apply them (prepare.c). */
static void add_asked(struct json *config, const struct making *m)
{
	const struct bundle_options *o = m->o;
	auto_strv asked = STRV_INIT;
	autofree char *text = NULL;
	bool readonly = false;

	for (size_t i = 0; i < m->volumes.n; i++)
		readonly = readonly || m->volumes.items[i].readonly;
	if (o->read_only)
		strv_add(&asked, "root.readonly");
	if (readonly)
		strv_add(&asked, "mounts.readonly");
	if (o->hostname)
		strv_add(&asked, "hostname");
	if (o->publish && o->publish->n > 0)
		strv_add(&asked, ENGINE_PUBLISH);
	if (o->kernel)
		strv_add(&asked, ENGINE_KERNEL);
	if (o->docker)
		bundle_docker_asked(o->docker, &asked);
	text = asked.n ? strv_join(&asked, ",") : NULL;
	set_if(config, ANNOTATION_ASKED, text);
	if (o->docker && str_eq(o->docker->network, "none"))
		runtime_set_annotation(config, ANNOTATION_REQUIRED, "namespaces.network");
}

static void add_own_annotations(struct json *config, const struct making *m)
{
	const struct bundle_options *o = m->o;
	auto_str ports = STR_INIT;

	set_if(config, ANNOTATION_CONTAINER, m->src->id);
	set_if(config, ANNOTATION_IMAGE, m->src->image_name);
	set_if(config, ANNOTATION_KERNEL, o->kernel);
	set_if(config, ANNOTATION_CPUSET, o->cpuset);
	set_if(config, ANNOTATION_NETCOOP, o->publish_all ? "true" : NULL);
	for (size_t i = 0; o->publish && i < o->publish->n; i++) {
		const char *text = o->publish->v[i];
		unsigned host = 0, cont = 0;

		(void)bundle_publish_parse(text, &host, &cont, NULL); /* checked before */
		if (strchr(text, ':') != strrchr(text, ':'))
			log_warning(
				"the address of '--publish %s' has no effect: the program decides where it "
				"listens",
				text);
		str_addf(&ports, "%s%u:%u", i ? "," : "", host, cont);
	}
	set_if(config, ANNOTATION_PUBLISH, str_text(&ports));
	add_asked(config, m);
	runtime_set_annotation(config, ANNOTATION_FILE "/etc/passwd", m->user.passwd);
	runtime_set_annotation(config, ANNOTATION_FILE "/etc/group", m->user.group);
	runtime_set_annotation(config, ANNOTATION_FILE "/etc/hosts", m->names.hosts);
	runtime_set_annotation(config, ANNOTATION_FILE "/etc/resolv.conf", m->names.resolv);
}

static bool is_published_high(const struct bundle_options *o, unsigned port)
{
	for (size_t i = 0; o->publish && i < o->publish->n; i++) {
		unsigned host = 0, cont = 0;

		if (bundle_publish_parse(o->publish->v[i], &host, &cont, NULL) == 0 && cont == port &&
			host >= 1024)
			return true;
	}
	return false;
}

/* 6.6: an unprivileged caller cannot listen on these. */
static void warn_of_ports(const struct making *m)
{
	for (size_t i = 0; i < m->image->exposed_ports.n; i++) {
		autofree char *text =
			xstrndup(m->image->exposed_ports.v[i], strcspn(m->image->exposed_ports.v[i], "/"));
		int port;

		if (num_parse_int(text, 1, 1023, &port) == 0 && !is_published_high(m->o, (unsigned)port))
			log_warning("the image exposes the privileged port %d, which cannot be had without "
				    "--publish",
				port);
	}
}

/* One warning for all that was given for nothing. */
static void warn_of_ignored(const struct making *m, const struct strv *ignored)
{
	const struct strv *noted = &m->o->docker->no_effect;
	auto_strv all = STRV_INIT;
	autofree char *list = NULL;

	strv_add_all(&all, (const char *const *)ignored->v);
	strv_add_all(&all, (const char *const *)noted->v);
	if (all.n == 0 || m->o->quiet)
		return;
	list = strv_join(&all, ", ");
	log_warning("without effect here: %s", list);
}

static int add_docker(struct json *config, const struct making *m, struct err **err)
{
	auto_strv ignored = STRV_INIT;

	if (bundle_docker_process(m->o->docker, config, err) < 0 ||
		bundle_docker_namespaces(m->o->docker, config, &ignored, err) < 0)
		return -1;
	warn_of_ignored(m, &ignored);
	return 0;
}

/* ---- the steps ---- */

static int open_root(struct making *m, struct err **err)
{
	m->rootfd = openat(m->src->dirfd, m->src->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->rootfd < 0)
		return err_sys(err, errno, "root directory '%s/%s'", m->src->dir, m->src->root);
	return 0;
}

static int read_image(struct making *m, struct err **err)
{
	if (!m->src->image) {
		m->image = xcalloc(1, sizeof(*m->image));
		return 0;
	}
	return image_config_from_json(m->src->image, "container.json", &m->image, err);
}

/* PMIx compares the id that the program sees with the one of its socket; Open MPI's mpiexec hangs when they differ. */
static int refuse_user(const char *user, struct err **err)
{
	err_make(err, ERR_USAGE,
		"--mpi: user '%s' is not uid %u, the only one that a launcher's server answers", user,
		geteuid());
	return err_hint(err, "leave --user out");
}

static int resolve_user(struct making *m, struct bundle_user_query *q, bool of_image, struct err **err)
{
	auto_err *e = NULL;

	if (bundle_user_resolve(q, &m->user, &e) == 0)
		return 0;
	if (!of_image)
		return err_move(err, &e);
	(void)err_add(&e, "the image's user");
	if (!m->o->any_user)
		return err_move(err, &e);
	log_warning("%s; runs of the container are to name another with --user", err_text(e));
	q->user = NULL;
	return bundle_user_resolve(q, &m->user, err);
}

static int find_user(struct making *m, struct err **err)
{
	const struct bundle_options *o = m->o;
	const char *image = o->nometa || !m->image->user || !*m->image->user ? NULL : m->image->user;
	const char letter = mode_letter(m);
	/* The launcher's servers talk to nobody but its own user. */
	autofree char *caller = o->mpi ? xasprintf("%u:%u", geteuid(), getegid()) : NULL;
	struct bundle_user_query q = { .user = o->user  ? o->user
					       : caller ? caller
							: image,
		.rootfd = m->rootfd,
		.dirfd = m->src->id ? m->src->dirfd : -1,
		.volumes = &m->volumes,
		.hostauth = o->hostauth,
		.containerauth = o->containerauth,
		.groups = o->docker ? &o->docker->group_add : NULL,
		.as_caller = letter == 'F',
		.own_groups = letter == 'T' };

	if (resolve_user(m, &q, q.user && q.user == image, err) < 0)
		return -1;
	if (o->mpi && m->user.uid != geteuid())
		return refuse_user(o->user, err);
	if (m->user.host_passwd)
		bundle_volumes_add_system(&m->volumes, "/etc/passwd");
	if (m->user.host_group)
		bundle_volumes_add_system(&m->volumes, "/etc/group");
	return 0;
}

static int gather(struct making *m, struct err **err)
{
	const char *home;

	if (bundle_options_check(m->o, err) < 0 || read_image(m, err) < 0 || open_root(m, err) < 0 ||
		bundle_volumes_collect(m->o, m->rootfd, &m->volumes, err) < 0 ||
		(m->o->docker &&
			bundle_docker_names(m->o->docker, m->rootfd, &m->volumes, &m->names, err) < 0) ||
		find_user(m, err) < 0 || find_gpus(m, err) < 0)
		return -1;
	show_put_aside(m);
	home = m->o->bindhome && host_home() ? host_home() : m->user.home;
	make_args(m);
	if (make_env(m, home, err) < 0 || make_cwd(m, home, err) < 0)
		return -1;
	if (m->o->hostenv && !strv_env_get(&m->env, "PWD"))
		strv_env_set(&m->env, "PWD", m->cwd);
	return 0;
}

static int make(struct making *m, struct json **ret, struct err **err)
{
	auto_json *config = runtime_config_new(m->src->root);

	if (gather(m, err) < 0)
		return -1;
	add_frame(config, m);
	bundle_mounts_add(config, &m->volumes);
	if (add_process(config, m, err) < 0 || bundle_devices_add(config, m->o->devices, err) < 0)
		return -1;
	if (mode_letter(m) == 'R' && nvidia_add_devices(config, &m->gpus, err) < 0)
		return -1;
	add_image_annotations(config, m);
	if (m->o->docker && add_docker(config, m, err) < 0)
		return -1;
	add_own_annotations(config, m);
	if (!m->o->quiet && !m->o->nometa)
		warn_of_ports(m);
	*ret = steal_ptr(&config);
	return 0;
}

int bundle_config_make(
	const struct bundle_source *src, const struct bundle_options *o, struct json **ret, struct err **err)
{
	struct making m = { .src = src, .o = o, .rootfd = -1 };
	int r = make(&m, ret, err);

	if (m.rootfd >= 0)
		close(m.rootfd);
	image_config_free(m.image);
	bundle_volumes_free(&m.volumes);
	bundle_user_free(&m.user);
	nvidia_set_free(&m.gpus);
	bundle_names_free(&m.names);
	strv_free(&m.args);
	strv_free(&m.env);
	free(m.cwd);
	return r;
}

int bundle_config_of_container(struct store *s, const struct container *c, const struct bundle_options *o,
	struct json **ret, struct err **err)
{
	auto_json *image = NULL;
	auto_strv names = STRV_INIT;
	autofree char *image_name = NULL, *mode = NULL;
	struct bundle_source src = BUNDLE_SOURCE_INIT;

	if (container_metadata(c->fd, &image, err) < 0 || container_names(s, c->id, &names, err) < 0)
		return -1;
	image_name = container_image_name(c->fd);
	mode = bundle_mode(c->fd, c->root);
	src.dir = c->dir;
	src.dirfd = c->fd;
	src.root = CONTAINER_ROOT;
	src.image = image;
	src.id = c->id;
	src.names = &names;
	src.image_name = image_name;
	src.execmode = mode;
	return bundle_config_make(&src, o, ret, err);
}
