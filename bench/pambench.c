/* Times whole logins, pam_start to pam_end, through several stacks in turn.
 *
 *     pambench CONFDIR ACCOUNTS FIRST COUNT ROUNDS PHASE:STACK...
 *
 * Every account logs in once through every stack and round; the stacks follow
 * each other login by login, so that whatever else the machine does meets all
 * of them.  PHASE is `auth` or `account`: what the application calls.  STACK is
 * a file in CONFDIR.
 *
 * ACCOUNTS begins with the first time step T; then one line an account: its
 * name and its codes of the steps T, T+1, ...  A login takes the oldest code
 * that is still good and that the account has not used, as stacks want them in
 * ascending order.
 *
 * Prints `STACK ROUND MICROSECONDS` for each login.  A login that is refused
 * ends the program with status 1, and what has been printed counts for nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <security/pam_appl.h>

#define PERIOD_S 30
#define WINDOW 1
#define MARGIN_S 2 /* a login begun now may be looked at so much later */
#define MAX_CODES 64

struct account {
	char *name;
	char *codes[MAX_CODES];
	long code_count;
	long last_step;
};

struct bench {
	const char *confdir;
	long first_step;
	struct account *accounts;
	long account_count;
};

static _Noreturn void die(const char *what, const char *detail)
{
	fprintf(stderr, "pambench: %s: %s\n", what, detail);
	exit(1);
}

/* ---- Accounts and their codes ------------------------------------------ */

static void read_account(struct account *account, char *line)
{
	char *rest = NULL;
	char *word = strtok_r(line, " \n", &rest);

	account->name = word != NULL ? strdup(word) : NULL;
	if (account->name == NULL)
		die("accounts", "a line without a name");
	while ((word = strtok_r(NULL, " \n", &rest)) != NULL && account->code_count < MAX_CODES)
		account->codes[account->code_count++] = strdup(word);
}

static void read_accounts(struct bench *bench, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (file == NULL || getline(&line, &size, file) < 0)
		die("cannot read the accounts", path);
	bench->first_step = atol(line);
	while (getline(&line, &size, file) > 0) {
		size_t count = (size_t)bench->account_count + 1;

		bench->accounts = reallocarray(bench->accounts, count, sizeof(struct account));
		if (bench->accounts == NULL)
			die("accounts", "no memory");
		bench->accounts[count - 1] = (struct account){ .last_step = -1 };
		read_account(&bench->accounts[count - 1], line);
		bench->account_count++;
	}
	free(line);
	fclose(file);
}

/* The oldest step that stays in the window for MARGIN_S, after the last one. */
static const char *next_code(const struct bench *bench, struct account *account)
{
	const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
	long step = (time(NULL) + MARGIN_S) / PERIOD_S - WINDOW;

	if (step <= account->last_step)
		step = account->last_step + 1;
	while (step > time(NULL) / PERIOD_S + WINDOW)
		nanosleep(&moment, NULL);
	account->last_step = step;
	if (step < bench->first_step || step >= bench->first_step + account->code_count)
		die("no code for the present time", account->name);
	return account->codes[step - bench->first_step];
}

/* ---- One login ---------------------------------------------------------- */

static int answer_with_code(int count, const struct pam_message **messages,
			    struct pam_response **responses, void *code)
{
	int style = messages[0]->msg_style;

	if (count != 1 || (style != PAM_PROMPT_ECHO_ON && style != PAM_PROMPT_ECHO_OFF))
		return PAM_CONV_ERR;
	*responses = calloc(1, sizeof(**responses));
	if (*responses == NULL)
		return PAM_BUF_ERR;
	(*responses)->resp = strdup(code);
	return PAM_SUCCESS;
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Returns how long it took, in microseconds; dies unless it was accepted. */
static double login(const struct bench *bench, bool authenticates, const char *stack,
		    const char *name, char *code)
{
	const struct pam_conv conversation = { answer_with_code, code };
	const double before = now_us();
	pam_handle_t *pamh = NULL;
	int result = pam_start_confdir(stack, name, &conversation, bench->confdir, &pamh);

	if (result == PAM_SUCCESS)
		result = pam_set_item(pamh, PAM_RHOST, "192.0.2.7");
	if (result == PAM_SUCCESS)
		result = pam_set_item(pamh, PAM_TTY, "ssh");
	if (result == PAM_SUCCESS)
		result = authenticates ? pam_authenticate(pamh, 0) : pam_acct_mgmt(pamh, 0);
	if (result != PAM_SUCCESS) {
		fprintf(stderr, "pambench: %s was refused by %s: %s\n", name, stack,
			pam_strerror(pamh, result));
		exit(1);
	}
	pam_end(pamh, result);
	return now_us() - before;
}

/* ---- All of them --------------------------------------------------------- */

static void run_stack(const struct bench *bench, const char *argument, const char *name,
		      const char *code, long round)
{
	const char *stack = strchr(argument, ':');
	char typed[16];

	if (stack == NULL)
		die("expected PHASE:STACK", argument);
	snprintf(typed, sizeof(typed), "%s", code);
	printf("%s %ld %.1f\n", argument, round,
	       login(bench, strncmp(argument, "auth:", 5) == 0, stack + 1, name, typed));
}

/* Every account begins with another stack, so that none is always the first. */
static void run_round(const struct bench *bench, long first, long count, long round,
		      char *const *stacks, long stack_count)
{
	for (long i = first; i < first + count; i++) {
		const char *code = next_code(bench, &bench->accounts[i]);

		for (long k = 0; k < stack_count; k++)
			run_stack(bench, stacks[(i + k) % stack_count], bench->accounts[i].name,
				  code, round);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = { 0 };
	long first, count, rounds;

	if (argc < 7)
		die("usage", "pambench CONFDIR ACCOUNTS FIRST COUNT ROUNDS PHASE:STACK...");
	bench.confdir = argv[1];
	read_accounts(&bench, argv[2]);
	first = atol(argv[3]);
	count = atol(argv[4]);
	rounds = atol(argv[5]);
	if (first < 0 || count < 1 || first + count > bench.account_count)
		die("accounts", "not so many there");
	for (long round = 0; round < rounds; round++)
		run_round(&bench, first, count, round, argv + 6, argc - 6);
	return 0;
}
