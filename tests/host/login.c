/* One login of the scripted PAM application: conversation and steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include "login.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_appl.h>

/* What changes in the course of a login. */
struct login {
	const struct script *script;
	pam_handle_t *pamh;
	size_t next_answer;
	enum outcome outcome;
};

static const char *const code_names[] = {
	[PAM_SUCCESS] = "PAM_SUCCESS",
	[PAM_OPEN_ERR] = "PAM_OPEN_ERR",
	[PAM_SYMBOL_ERR] = "PAM_SYMBOL_ERR",
	[PAM_SERVICE_ERR] = "PAM_SERVICE_ERR",
	[PAM_SYSTEM_ERR] = "PAM_SYSTEM_ERR",
	[PAM_BUF_ERR] = "PAM_BUF_ERR",
	[PAM_PERM_DENIED] = "PAM_PERM_DENIED",
	[PAM_AUTH_ERR] = "PAM_AUTH_ERR",
	[PAM_CRED_INSUFFICIENT] = "PAM_CRED_INSUFFICIENT",
	[PAM_AUTHINFO_UNAVAIL] = "PAM_AUTHINFO_UNAVAIL",
	[PAM_USER_UNKNOWN] = "PAM_USER_UNKNOWN",
	[PAM_MAXTRIES] = "PAM_MAXTRIES",
	[PAM_NEW_AUTHTOK_REQD] = "PAM_NEW_AUTHTOK_REQD",
	[PAM_ACCT_EXPIRED] = "PAM_ACCT_EXPIRED",
	[PAM_SESSION_ERR] = "PAM_SESSION_ERR",
	[PAM_CRED_UNAVAIL] = "PAM_CRED_UNAVAIL",
	[PAM_CRED_EXPIRED] = "PAM_CRED_EXPIRED",
	[PAM_CRED_ERR] = "PAM_CRED_ERR",
	[PAM_NO_MODULE_DATA] = "PAM_NO_MODULE_DATA",
	[PAM_CONV_ERR] = "PAM_CONV_ERR",
	[PAM_AUTHTOK_ERR] = "PAM_AUTHTOK_ERR",
	[PAM_AUTHTOK_RECOVERY_ERR] = "PAM_AUTHTOK_RECOVERY_ERR",
	[PAM_AUTHTOK_LOCK_BUSY] = "PAM_AUTHTOK_LOCK_BUSY",
	[PAM_AUTHTOK_DISABLE_AGING] = "PAM_AUTHTOK_DISABLE_AGING",
	[PAM_TRY_AGAIN] = "PAM_TRY_AGAIN",
	[PAM_IGNORE] = "PAM_IGNORE",
	[PAM_ABORT] = "PAM_ABORT",
	[PAM_AUTHTOK_EXPIRED] = "PAM_AUTHTOK_EXPIRED",
	[PAM_MODULE_UNKNOWN] = "PAM_MODULE_UNKNOWN",
	[PAM_BAD_ITEM] = "PAM_BAD_ITEM",
	[PAM_CONV_AGAIN] = "PAM_CONV_AGAIN",
	[PAM_INCOMPLETE] = "PAM_INCOMPLETE",
};

static const char *code_name(int code)
{
	const size_t known = sizeof(code_names) / sizeof(code_names[0]);

	return code >= 0 && (size_t)code < known ? code_names[code] : "?";
}

/* ---- Lines of output ------------------------------------------------- */

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	flockfile(stdout);
	vprintf(format, arguments);
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
	va_end(arguments);
}

/* Quoted so that one event stays one line.  To be freed. */
static char *quoted(const char *text)
{
	char *result = malloc(strlen(text) * 4 + 3);
	char *to = result;

	if (result == NULL)
		abort();
	*to++ = '"';
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			to += sprintf(to, "\\%c", *text);
		else if (*text == '\n')
			to += sprintf(to, "\\n");
		else if ((unsigned char)*text < ' ')
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
		else
			*to++ = *text;
	}
	*to++ = '"';
	*to = '\0';
	return result;
}

static void say_text(const struct script *script, const char *what, const char *text)
{
	char *shown;

	if (script->quiet)
		return;
	shown = quoted(text);
	say("%s %s", what, shown);
	free(shown);
}

/* ---- The log --------------------------------------------------------- *
 *
 * The program's own syslog() stands in front of the C library's, so that what
 * libpam and its modules log is an event like the others. */

static const char *priority_name(int priority)
{
	static const char *const names[] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
	};

	return names[LOG_PRI(priority)];
}

static void log_event(int priority, const char *format, va_list arguments)
{
	char *line = NULL;
	char *shown;

	if (vasprintf(&line, format, arguments) < 0)
		abort();
	shown = quoted(line);
	say("log %s %s", priority_name(priority), shown);
	free(shown);
	free(line);
}

void syslog(int priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_event(priority, format, arguments);
	va_end(arguments);
}

/* What a program calls that is built with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	(void)flag;
	va_start(arguments, format);
	log_event(priority, format, arguments);
	va_end(arguments);
}

/* ---- Conversation ---------------------------------------------------- */

static const char *style_name(int style)
{
	switch (style) {
	case PAM_PROMPT_ECHO_OFF:
		return "prompt echo_off";
	case PAM_PROMPT_ECHO_ON:
		return "prompt echo_on";
	case PAM_ERROR_MSG:
		return "error";
	case PAM_TEXT_INFO:
		return "info";
	default:
		return "unknown";
	}
}

/* The next answer of the script, or NULL if the prompt is not the expected one. */
static const struct answer *next_answer(struct login *login, const char *prompt)
{
	const struct script *script = login->script;
	const struct answer *answer;

	if (login->next_answer >= script->answer_count) {
		say("script: no answer left");
		return NULL;
	}
	answer = &script->answers[login->next_answer++];
	if (strncmp(prompt, answer->prefix, answer->prefix_length) != 0) {
		say("script: expected another prompt: %.*s", (int)answer->prefix_length,
		    answer->prefix);
		return NULL;
	}
	return answer;
}

/* Byte by byte and without stdio, which takes a signal for the end of the input. */
static void wait_for_newline(void)
{
	char c = '\0';
	ssize_t length;

	say("waiting");
	do
		length = read(STDIN_FILENO, &c, 1);
	while ((length == 1 && c != '\n') || (length < 0 && errno == EINTR));
}

static int answer_prompt(struct login *login, const char *prompt, char **text)
{
	const struct answer *answer = next_answer(login, prompt);

	if (answer == NULL) {
		login->outcome = OUTCOME_SCRIPT;
		return PAM_CONV_ERR;
	}
	if (login->script->hold)
		wait_for_newline();
	if (answer->kind == ANSWER_CONV_ERR)
		return PAM_CONV_ERR;
	if (answer->kind == ANSWER_TEXT)
		*text = strdup(answer->text);
	return PAM_SUCCESS;
}

static int show_message(struct login *login, const struct pam_message *message, char **text)
{
	say_text(login->script, style_name(message->msg_style), message->msg);
	if (message->msg_style == PAM_PROMPT_ECHO_OFF || message->msg_style == PAM_PROMPT_ECHO_ON)
		return answer_prompt(login, message->msg, text);
	return PAM_SUCCESS;
}

static int conversation(int count, const struct pam_message **messages,
			struct pam_response **responses, void *data)
{
	struct pam_response *answers = calloc((size_t)count, sizeof(*answers));
	int code = PAM_SUCCESS;

	if (answers == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count && code == PAM_SUCCESS; i++)
		code = show_message(data, messages[i], &answers[i].resp);
	if (code == PAM_SUCCESS) {
		*responses = answers;
		return PAM_SUCCESS;
	}
	for (int i = 0; i < count; i++)
		free(answers[i].resp);
	free(answers);
	return code;
}

/* Records the delay that libpam would have slept; it varies it by half. */
static void record_delay(int code, unsigned int microseconds, void *data)
{
	const struct login *login = data;

	if (code != PAM_SUCCESS && microseconds > 0 && !login->script->quiet)
		say("fail_delay %u", microseconds);
}

/* ---- Steps ----------------------------------------------------------- */

static const struct {
	const char *name;
	int (*call)(pam_handle_t *pamh, int flags);
} calls[] = {
	{ "authenticate", pam_authenticate },
	{ "acct_mgmt", pam_acct_mgmt },
	{ "setcred", pam_setcred },
	{ "open_session", pam_open_session },
	{ "close_session", pam_close_session },
	{ "chauthtok", pam_chauthtok },
};

static void record_code(struct login *login, const char *name, int code)
{
	if (code != PAM_SUCCESS && login->outcome == OUTCOME_SUCCESS)
		login->outcome = OUTCOME_FAILURE;
	if (!login->script->quiet)
		say("%s -> %s (%d)", name, code_name(code), code);
}

/* `authenticate`, or `authenticate:FLAGS` with a number as strtol reads it. */
static bool call_pam(struct login *login, const char *step)
{
	const size_t length = strcspn(step, ":");
	const int flags = step[length] == ':' ? (int)strtol(step + length + 1, NULL, 0) : 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strlen(calls[i].name) == length &&
		    strncmp(calls[i].name, step, length) == 0) {
			record_code(login, calls[i].name, calls[i].call(login->pamh, flags));
			return true;
		}
	return false;
}

static void show_user(struct login *login)
{
	const void *user = NULL;

	if (pam_get_item(login->pamh, PAM_USER, &user) == PAM_SUCCESS && user != NULL)
		say_text(login->script, "user", user);
	else
		say("user absent");
}

static void show_environment(struct login *login)
{
	char **list = pam_getenvlist(login->pamh);

	for (char **entry = list; entry != NULL && *entry != NULL; entry++) {
		say_text(login->script, "env", *entry);
		free(*entry);
	}
	free(list);
}

static bool take_step(struct login *login, const char *step)
{
	if (strcmp(step, "user") == 0)
		show_user(login);
	else if (strcmp(step, "env") == 0)
		show_environment(login);
	else if (strcmp(step, "pause") == 0)
		wait_for_newline();
	else if (strncmp(step, "user=", 5) == 0)
		pam_set_item(login->pamh, PAM_USER, step + 5);
	else if (strncmp(step, "putenv=", 7) == 0)
		pam_putenv(login->pamh, step + 7);
	else
		return call_pam(login, step);
	return true;
}

/* ---- The login ------------------------------------------------------- */

static void set_items(struct login *login)
{
	const struct script *script = login->script;

	pam_set_item(login->pamh, PAM_RHOST, script->rhost);
	pam_set_item(login->pamh, PAM_TTY, script->tty);
	pam_set_item(login->pamh, PAM_RUSER, script->ruser);
	if (!script->real_delay)
		pam_set_item(login->pamh, PAM_FAIL_DELAY, (const void *)record_delay);
}

static void take_steps(struct login *login)
{
	const struct script *script = login->script;

	for (size_t i = 0; i < script->step_count; i++)
		if (!take_step(login, script->steps[i])) {
			say("script: unknown step: %s", script->steps[i]);
			login->outcome = OUTCOME_SCRIPT;
		}
	if (login->next_answer < script->answer_count) {
		say("script: %zu answers left", script->answer_count - login->next_answer);
		login->outcome = OUTCOME_SCRIPT;
	}
}

enum outcome play_login(const struct script *script)
{
	struct login login = { .script = script };
	const struct pam_conv conv = {
		.conv = script->no_conversation ? NULL : conversation,
		.appdata_ptr = &login,
	};
	int code = pam_start_confdir(script->service, script->user, &conv, script->confdir,
				     &login.pamh);

	if (code != PAM_SUCCESS) {
		record_code(&login, "start", code);
		return login.outcome;
	}
	set_items(&login);
	take_steps(&login);
	pam_end(login.pamh, PAM_SUCCESS);
	return login.outcome;
}
