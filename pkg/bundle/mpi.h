/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rank of a parallel job needs of the host when it runs in a container of its own and is started by the host's mpiexec or srun: the launcher's
 * variables, the folders that they name, and the directory that the job runs in.
 */
#ifndef UDOCKER_BUNDLE_MPI_H
#define UDOCKER_BUNDLE_MPI_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

/* Is this a variable of launchers (Open MPI, PMIx, PMI, MPICH, Slurm …) or of what they run on? Not those that say where the host's MPI is installed. */
bool mpi_is_launcher_variable(const char *key);

/*
 * The caller's variables of this kind, appended. What config.json cannot carry is left out with a warning. Unless ranks
 * may well read each other's memory (`reading`), Open MPI is told not to, if the caller says nothing of it.
 */
void mpi_env_add(bool reading, struct strv *ret);

/*
 * Folders of the host to be shown at the same place, existing ones, none below another: TMPDIR, session folders, the working directory; /tmp and /var/tmp
 * for what lies there.
 */
void mpi_folders(struct strv *ret);

/*
 * The caller's working directory, by the name in PWD where that is true; NULL when it is gone or one of those that a container has its own of
 * (/, /usr, /etc …). Caller frees.
 */
char *mpi_cwd(void);

#endif
