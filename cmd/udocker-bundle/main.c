/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle: images turned into containers, each an OCI bundle. The commands are in files of their own. */
#include "cmd/udocker-bundle/program.h"

int main(int argc, char **argv)
{
	return cli_main(&bundle_program, argc, argv);
}
