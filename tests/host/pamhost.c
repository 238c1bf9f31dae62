/* A PAM application that follows a script, for tests and measurements.
 *
 *   pamhost [OPTION...] SERVICE USER STEP...
 *
 * USER `-` starts PAM without a user.  A step is the name of a PAM call without
 * its `pam_` (authenticate, setcred:0x2, acct_mgmt ...), `user` or `env` to
 * show PAM's user or environment, `user=NAME` or `putenv=NAME=VALUE` to change
 * them, `pause` to wait for a newline on standard input.  All steps are taken, whatever the ones before returned.
 *
 * Each event is one line: prompts and messages as they are shown, log lines,
 * `authenticate -> PAM_SUCCESS (0)`, `fail_delay MICROSECONDS`, `waiting`.
 *
 * Exit status: 0 if every call returned PAM_SUCCESS, 1 if one did not, 2 if
 * the script was not followed or the command line is wrong, 3 if a report found
 * something amiss.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include "login.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ANSWERS 64
#define WARM_UP 10 /* logins before memory is compared */

struct options {
	struct script script;
	struct answer answers[MAX_ANSWERS];
	long repeat;
	long threads;
	long uid;
	long interval_ms;
	bool fork_each;
	bool report_rss;
	bool report_children;
	bool no_stdio;
};

enum { OPTION_FIRST = 256, CONFDIR, RHOST, TTY, RUSER, ANSWER, REPEAT, THREADS, UID, INTERVAL,
       FORK_EACH, REPORT_RSS, REPORT_CHILDREN, NO_STDIO, NO_CONVERSATION, HOLD, QUIET, REAL_DELAY };

static const struct option long_options[] = {
	{ "confdir", required_argument, NULL, CONFDIR },
	{ "rhost", required_argument, NULL, RHOST },
	{ "tty", required_argument, NULL, TTY },
	{ "ruser", required_argument, NULL, RUSER },
	{ "answer", required_argument, NULL, ANSWER },
	{ "repeat", required_argument, NULL, REPEAT },
	{ "threads", required_argument, NULL, THREADS },
	{ "uid", required_argument, NULL, UID },
	{ "interval", required_argument, NULL, INTERVAL },
	{ "fork-each", no_argument, NULL, FORK_EACH },
	{ "report-rss", no_argument, NULL, REPORT_RSS },
	{ "report-children", no_argument, NULL, REPORT_CHILDREN },
	{ "no-stdio", no_argument, NULL, NO_STDIO },
	{ "no-conversation", no_argument, NULL, NO_CONVERSATION },
	{ "hold", no_argument, NULL, HOLD },
	{ "quiet", no_argument, NULL, QUIET },
	{ "real-delay", no_argument, NULL, REAL_DELAY },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
	"usage: pamhost [OPTION...] SERVICE USER|- STEP...\n"
	"  --confdir DIR       stacks are in DIR instead of /etc/pam.d\n"
	"  --rhost, --tty, --ruser VALUE\n"
	"  --answer PREFIX=TEXT       answer the next prompt, which begins with PREFIX\n"
	"  --answer PREFIX!CONV_ERR   fail there\n"
	"  --answer PREFIX!NOTHING    succeed there without an answer\n"
	"  --hold              wait for a newline on standard input before each answer\n"
	"  --no-conversation   have no conversation function\n"
	"  --real-delay        sleep as libpam does instead of recording the delay\n"
	"  --uid UID           drop all privileges before pam_start\n"
	"  --repeat N          N logins, one after the other (in each thread)\n"
	"  --threads N         N threads\n"
	"  --fork-each         a process for each login\n"
	"  --interval MS       a signal every MS milliseconds, handled without SA_RESTART\n"
	"  --no-stdio          run with descriptors 0, 1 and 2 closed\n"
	"  --quiet             no events but the log and `waiting`\n"
	"  --report-rss        resident memory after the first logins and after the last\n"
	"  --report-children   no SIGCHLD, no child, no descriptor more than before\n";

static _Noreturn void die_of_usage(const char *why)
{
	fprintf(stderr, "pamhost: %s\n%s", why, usage_text);
	exit(OUTCOME_SCRIPT);
}

/* ---- Command line ---------------------------------------------------- */

static void add_answer(struct options *options, const char *given)
{
	const size_t length = strcspn(given, "=!");
	struct answer *answer = &options->answers[options->script.answer_count];

	if (options->script.answer_count == MAX_ANSWERS || given[length] == '\0')
		die_of_usage("too many answers, or one without `=`");
	answer->prefix = given;
	answer->prefix_length = length;
	answer->text = given + length + 1;
	if (given[length] == '=')
		answer->kind = ANSWER_TEXT;
	else if (strcmp(answer->text, "CONV_ERR") == 0)
		answer->kind = ANSWER_CONV_ERR;
	else if (strcmp(answer->text, "NOTHING") == 0)
		answer->kind = ANSWER_NOTHING;
	else
		die_of_usage("an answer ends in =TEXT, !CONV_ERR or !NOTHING");
	options->script.answer_count++;
}

static long number(const char *text)
{
	char *end;
	const long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0)
		die_of_usage("a number is expected");
	return value;
}

static void set_flag(struct options *options, int option)
{
	switch (option) {
	case FORK_EACH:
		options->fork_each = true;
		break;
	case REPORT_RSS:
		options->report_rss = true;
		break;
	case REPORT_CHILDREN:
		options->report_children = true;
		break;
	case NO_STDIO:
		options->no_stdio = true;
		break;
	case NO_CONVERSATION:
		options->script.no_conversation = true;
		break;
	case HOLD:
		options->script.hold = true;
		break;
	case QUIET:
		options->script.quiet = true;
		break;
	case REAL_DELAY:
		options->script.real_delay = true;
		break;
	default:
		die_of_usage("unknown option");
	}
}

static void set_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case CONFDIR:
		options->script.confdir = value;
		break;
	case RHOST:
		options->script.rhost = value;
		break;
	case TTY:
		options->script.tty = value;
		break;
	case RUSER:
		options->script.ruser = value;
		break;
	case ANSWER:
		add_answer(options, value);
		break;
	case REPEAT:
		options->repeat = number(value);
		break;
	case THREADS:
		options->threads = number(value);
		break;
	case UID:
		options->uid = number(value);
		break;
	case INTERVAL:
		options->interval_ms = number(value);
		break;
	default:
		set_flag(options, option);
	}
}

static void parse(int argc, char **argv, struct options *options)
{
	int option;

	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1)
		set_option(options, option, optarg);
	if (argc - optind < 3)
		die_of_usage("a service, a user and at least one step are needed");
	options->script.service = argv[optind];
	options->script.user = strcmp(argv[optind + 1], "-") == 0 ? NULL : argv[optind + 1];
	options->script.steps = argv + optind + 2;
	options->script.step_count = (size_t)(argc - optind - 2);
	options->script.answers = options->answers;
}

/* ---- Preparation ----------------------------------------------------- */

static void drop_privileges(uid_t uid)
{
	if (setresuid(uid, uid, uid) != 0) {
		perror("pamhost: setresuid");
		exit(OUTCOME_SCRIPT);
	}
}

/* Events go on to where standard output went, from a descriptor out of the way. */
static void close_stdio(void)
{
	const int high = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);

	if (high < 0 || (stdout = fdopen(high, "w")) == NULL)
		exit(OUTCOME_SCRIPT);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
}

static void ignore_alarm(int number_of_signal)
{
	(void)number_of_signal;
}

static void start_interval(long milliseconds)
{
	const struct sigaction action = { .sa_handler = ignore_alarm };
	const struct timeval each = { .tv_sec = milliseconds / 1000,
				      .tv_usec = milliseconds % 1000 * 1000 };
	const struct itimerval timer = { .it_interval = each, .it_value = each };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- Logins ---------------------------------------------------------- */

static enum outcome worse(enum outcome a, enum outcome b)
{
	return a > b ? a : b;
}

static enum outcome play_in_child(const struct script *script)
{
	const pid_t child = fork();
	int status;

	if (child == 0)
		_exit(play_login(script));
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
		say("login's process failed");
		return OUTCOME_SCRIPT;
	}
	return (enum outcome)WEXITSTATUS(status);
}

static enum outcome play_repeatedly(const struct options *options)
{
	enum outcome outcome = OUTCOME_SUCCESS;

	for (long i = 0; i < options->repeat; i++) {
		outcome = worse(outcome, options->fork_each ? play_in_child(&options->script) :
							      play_login(&options->script));
		if (options->report_rss && (i + 1 == WARM_UP || i + 1 == options->repeat))
			report_rss(i + 1);
	}
	return outcome;
}

static void *play_thread(void *data)
{
	return (void *)(size_t)play_repeatedly(data);
}

static enum outcome play_in_threads(struct options *options)
{
	pthread_t threads[options->threads];
	enum outcome outcome = OUTCOME_SUCCESS;

	for (long i = 0; i < options->threads; i++)
		if (pthread_create(&threads[i], NULL, play_thread, options) != 0)
			abort();
	for (long i = 0; i < options->threads; i++) {
		void *result;

		pthread_join(threads[i], &result);
		outcome = worse(outcome, (enum outcome)(size_t)result);
	}
	return outcome;
}

int main(int argc, char **argv)
{
	struct options options = { .repeat = 1, .uid = -1 };
	enum outcome outcome;

	parse(argc, argv, &options);
	if (options.no_stdio)
		close_stdio();
	if (options.uid >= 0)
		drop_privileges((uid_t)options.uid);
	if (options.interval_ms > 0)
		start_interval(options.interval_ms);
	if (options.report_children)
		watch_host();
	outcome = options.threads > 0 ? play_in_threads(&options) : play_repeatedly(&options);
	if (options.report_children && !report_host())
		return 3;
	return (int)outcome;
}
