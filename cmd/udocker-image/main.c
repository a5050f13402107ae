/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image: images fetched, stored, looked at and handed on. The commands are in files of their own. */
#include "cmd/udocker-image/program.h"

int main(int argc, char **argv)
{
	return cli_main(&image_program, argc, argv);
}
