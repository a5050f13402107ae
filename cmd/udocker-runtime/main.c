/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-runtime: the command line of an OCI runtime over several engines. The command table is in program.c. */
#include "cmd/udocker-runtime/program.h"

int main(int argc, char **argv)
{
	return cli_main(&runtime_program, argc, argv);
}
