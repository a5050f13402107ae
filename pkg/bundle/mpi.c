/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's side of a parallel job: variables and folders. */
#include "pkg/bundle/mpi.h"

#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

/* How ranks of a node copy messages where none may look at another's memory or descriptors: Open MPI before 5, UCX (MPICH, others). */
static const char *const apart[][2] = { { "OMPI_MCA_btl_vader_single_copy_mechanism", "none" },
	{ "UCX_TLS", "^cma" }, { "UCX_POSIX_USE_PROC_LINK", "n" } };

static const char *const passed[] = { "OMPI_*", "PMIX_*", "PRTE_*", "PMI_*", "PMI2_*", "MPI_*", "MPIR_*",
	"MPICH_*", "HYDRA_*", "HYDI_*", "I_MPI_*", "MV2_*", "UCX_*", "FI_*", "PSM2_*", "HFI_NO_BACKTRACE",
	"IPATH_NO_BACKTRACE", "SLURM_*", "SLURMD_*", "OMP_*", "TMPDIR" };

/* Where the host's own libraries and plugins are: the container has its own. */
static const char *const kept_out[] = { "*_PREFIX", "*_ROOT", "*_component_path", "*_LIBDIR",
	"FI_PROVIDER_PATH", "UCX_MODULE_DIR" };

static const char *const folders[] = { "TMPDIR", "PMIX_*TMPDIR", "PMIX_DSTORE_*_PATH",
	"OMPI_MCA_orte_*tmpdir*", "OMPI_MCA_orte_*session_dir", "OMPI_FILE_LOCATION", "PRTE_MCA_*tmpdir*",
	"PRTE_MCA_*session_dir" };

/* A container has its own of these, and would not run with the host's. */
static const char *const systems[] = { "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32",
	"/proc", "/sbin", "/sys", "/usr" };

static bool matches(const char *const *patterns, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(patterns[i], key, 0) == 0)
			return true;
	return false;
}

bool mpi_is_launcher_variable(const char *key)
{
	return matches(passed, ARRAY_LEN(passed), key) && !matches(kept_out, ARRAY_LEN(kept_out), key);
}

void mpi_env_add(bool reading, struct strv *ret)
{
	for (char **e = environ; e && *e; e++) {
		autofree char *key = xstrndup(*e, strcspn(*e, "="));

		if (!strchr(*e, '=') || !mpi_is_launcher_variable(key))
			continue;
		if (str_is_utf8(*e))
			strv_env_put(ret, *e);
		else
			log_warning("the launcher's variable '%s' is not UTF-8, which config.json cannot "
				    "carry, skipping",
				key);
	}
	for (size_t i = 0; !reading && i < ARRAY_LEN(apart); i++)
		if (!strv_env_get(ret, apart[i][0]))
			strv_env_set(ret, apart[i][0], apart[i][1]);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Of the host alone: a path that the container cannot be without its own of, or that has all others below it. */
static bool is_system(const char *path)
{
	if (str_eq(path, "/") || str_eq(path, "/var") || str_eq(path, "/opt"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		if (path_is_below(path, systems[i]))
			return !path_is_below(path, "/dev/shm");
	return false;
}

/* Whatever lies below these is shown with them: they are in every image, where a folder of each job would have to be made. */
static char *shown_by(const char *raw)
{
	static const char *const tops[] = { "/tmp", "/var/tmp" };
	char *path = path_clean(raw);

	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		if (!path_is_below(path, tops[i]))
			continue;
		free(path);
		return xstrdup(tops[i]);
	}
	return path;
}

/* Unless it lies below one that is there; those below it go. */
static void put_folder(struct strv *list, const char *raw)
{
	autofree char *path = is_folder(raw) ? shown_by(raw) : xstrdup("/");

	if (!is_folder(path) || is_system(path))
		return;
	for (size_t i = 0; i < list->n; i++)
		if (path_is_below(path, list->v[i]))
			return;
	for (size_t i = list->n; i-- > 0;)
		if (path_is_below(list->v[i], path))
			strv_remove(list, i);
	strv_add(list, path);
}

/* PWD has the links by which the caller came, and which scripts name. */
static char *current(void)
{
	const char *pwd = host_env("PWD");
	struct stat here, there;

	if (pwd && pwd[0] == '/' && stat(".", &here) == 0 && stat(pwd, &there) == 0 &&
		here.st_dev == there.st_dev && here.st_ino == there.st_ino)
		return path_clean(pwd);
	return getcwd(NULL, 0);
}

char *mpi_cwd(void)
{
	autofree char *cwd = current();

	return cwd && cwd[0] == '/' && !is_system(cwd) && str_is_utf8(cwd) ? steal_ptr(&cwd) : NULL;
}

void mpi_folders(struct strv *ret)
{
	autofree char *cwd = mpi_cwd();

	/* What no variable names lies there: the system's folder of temporary files, the default of all launchers. */
	put_folder(ret, host_tmpdir());
	for (char **e = environ; e && *e; e++) {
		autofree char *key = xstrndup(*e, strcspn(*e, "="));

		if (strchr(*e, '=') && matches(folders, ARRAY_LEN(folders), key) && str_is_utf8(*e))
			put_folder(ret, *e + strlen(key) + 1);
	}
	if (cwd)
		put_folder(ret, cwd);
}
