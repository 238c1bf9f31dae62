/* What the logins did to the process that they ran in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "login.h"

/* What a module could change without its host's wish. */
struct state {
	int descriptors;
	mode_t mask;
	char directory[PATH_MAX];
	char locale[256];
	void *handlers[NSIG];
	sigset_t blocked;
	size_t environment;
};

static struct state before;
static volatile sig_atomic_t children_ended;

static void count_child(int number)
{
	(void)number;
	children_ended++;
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	if (directory == NULL)
		abort();
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 3; /* `.`, `..` and the directory's own */
}

/* A sum that changes if a variable comes, goes or changes. */
static size_t sum_environment(void)
{
	size_t sum = 0;

	for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
		for (const char *c = *entry; *c != '\0'; c++)
			sum = sum * 31 + (unsigned char)*c;
	return sum;
}

/* Padding counts as well when states are compared, so all of it is zeroed. */
static void look(struct state *state)
{
	memset(state, 0, sizeof(*state));
	state->descriptors = count_descriptors();
	state->mask = umask(0);
	umask(state->mask);
	if (getcwd(state->directory, sizeof(state->directory)) == NULL)
		abort();
	snprintf(state->locale, sizeof(state->locale), "%s", setlocale(LC_ALL, NULL));
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0)
			state->handlers[number] = (void *)action.sa_handler;
	}
	sigprocmask(SIG_BLOCK, NULL, &state->blocked);
	state->environment = sum_environment();
}

void watch_host(void)
{
	const struct sigaction action = { .sa_handler = count_child, .sa_flags = SA_RESTART };

	sigaction(SIGCHLD, &action, NULL);
	look(&before);
}

bool report_host(void)
{
	struct state after;
	/* __WALL: children without a signal at their end as well, zombies included */
	const bool childless = waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD;

	look(&after);
	say("sigchld %d", (int)children_ended);
	say("children %s", childless ? "none" : "some");
	say("descriptors %d %d", before.descriptors, after.descriptors);
	say("host %s", memcmp(&before, &after, sizeof(after)) == 0 ? "unchanged" : "changed");
	return children_ended == 0 && childless && memcmp(&before, &after, sizeof(after)) == 0;
}

void report_rss(long logins)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	long kilobytes;

	if (status == NULL)
		abort();
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "VmRSS: %ld kB", &kilobytes) == 1)
			say("rss %ld %ld", logins, kilobytes);
	fclose(status);
}
