/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of manual pages that come from the settings and the engines. */
#ifndef UDOCKER_GENDOCS_SECTIONS_H
#define UDOCKER_GENDOCS_SECTIONS_H

struct str;

void sections_settings(struct str *out); /* udocker.conf(5) */
void sections_variables(struct str *out); /* environment variables of settings */
void sections_modes(struct str *out); /* udocker-engines(7): mode, engine, kind */
void sections_answers(struct str *out); /* udocker-engines(7): what each engine does with each property */
void sections_limits(struct str *out); /* udocker-engines(7): what programs cannot do in which modes */
char *sections_mode_words(
	void); /* for completions: modes of the engines that are built in. The caller frees */

#endif
