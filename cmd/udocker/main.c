/* SPDX-License-Identifier: Apache-2.0 */
/* udocker: the command line of udocker 1.3.x, composed of the three programs. The command table is in program.c. */
#include "cmd/udocker/program.h"

int main(int argc, char **argv)
{
	return cli_main(&udocker_program, argc, argv);
}
