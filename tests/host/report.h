/* What the logins did to the process that they ran in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PAMHOST_REPORT_H
#define PAMHOST_REPORT_H

#include <stdbool.h>

/* Remembers the state of the process, before the first login. */
void watch_host(void);

/* Prints what became of it, and tells whether it is as before: no SIGCHLD, no
 * child, the same descriptors, signal handlers and mask, directory, umask,
 * locale and environment. */
bool report_host(void);

/* Prints the resident memory, in kilobytes. */
void report_rss(long logins);

#endif
