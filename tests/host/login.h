/* One login of the scripted PAM application: what it is told, and how it ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PAMHOST_LOGIN_H
#define PAMHOST_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

enum answer_kind { ANSWER_TEXT, ANSWER_NOTHING, ANSWER_CONV_ERR };

/* The answer to a prompt that begins with `prefix`. */
struct answer {
	const char *prefix;
	size_t prefix_length;
	enum answer_kind kind;
	const char *text;
};

struct script {
	const char *service;
	const char *user; /* NULL: the stack has to ask */
	const char *confdir;
	const char *rhost;
	const char *tty;
	const char *ruser;
	const struct answer *answers;
	size_t answer_count;
	char *const *steps;
	size_t step_count;
	bool quiet;
	bool hold;
	bool no_conversation;
	bool real_delay;
};

enum outcome {
	OUTCOME_SUCCESS = 0, /* every step returned PAM_SUCCESS */
	OUTCOME_FAILURE = 1, /* a step returned something else */
	OUTCOME_SCRIPT = 2,  /* a prompt too many, too few, or unknown */
};

/* Plays one login, pam_start to pam_end.  Safe in threads. */
enum outcome play_login(const struct script *script);

/* Prints one line, at once and whole. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
