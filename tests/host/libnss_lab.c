/* A name service for tests: a directory of accounts in a file, which can be down.
 *
 * /run/lab/directory        accounts in passwd(5)'s form; names are compared
 *                           without regard to case, as Active Directory does
 * /run/lab/groups           its groups, in group(5)'s form
 * /run/lab/directory.down   while it is there, the directory does not answer; it
 *                           holds the manner in which it fails
 *
 * Built as libnss_lab.so.2 and named `lab` in nsswitch.conf.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define DIRECTORY "/run/lab/directory"
#define GROUPS "/run/lab/groups"
#define DOWN DIRECTORY ".down"

enum nss_status _nss_lab_getpwnam_r(const char *name, struct passwd *entry, char *buffer,
				    size_t size, int *error);
enum nss_status _nss_lab_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
				    int *error);
enum nss_status _nss_lab_getgrnam_r(const char *name, struct group *entry, char *buffer,
				    size_t size, int *error);

static const struct manner {
	const char *name;
	enum nss_status status;
	int error; /* 0: it does not say why, and leaves errno as it was */
} manners[] = {
	{ "unavailable", NSS_STATUS_UNAVAIL, ECONNREFUSED },
	{ "timeout", NSS_STATUS_TRYAGAIN, ETIMEDOUT },
	{ "busy", NSS_STATUS_TRYAGAIN, EAGAIN },
	{ "missing", NSS_STATUS_UNAVAIL, ENOENT },
	{ "silent", NSS_STATUS_UNAVAIL, 0 },
};

static const struct manner *find_manner(const char *name)
{
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		if (strcmp(manners[i].name, name) == 0)
			return &manners[i];
	return &manners[0];
}

/* The manner in which the directory is down; NULL while it answers. */
static const struct manner *down(void)
{
	FILE *file = fopen(DOWN, "re");
	char name[32] = "";

	if (file == NULL)
		return NULL;
	if (fscanf(file, "%31s", name) != 1)
		name[0] = '\0';
	fclose(file);
	return find_manner(name);
}

static int is_wanted(const struct passwd *entry, const char *name, uid_t uid)
{
	return name != NULL ? strcasecmp(entry->pw_name, name) == 0 : entry->pw_uid == uid;
}

static enum nss_status find(const char *name, uid_t uid, struct passwd *entry, char *buffer,
			    size_t size, int *error)
{
	const struct manner *manner = down();
	struct passwd *found = NULL;
	FILE *file;
	int code;

	if (manner != NULL) {
		if (manner->error != 0)
			*error = manner->error;
		return manner->status;
	}
	file = fopen(DIRECTORY, "re");
	if (file == NULL)
		return NSS_STATUS_NOTFOUND;
	do
		code = fgetpwent_r(file, entry, buffer, size, &found);
	while (code == 0 && !is_wanted(found, name, uid));
	fclose(file);
	if (code == ERANGE) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	return code == 0 ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_lab_getpwnam_r(const char *name, struct passwd *entry, char *buffer,
				    size_t size, int *error)
{
	return find(name, 0, entry, buffer, size, error);
}

enum nss_status _nss_lab_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
				    int *error)
{
	return find(NULL, uid, entry, buffer, size, error);
}

enum nss_status _nss_lab_getgrnam_r(const char *name, struct group *entry, char *buffer,
				    size_t size, int *error)
{
	const struct manner *manner = down();
	struct group *found = NULL;
	FILE *file;
	int code;

	if (manner != NULL) {
		if (manner->error != 0)
			*error = manner->error;
		return manner->status;
	}
	file = fopen(GROUPS, "re");
	if (file == NULL)
		return NSS_STATUS_NOTFOUND;
	do
		code = fgetgrent_r(file, entry, buffer, size, &found);
	while (code == 0 && strcmp(found->gr_name, name) != 0);
	fclose(file);
	if (code == ERANGE) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	return code == 0 ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}
