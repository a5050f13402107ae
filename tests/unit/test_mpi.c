/* SPDX-License-Identifier: Apache-2.0 */
/* What passes from a launcher to its ranks: variables, folders, the working directory. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/bundle/mpi.h"
#include "tests/unit/tap.h"

static void names(void)
{
	static const char *const yes[] = { "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_FD",
		"PMIX_DSTORE_21_BASE_PATH", "PRTE_MCA_x", "SLURM_JOB_ID", "SLURM_STEP_NODELIST",
		"SLURMD_NODENAME", "HFI_NO_BACKTRACE", "OMP_NUM_THREADS", "TMPDIR", "I_MPI_FABRICS",
		"UCX_TLS" };
	static const char *const no[] = { "HOME", "PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "OPAL_PREFIX",
		"PMIX_PREFIX", "PMIX_INSTALL_PREFIX", "I_MPI_ROOT", "OMPI_MCA_mca_base_component_path",
		"FI_PROVIDER_PATH", "XOMPI_A", "SLURM", "" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		ok(mpi_is_launcher_variable(yes[i]), "passes: %s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		ok(!mpi_is_launcher_variable(no[i]), "stays: '%s'", no[i]);
}

static void variables(void)
{
	static const char name[] = "OMPI_MCA_btl_vader_single_copy_mechanism";
	auto_strv together = STRV_INIT, apart = STRV_INIT, told = STRV_INIT;

	(void)setenv("OMPI_LINES", "a\nb=c", 1);
	(void)setenv("OMPI_BROKEN", "\xff", 1);
	(void)setenv("FOREIGN", "1", 1);
	mpi_env_add(true, &together);
	mpi_env_add(false, &apart);
	is_str(strv_env_get(&together, "OMPI_LINES"), "a\nb=c", "a value with a line break passes whole");
	ok(!strv_env_get(&together, "OMPI_BROKEN"), "what config.json cannot carry does not pass");
	ok(!strv_env_get(&together, "FOREIGN"), "nor what is not the launcher's");
	ok(!strv_env_get(&together, name), "memory of other ranks is read where that works");
	is_str(strv_env_get(&apart, name), "none", "and not elsewhere");
	is_str(strv_env_get(&apart, "UCX_TLS"), "^cma", "by UCX neither");
	is_str(strv_env_get(&apart, "UCX_POSIX_USE_PROC_LINK"), "n", "nor their descriptors");
	ok(!strv_env_get(&together, "UCX_TLS"), "which is left alone where that works");
	(void)setenv(name, "cma", 1);
	mpi_env_add(false, &told);
	is_str(strv_env_get(&told, name), "cma", "unless the caller says so");
}

static void folders(const char *top)
{
	autofree char *tmp = path_join(top, "tmp"), *session = path_join(tmp, "ompi.node.1/pid.2"),
		      *spool = path_join(top, "spool/pmix.1"), *job = path_join(top, "job:a"),
		      *ompi = path_dir(session), *above = path_dir(spool);
	auto_strv list = STRV_INIT;

	ok(mkdir(tmp, 0700) == 0 && mkdir(ompi, 0700) == 0 && mkdir(session, 0700) == 0 &&
			mkdir(above, 0700) == 0 && mkdir(spool, 0700) == 0 && mkdir(job, 0700) == 0 &&
			chdir(job) == 0,
		"folders are there");
	(void)setenv("TMPDIR", tmp, 1);
	(void)setenv("PMIX_SYSTEM_TMPDIR", "/etc", 1);
	(void)setenv("PMIX_SERVER_TMPDIR", spool, 1);
	(void)setenv("OMPI_MCA_orte_top_session_dir", session, 1);
	(void)setenv("OMPI_FILE_LOCATION", "relative", 1);
	(void)setenv("PMIX_DSTORE_21_BASE_PATH", "/absent/folder", 1);
	(void)unsetenv("PWD");
	mpi_folders(&list);
	is_int((int)list.n, 3, "the caller's, the server's and the job's folder, each once");
	ok(strv_has(&list, tmp), "TMPDIR, and nothing below it");
	ok(strv_has(&list, spool), "the server's");
	ok(strv_has(&list, job), "the working directory, with a colon in its name");
}

static void current(const char *top)
{
	autofree char *real = path_join(top, "job:a"), *link = path_join(top, "link"), *cwd;

	ok(symlink(real, link) == 0 && chdir(real) == 0, "a link to the working directory");
	(void)setenv("PWD", link, 1);
	cwd = mpi_cwd();
	is_str(cwd, link, "PWD where it is true");
	free(cwd);
	(void)setenv("PWD", top, 1);
	cwd = mpi_cwd();
	is_str(cwd, real, "not where it lies");
	free(cwd);
	ok(chdir("/usr/lib") == 0, "in a folder of the system");
	cwd = mpi_cwd();
	ok(!cwd, "which is the container's");
}

/* What lies in /tmp is shown with it: an image has that, and no folder of the job's. */
static void temporary(void)
{
	char tmp[] = "/tmp/test-mpi.XXXXXX";
	auto_strv list = STRV_INIT;

	if (!mkdtemp(tmp))
		return;
	(void)setenv("TMPDIR", tmp, 1);
	mpi_folders(&list);
	ok(strv_has(&list, "/tmp") && !strv_has(&list, tmp), "all of /tmp");
	(void)rmdir(tmp);
}

int main(void)
{
	char top[] = "/dev/shm/test-mpi.XXXXXX";

	if (!mkdtemp(top))
		return 1;
	log_set_level(LOG_LEVEL_ERROR);
	names();
	variables();
	folders(top);
	current(top);
	temporary();
	(void)fs_rm_tree(AT_FDCWD, top, NULL);
	return tap_done();
}
