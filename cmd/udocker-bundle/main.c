/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle: containers, each one an OCI bundle. The command table is in program.c. */
#include "cmd/udocker-bundle/program.h"

int main(int argc, char **argv)
{
	return cli_main(&bundle_program, argc, argv);
}
