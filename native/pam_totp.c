/* pam_totp.so: the bridge between a PAM application and pam-totpd.
 *
 * The bridge decides nothing.  It sends the call that libpam makes to the
 * service, does through libpam what the service asks of it, and returns the
 * code that the service names.  Whatever it does not understand is a refusal.
 *
 * It runs inside other people's programs: sshd, login, sudo, screen lockers,
 * with any privilege and any number of threads.  So it has no state of its own
 * and touches none of its host's: no signal handlers, no environment, no
 * locale, no working directory, no umask, no children that the host could
 * notice, no descriptors that outlive a call.
 *
 * Read it from the end: the three entry points, then relay(), which is one
 * call, then the table of requests.  wire.h describes the messages.
 *
 * SECURITY marks the places that rest on an assumption about someone else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_modules.h>
#include <security/pam_ext.h>

#include "wire.h"

#define SOCKET_PATH RUNDIR "/login.socket"
#define ONESHOT_LIFE_S 900 /* longer than a person is given to answer */
#define KEPT_NAME "pam_totp_kept"

_Static_assert(sizeof(SOCKET_PATH) <= sizeof(((struct sockaddr_un *)0)->sun_path),
	       "RUNDIR is too long for the address of a socket");

/* What the stack's line asks for. */
enum mode { MODE_CHECK, MODE_COLLECT, MODE_AUTHFAIL, MODE_LOCAL };

/* A message under construction or under examination.  `bad` stays set: a
 * message that had one bad field is bad, so that a list of fields can be read
 * or written in a row and judged once. */
struct message {
	size_t size;
	size_t at;
	bool bad;
	unsigned char bytes[WIRE_MAX_MESSAGE];
};

/* One call of libpam.  On the heap, because threaded hosts have small stacks.
 * The fields of the request that is being answered point into `in`. */
struct call {
	pam_handle_t *pamh;
	enum mode mode;
	int socket;
	bool oneshot;
	uint32_t number;
	const char *text;
	uint32_t prompt_count;
	struct pam_message prompts[WIRE_MAX_MESSAGES];
	struct message in;
	struct message out;
};

/* A value that waits on the PAM handle for the next call. */
struct kept {
	char *user;
	char *value;
};

/* ---- Small things ---------------------------------------------------- */

static void wipe_and_free(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

static void close_keeping_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A PAM item that is a string; NULL where it is not set. */
static const char *string_item(const pam_handle_t *pamh, int item)
{
	const void *value = NULL;

	if (pam_get_item(pamh, item, &value) != PAM_SUCCESS)
		return NULL;
	return value;
}

/* The host's conversation; NULL where it has none. */
static const struct pam_conv *conversation(const pam_handle_t *pamh)
{
	const void *value = NULL;
	const struct pam_conv *conv;

	if (pam_get_item(pamh, PAM_CONV, &value) != PAM_SUCCESS)
		return NULL;
	conv = value;
	return conv != NULL && conv->conv != NULL ? conv : NULL;
}

/* In a host that runs without standard descriptors a socket could become its
 * standard output, and a conversation that prints would print to the service. */
static int above_stdio(int fd)
{
	int moved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close_keeping_errno(fd);
	return moved;
}

/* ---- Fields of a message (wire.h) ------------------------------------ */

static void wipe(struct message *message)
{
	explicit_bzero(message->bytes, message->size);
	message->size = 0;
	message->at = 0;
	message->bad = false;
}

static void put_bytes(struct message *message, const void *bytes, size_t length)
{
	if (message->bad || length > sizeof(message->bytes) - message->size) {
		message->bad = true;
		return;
	}
	memcpy(message->bytes + message->size, bytes, length);
	message->size += length;
}

static void put_number(struct message *message, uint32_t number)
{
	const unsigned char bytes[4] = {
		(unsigned char)(number >> 24), (unsigned char)(number >> 16),
		(unsigned char)(number >> 8), (unsigned char)number,
	};

	put_bytes(message, bytes, sizeof(bytes));
}

static void put_text(struct message *message, const char *text)
{
	size_t length;

	if (text == NULL) {
		put_number(message, WIRE_ABSENT);
		return;
	}
	length = strlen(text);
	if (length > sizeof(message->bytes)) { /* and so the number fits 32 bits */
		message->bad = true;
		return;
	}
	put_number(message, (uint32_t)length);
	put_bytes(message, text, length);
}

static void begin_message(struct message *message, enum wire_type type)
{
	const unsigned char head[2] = { WIRE_VERSION, (unsigned char)type };

	wipe(message);
	put_bytes(message, head, sizeof(head));
}

static uint32_t get_number(struct message *message)
{
	const unsigned char *from = message->bytes + message->at;

	if (message->bad || message->size - message->at < 4) {
		message->bad = true;
		return 0;
	}
	message->at += 4;
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* A text as a C string inside the message, or NULL where it is absent or bad.
 * It moves one place down, over the last byte of its own length, which has been
 * read by now: that makes room for the NUL and leaves the next field alone. */
static char *get_optional_text(struct message *message)
{
	uint32_t length = get_number(message);
	unsigned char *from = message->bytes + message->at;
	char *text = (char *)from - 1;

	if (message->bad || length == WIRE_ABSENT)
		return NULL;
	if (length > message->size - message->at || memchr(from, '\0', length) != NULL) {
		message->bad = true;
		return NULL;
	}
	memmove(text, from, length);
	text[length] = '\0';
	message->at += length;
	return text;
}

static char *get_text(struct message *message)
{
	char *text = get_optional_text(message);

	if (text == NULL)
		message->bad = true;
	return text;
}

/* True if all fields were good and none is left over. */
static bool is_whole(const struct message *message)
{
	return !message->bad && message->at == message->size;
}

/* ---- Messages over the socket ---------------------------------------- */

/* Says why in the log, errno included.  Every caller ends the call, so that
 * there is one line for each call that fails. */
static int give_up(const struct call *call, const char *what)
{
	pam_syslog(call->pamh, LOG_ERR, "%s %s (%m); the login is refused; "
		   "see its log and `systemctl status pam-totpd`",
		   call->oneshot ? ONESHOT : "pam-totpd", what);
	return PAM_AUTHINFO_UNAVAIL;
}

static int give_up_on_protocol(const struct call *call, const char *what)
{
	errno = EPROTO;
	return give_up(call, what);
}

/* Waits for the socket until the deadline.  A signal for the host shortens
 * nothing and prolongs nothing.  Returns false with errno set. */
static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int64_t left;
	int ready;

	do {
		left = deadline - now_ms();
		ready = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		errno = ETIMEDOUT;
	return ready > 0;
}

static bool should_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Sends call->out.  Returns false with errno set. */
static bool send_message(struct call *call)
{
	const int64_t deadline = now_ms() + REPLY_TIMEOUT_MS;
	struct message *out = &call->out;

	while (send(call->socket, out->bytes, out->size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		if (!should_wait() || !wait_for(call->socket, POLLOUT, deadline))
			return false;
	wipe(out); /* it would lie here for as long as the next prompt stands */
	return true;
}

/* Receives call->in.  Returns false with errno set.
 *
 * There is no room for control data, so the kernel drops descriptors that a
 * peer might send. */
static bool receive_message(struct call *call)
{
	const int64_t deadline = now_ms() + REPLY_TIMEOUT_MS;
	struct message *in = &call->in;
	struct iovec iov = { .iov_base = in->bytes, .iov_len = sizeof(in->bytes) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t length;

	wipe(in); /* the wait may be long */
	do {
		if (!wait_for(call->socket, POLLIN, deadline))
			return false;
		length = recvmsg(call->socket, &header, MSG_DONTWAIT);
	} while (length < 0 && should_wait());
	if (length < 0)
		return false;
	in->size = (size_t)length;
	errno = length == 0 ? ECONNRESET : EMSGSIZE;
	return length > 0 && (header.msg_flags & MSG_TRUNC) == 0;
}

/* The answer to a request.  What does not fit into a message is answered
 * PAM_BUF_ERR; a code that PAM does not have comes from a host's conversation. */
static void reply(struct call *call, int code, size_t count, const char *const *values)
{
	struct message *out = &call->out;

	if (code < 0 || code >= _PAM_RETURN_VALUES)
		code = PAM_CONV_ERR;
	begin_message(out, WIRE_REPLY);
	put_number(out, (uint32_t)code);
	if (code != PAM_SUCCESS)
		count = 0;
	put_number(out, (uint32_t)count);
	for (size_t i = 0; i < count && !out->bad; i++)
		put_text(out, values[i]);
	if (out->bad)
		reply(call, PAM_BUF_ERR, 0, NULL);
}

/* ---- Items, environment, delay --------------------------------------- */

/* Only the items that are strings.  PAM_SERVICE can be read but not set: it
 * names the stack that the application's next call runs.
 *
 * SECURITY: a password leaves the host only where the service's own job is the
 * password: to take the code off its end, or to check a local account's. */
static bool may_have_password(const struct call *call)
{
	return call->mode == MODE_COLLECT || call->mode == MODE_LOCAL;
}

static int may_use_item(const struct call *call, bool set)
{
	switch (call->number) {
	case PAM_SERVICE:
		return set ? PAM_PERM_DENIED : PAM_SUCCESS;
	case PAM_AUTHTOK:
	case PAM_OLDAUTHTOK:
		return may_have_password(call) ? PAM_SUCCESS : PAM_PERM_DENIED;
	case PAM_USER:
	case PAM_USER_PROMPT:
	case PAM_RUSER:
	case PAM_RHOST:
	case PAM_TTY:
	case PAM_XDISPLAY:
	case PAM_AUTHTOK_TYPE:
		return PAM_SUCCESS;
	default:
		return PAM_BAD_ITEM;
	}
}

static void get_item(struct call *call)
{
	int code = may_use_item(call, false);
	const char *value = code == PAM_SUCCESS ? string_item(call->pamh, (int)call->number) : NULL;

	reply(call, code, 1, &value);
}

static void set_item(struct call *call)
{
	int code = may_use_item(call, true);

	if (code == PAM_SUCCESS)
		code = pam_set_item(call->pamh, (int)call->number, call->text);
	reply(call, code, 0, NULL);
}

static void get_user(struct call *call)
{
	const char *user = NULL;
	int code = PAM_CONV_ERR;

	/* libpam would call the host's function without looking whether it has one. */
	if (string_item(call->pamh, PAM_USER) != NULL || conversation(call->pamh) != NULL)
		code = pam_get_user(call->pamh, &user, call->text);
	reply(call, code, 1, &user);
}

static void get_authtok(struct call *call)
{
	const char *password = NULL;
	int code = PAM_PERM_DENIED;

	if (may_have_password(call))
		code = pam_get_authtok(call->pamh, PAM_AUTHTOK, &password, call->text);
	reply(call, code, 1, &password);
}

static void get_env(struct call *call)
{
	const char *value = pam_getenv(call->pamh, call->text);

	reply(call, PAM_SUCCESS, 1, &value);
}

static void put_env(struct call *call)
{
	reply(call, pam_putenv(call->pamh, call->text), 0, NULL);
}

static void get_env_list(struct call *call)
{
	char **list = pam_getenvlist(call->pamh);
	size_t count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	reply(call, list != NULL ? PAM_SUCCESS : PAM_BUF_ERR, count, (const char *const *)list);
	for (size_t i = 0; i < count; i++)
		wipe_and_free(list[i]);
	free(list);
}

static void fail_delay(struct call *call)
{
	reply(call, pam_fail_delay(call->pamh, call->number), 0, NULL);
}

/* ---- Prompts --------------------------------------------------------- */

/* Shows the prompts to the person, for as long as the host likes. */
static int show(const struct call *call, struct pam_response **responses)
{
	/* Linux-PAM means this as an array of pointers, Solaris as a pointer to
	 * an array; it is both, so that a host may read it either way. */
	const struct pam_message *prompts[WIRE_MAX_MESSAGES];
	const struct pam_conv *conv = conversation(call->pamh);

	if (conv == NULL)
		return PAM_CONV_ERR;
	for (uint32_t i = 0; i < call->prompt_count; i++)
		prompts[i] = &call->prompts[i];
	return conv->conv((int)call->prompt_count, prompts, responses, conv->appdata_ptr);
}

/* Points `values` at the answers.  Returns PAM_CONV_ERR if one is longer than
 * PAM allows. */
static int get_answers(const struct pam_response *responses, uint32_t count, const char **values)
{
	for (uint32_t i = 0; i < count; i++) {
		values[i] = responses != NULL ? responses[i].resp : NULL;
		if (values[i] != NULL &&
		    strnlen(values[i], PAM_MAX_RESP_SIZE + 1) > PAM_MAX_RESP_SIZE)
			return PAM_CONV_ERR;
	}
	return PAM_SUCCESS;
}

/* Answers are ours to free, also those of a conversation that failed: so
 * libpam does it, and so hosts expect it. */
static void free_answers(struct pam_response *responses, uint32_t count)
{
	for (uint32_t i = 0; responses != NULL && i < count; i++)
		wipe_and_free(responses[i].resp);
	free(responses);
}

/* SECURITY: an application that answers every prompt with the password would send
 * it over as a code.  Where the password must not leave, that is no answer. */
static void withhold_password(const struct call *call, const char **values)
{
	const char *password = string_item(call->pamh, PAM_AUTHTOK);

	if (may_have_password(call) || password == NULL)
		return;
	for (uint32_t i = 0; i < call->prompt_count; i++)
		if (values[i] != NULL && strcmp(values[i], password) == 0)
			values[i] = NULL;
}

static void converse(struct call *call)
{
	const char *values[WIRE_MAX_MESSAGES];
	struct pam_response *responses = NULL;
	int code = show(call, &responses);

	if (code == PAM_SUCCESS)
		code = get_answers(responses, call->prompt_count, values);
	if (code == PAM_SUCCESS)
		withhold_password(call, values);
	reply(call, code, call->prompt_count, values);
	free_answers(responses, call->prompt_count);
}

/* ---- A value that waits for the next call ---------------------------- */

static void free_kept(struct kept *kept)
{
	if (kept == NULL)
		return;
	wipe_and_free(kept->user);
	wipe_and_free(kept->value);
	free(kept);
}

static void cleanup_kept(pam_handle_t *pamh, void *data, int status)
{
	(void)pamh;
	(void)status;
	free_kept(data);
}

static const struct kept *find_kept(const pam_handle_t *pamh)
{
	const void *data = NULL;

	return pam_get_data(pamh, KEPT_NAME, &data) == PAM_SUCCESS ? data : NULL;
}

/* libpam hands the old value to cleanup_kept. */
static void forget_kept(pam_handle_t *pamh)
{
	if (find_kept(pamh) != NULL)
		pam_set_data(pamh, KEPT_NAME, NULL, NULL);
}

static struct kept *new_kept(const char *user, const char *value)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (kept == NULL)
		return NULL;
	kept->user = strdup(user);
	kept->value = strdup(value);
	if (kept->user == NULL || kept->value == NULL) {
		free_kept(kept);
		return NULL;
	}
	return kept;
}

static int keep_value(pam_handle_t *pamh, const char *value)
{
	const char *user = string_item(pamh, PAM_USER);
	struct kept *kept;
	int code;

	if (user == NULL)
		return PAM_USER_UNKNOWN;
	kept = new_kept(user, value);
	if (kept == NULL)
		return PAM_BUF_ERR;
	code = pam_set_data(pamh, KEPT_NAME, kept, cleanup_kept);
	if (code != PAM_SUCCESS)
		free_kept(kept);
	return code;
}

static void keep(struct call *call)
{
	reply(call, keep_value(call->pamh, call->text), 0, NULL);
}

/* SECURITY: any module of the stack may change PAM_USER between two calls; what
 * was kept for one user must not speak for another. */
static void take(struct call *call)
{
	const struct kept *kept = find_kept(call->pamh);
	const char *user = string_item(call->pamh, PAM_USER);
	const char *value = NULL;

	if (kept != NULL && user != NULL && strcmp(kept->user, user) == 0)
		value = kept->value;
	reply(call, PAM_SUCCESS, 1, &value);
	forget_kept(call->pamh);
}

/* ---- Requests -------------------------------------------------------- */

/* What the service may ask, and the fields that it sends with it: a number, a
 * text, a text that may be absent (?), prompts.  All are read and judged before
 * anything is done. */
static const struct request {
	enum wire_type type;
	const char *fields;
	void (*answer)(struct call *call);
} requests[] = {
	{ WIRE_CONVERSE, "p", converse },
	{ WIRE_GET_ITEM, "n", get_item },
	{ WIRE_SET_ITEM, "n?", set_item },
	{ WIRE_GET_USER, "?", get_user },
	{ WIRE_GET_AUTHTOK, "?", get_authtok },
	{ WIRE_GETENV, "t", get_env },
	{ WIRE_PUTENV, "t", put_env },
	{ WIRE_GETENVLIST, "", get_env_list },
	{ WIRE_KEEP, "t", keep },
	{ WIRE_TAKE, "", take },
	{ WIRE_FAIL_DELAY, "n", fail_delay },
};

static bool is_style(uint32_t style)
{
	return style == PAM_PROMPT_ECHO_OFF || style == PAM_PROMPT_ECHO_ON ||
	       style == PAM_ERROR_MSG || style == PAM_TEXT_INFO;
}

static void get_prompts(struct call *call)
{
	uint32_t count = get_number(&call->in);

	if (count < 1 || count > WIRE_MAX_MESSAGES) {
		call->in.bad = true;
		return;
	}
	call->prompt_count = count;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t style = get_number(&call->in);

		if (!is_style(style))
			call->in.bad = true;
		call->prompts[i].msg_style = (int)style;
		call->prompts[i].msg = get_text(&call->in);
	}
}

static bool get_fields(struct call *call, const char *fields)
{
	for (; *fields != '\0'; fields++)
		switch (*fields) {
		case 'n':
			call->number = get_number(&call->in);
			break;
		case 't':
			call->text = get_text(&call->in);
			break;
		case '?':
			call->text = get_optional_text(&call->in);
			break;
		case 'p':
			get_prompts(call);
			break;
		}
	return is_whole(&call->in);
}

/* Returns false if there is no such request or it is malformed. */
static bool answer_request(struct call *call, unsigned char type)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].type == type) {
			if (!get_fields(call, requests[i].fields))
				return false;
			requests[i].answer(call);
			return true;
		}
	return false;
}

/* ---- The one-shot: one login without the service ---------------------- *
 *
 * A grandchild answers instead.  What runs between clone and execve runs in a
 * copy of a host that may have threads: only system calls that take no lock,
 * no allocation, no log.  A failure there ends the process; the bridge then
 * sees the end of the connection and refuses. */

/* SECURITY: in a set-user-id program the child would belong to the user who
 * started it, who could stop it between the check of a code and its record. */
static bool may_start_oneshot(void)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real == 0 && effective == 0 &&
	       saved == 0 && getauxval(AT_SECURE) == 0;
}

/* Like fork, but no handler of pthread_atfork runs, and without a signal at
 * its end the child is invisible: no SIGCHLD, nothing for a waitpid that does
 * not ask for it.  (All arguments are zero, whatever order an architecture has
 * them in.) */
static pid_t quiet_fork(void)
{
	return (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

/* Ignored signals outlive an execve, and so does the mask. */
static bool reset_signals(void)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &standard, NULL); /* refused for SIGKILL and the like */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* As much as was asked for, or as an unprivileged container allows. */
static bool set_limit(int resource, rlim_t value)
{
	struct rlimit limit = { .rlim_cur = value, .rlim_max = value };

	if (setrlimit(resource, &limit) == 0)
		return true;
	if (getrlimit(resource, &limit) != 0)
		return false;
	limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
	return setrlimit(resource, &limit) == 0;
}

/* Nothing that a caller set may make a transaction fail half-way, and no core
 * holds a secret. */
static bool reset_limits(void)
{
	return set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_CPU, RLIM_INFINITY) &&
	       set_limit(RLIMIT_FSIZE, RLIM_INFINITY) && set_limit(RLIMIT_DATA, RLIM_INFINITY) &&
	       set_limit(RLIMIT_AS, RLIM_INFINITY) && set_limit(RLIMIT_NPROC, RLIM_INFINITY) &&
	       set_limit(RLIMIT_STACK, (rlim_t)8 << 20) && set_limit(RLIMIT_NOFILE, 1024);
}

/* Kernels before 5.9 have no close_range; by default (fs.nr_open) a process has
 * no descriptor beyond 2^20. */
static void close_from(unsigned int first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	for (unsigned int fd = first; fd < 1U << 20; fd++)
		close((int)fd);
}

/* The socket becomes descriptor 0, /dev/null 1 and 2; nothing else stays. */
static bool reset_descriptors(int socket)
{
	if (dup2(socket, STDIN_FILENO) != STDIN_FILENO)
		return false;
	close_from(STDOUT_FILENO);
	return open("/dev/null", O_RDWR) == STDOUT_FILENO &&
	       dup2(STDOUT_FILENO, STDERR_FILENO) == STDERR_FILENO;
}

/* The system calls themselves: the C library's functions would change all
 * threads, of which this copy has only the memory, and could wait for a lock
 * that one of them held.  Groups add nothing to what root may do, so a
 * container that forbids setgroups is no reason to refuse. */
static bool reset_groups(void)
{
	syscall(SYS_setgroups, 0, NULL);
	return syscall(SYS_setresgid, 0, 0, 0) == 0;
}

static _Noreturn void become_oneshot(int socket)
{
	char path[] = ONESHOT;
	char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *arguments[] = { path, NULL };
	char *environment[] = { search, NULL };

	umask(077);
	alarm(ONESHOT_LIFE_S);
	if (setsid() >= 0 && chdir("/") == 0 && reset_limits() && reset_groups() &&
	    reset_descriptors(socket) && reset_signals())
		execve(path, arguments, environment);
	_exit(127);
}

/* The middle process ends at once and is reaped here; the grandchild is init's.
 * (A host that is itself init or a subreaper inherits it, like every orphan.) */
static bool spawn_oneshot(int socket)
{
	pid_t middle = quiet_fork();

	if (middle == 0) {
		pid_t grandchild = quiet_fork();

		if (grandchild == 0)
			become_oneshot(socket);
		_exit(grandchild < 0);
	}
	while (middle > 0 && waitpid(middle, NULL, __WALL) < 0 && errno == EINTR)
		;
	return middle > 0;
}

/* Returns a connection to a new one-shot, or -1 with errno set.  Signals and
 * cancellation are held back, so that no handler of the host runs in its copy. */
static int start_oneshot(void)
{
	sigset_t all, before;
	int cancellation;
	int pair[2];
	bool started;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	pair[0] = above_stdio(pair[0]);
	pair[1] = above_stdio(pair[1]);
	sigfillset(&all);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pair[0] >= 0 && pair[1] >= 0 && spawn_oneshot(pair[1]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(cancellation, NULL);
	close_keeping_errno(pair[1]);
	if (!started)
		close_keeping_errno(pair[0]);
	return started ? pair[0] : -1;
}

/* ---- One call -------------------------------------------------------- */

/* A service whose backlog is full would block connect for ever.  Returns false
 * with errno set. */
static bool connect_in_time(int fd)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
	const int64_t deadline = now_ms() + CONNECT_TIMEOUT_MS;

	do {
		int64_t left = deadline - now_ms();
		struct timeval limit = {
			.tv_sec = (time_t)(left / 1000),
			.tv_usec = (suseconds_t)(left % 1000 * 1000),
		};

		errno = ETIMEDOUT;
		if (left <= 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
			return false;
		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return true;
	} while (errno == EINTR);
	if (errno == EAGAIN) /* so the kernel calls the end of SO_SNDTIMEO */
		errno = ETIMEDOUT;
	return false;
}

/* Returns a connection to the service, or -1 with errno set.
 *
 * SECURITY: the peer is trusted because only root can write to RUNDIR. */
static int connect_service(void)
{
	int fd = above_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));

	if (fd >= 0 && !connect_in_time(fd)) {
		close_keeping_errno(fd);
		return -1;
	}
	return fd;
}

/* Sets call->socket.  Returns PAM_SUCCESS, or what the call returns. */
static int find_peer(struct call *call)
{
	call->socket = connect_service();
	if (call->socket >= 0)
		return PAM_SUCCESS;
	if (errno != ENOENT && errno != ECONNREFUSED)
		return give_up(call, "cannot be reached at " SOCKET_PATH);
	if (!may_start_oneshot())
		return give_up(call, "does not run at " SOCKET_PATH ", and this program needs it");
	call->oneshot = true;
	call->socket = start_oneshot();
	return call->socket >= 0 ? PAM_SUCCESS : give_up(call, "cannot be started");
}

/* Who stands behind the host.  The kernel tells the service the effective uid
 * alone, which is root's in every `su`.  Where a set-user-id program has made
 * itself root throughout, the kernel's note of its start still says who it was. */
static uint32_t caller(void)
{
	const uid_t real = getuid();

	return real != 0 ? real : (uint32_t)getauxval(AT_UID);
}

static void write_call(struct call *call, enum wire_function function, int flags, int argc,
		       const char **argv)
{
	static const int items[] = { PAM_SERVICE, PAM_USER, PAM_RHOST, PAM_TTY, PAM_RUSER };
	struct message *out = &call->out;

	begin_message(out, WIRE_CALL);
	put_number(out, function);
	put_number(out, (uint32_t)flags);
	put_number(out, (uint32_t)argc);
	for (int i = 0; i < argc; i++)
		put_text(out, argv[i]);
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		put_text(out, string_item(call->pamh, items[i]));
	put_number(out, find_kept(call->pamh) != NULL);
	put_number(out, caller());
}

static int finish(struct call *call)
{
	uint32_t code = get_number(&call->in);

	if (!is_whole(&call->in) || code >= _PAM_RETURN_VALUES)
		return give_up_on_protocol(call, "sent a malformed end");
	return (int)code;
}

/* Sends the call, then answers requests until the service names the code. */
static int relay(struct call *call)
{
	const unsigned char *head = call->in.bytes;

	for (int answered = 0;; answered++) {
		if (!send_message(call))
			return give_up(call, "does not listen");
		if (!receive_message(call))
			return give_up(call, "did not answer");
		if (call->in.size < 2 || head[0] != WIRE_VERSION)
			return give_up_on_protocol(call, "speaks another version");
		call->in.at = 2;
		if (head[1] == WIRE_FINISH)
			return finish(call);
		if (answered == WIRE_MAX_REQUESTS)
			return give_up_on_protocol(call, "comes to no end");
		if (!answer_request(call, head[1]))
			return give_up_on_protocol(call, "sent a malformed request");
	}
}

static int run_call(pam_handle_t *pamh, enum mode mode, enum wire_function function, int flags,
		    int argc, const char **argv)
{
	struct call *call = malloc(sizeof(*call));
	int code;

	if (call == NULL)
		return PAM_BUF_ERR;
	call->pamh = pamh;
	call->mode = mode;
	call->socket = -1;
	call->oneshot = false;
	call->in.size = 0;
	call->out.size = 0;
	write_call(call, function, flags, argc, argv);
	if (call->out.bad)
		code = give_up_on_protocol(call, "cannot take a name or address of this length");
	else
		code = find_peer(call);
	if (code == PAM_SUCCESS)
		code = relay(call);
	close_keeping_errno(call->socket);
	wipe(&call->in);
	wipe(&call->out);
	free(call);
	return code;
}

/* ---- Arguments ------------------------------------------------------- */

static bool name_to_mode(const char *name, enum mode *mode)
{
	static const char *const names[] = {
		[MODE_COLLECT] = "collect", [MODE_AUTHFAIL] = "authfail", [MODE_LOCAL] = "local",
	};

	for (enum mode i = MODE_COLLECT; i <= MODE_LOCAL; i++)
		if (strcmp(names[i], name) == 0) {
			*mode = i;
			return true;
		}
	return false;
}

/* Returns false, having said so, if the line is not one of the four that there
 * are.  A line with `authfail` on it is one whatever else is there: it never
 * lets anyone in. */
static bool parse(pam_handle_t *pamh, int argc, const char **argv, enum mode *mode)
{
	bool good = argc <= 1;

	*mode = MODE_CHECK;
	for (int i = 0; i < argc; i++) {
		enum mode named = MODE_CHECK;

		if (!name_to_mode(argv[i], &named))
			good = false;
		if (*mode != MODE_AUTHFAIL)
			*mode = named;
	}
	if (!good)
		pam_syslog(pamh, LOG_ERR, "wrong arguments in the PAM configuration: "
			   "at most one of `collect`, `authfail`, `local` is understood");
	return good;
}

/* ---- Entry points ---------------------------------------------------- */

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	enum mode mode;
	int code = PAM_SERVICE_ERR;

	if (parse(pamh, argc, argv, &mode)) {
		/* A new login begins; what an earlier one collected is over. */
		if (mode == MODE_COLLECT)
			forget_kept(pamh);
		code = run_call(pamh, mode, FUNCTION_AUTHENTICATE, flags, argc, argv);
	}
	/* The password was wrong, so the login fails whatever the service says;
	 * and an outsider learns nothing from the code either. */
	return mode == MODE_AUTHFAIL ? PAM_AUTH_ERR : code;
}

/* The service is not asked: sshd calls this in another process than it
 * authenticated in, where libpam runs the stack afresh and acts on the answer. */
int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	enum mode mode;

	(void)flags;
	if (!parse(pamh, argc, argv, &mode))
		return PAM_SERVICE_ERR;
	switch (mode) {
	case MODE_AUTHFAIL:
		return PAM_CRED_ERR; /* the stacks' cred_err=ignore */
	case MODE_LOCAL:
		return PAM_IGNORE;
	default:
		return PAM_SUCCESS;
	}
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	enum mode mode;

	if (!parse(pamh, argc, argv, &mode))
		return PAM_SERVICE_ERR;
	return run_call(pamh, mode, FUNCTION_ACCT_MGMT, flags, argc, argv);
}
