/* A library that a caller slips into programs with LD_PRELOAD: each program that
 * loads it leaves a line with its name in PRELOADED_REPORT.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>

__attribute__((constructor)) static void report(void)
{
	FILE *file = fopen(PRELOADED_REPORT, "ae");

	if (file == NULL)
		return;
	fprintf(file, "%s\n", program_invocation_short_name);
	fclose(file);
}
