/* The messages between the bridge (pam_totp.so) and the service (pam-totpd).
 *
 * This header is the one description of the wire.  The Python end
 * (pam_totp/bridge/wire.py) uses the same names and numbers; a test reads this
 * file and compares them.
 *
 * Transport   AF_UNIX, SOCK_SEQPACKET, one message per datagram, one
 *             connection per PAM call.  A message is 1 to 65,536 bytes; an empty
 *             one, a truncated one or one of another version is a broken peer.
 *
 * Message     byte 0   WIRE_VERSION
 *             byte 1   the type, below
 *             then the type's fields, in order, with nothing after the last
 *
 * Fields      number   4 bytes, unsigned, big-endian
 *             text     a number, the length in bytes, then so many bytes, none
 *                      of them NUL; the length WIRE_ABSENT and no bytes where
 *                      there is no value (a NULL in C, None in Python)
 *             text*    a number, how many, then so many texts
 *
 * Sequence    The bridge sends CALL.  Then the service asks and the bridge
 *             answers each question with one REPLY, until the service sends
 *             FINISH; then both close.  There are at most WIRE_MAX_REQUESTS
 *             questions in a call.
 *
 * From the bridge
 *   CALL         number function   FUNCTION_AUTHENTICATE or FUNCTION_ACCT_MGMT
 *                number flags      as libpam gave them
 *                text*  argv       the arguments of the stack's line
 *                text   service, user, rhost, tty, ruser     PAM items, in this order
 *                number kept       1 if a value waits for TAKE, which saves asking, else 0
 *                number caller     the uid of who started the host: its real uid, or, where
 *                                  that is 0, the real uid that it had when it was executed
 *   REPLY        number code       a PAM return code: what the request came to
 *                text*  values     as the request says; none unless the code is PAM_SUCCESS
 *
 * From the service
 *   CONVERSE     number count      1 to WIRE_MAX_MESSAGES, then so many pairs of
 *                number style      PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON,
 *                                  PAM_ERROR_MSG or PAM_TEXT_INFO
 *                text   text       shown as it is, never as a format
 *                                  -> one value for each pair, absent where the
 *                                     application gave none; PAM_CONV_ERR if one is
 *                                     longer than PAM_MAX_RESP_SIZE
 *   GET_ITEM     number item       a PAM item that is a string -> one value
 *   SET_ITEM     number item
 *                text   value      may be absent -> no value; PAM_SERVICE, which names
 *                                  the application's stack, is PAM_PERM_DENIED
 *   GET_USER     text   prompt     pam_get_user; absent for libpam's own prompt -> one value
 *   GET_AUTHTOK  text   prompt     pam_get_authtok(PAM_AUTHTOK); absent likewise -> one value
 *   GETENV       text   name       pam_getenv -> one value
 *   PUTENV       text   assignment pam_putenv: NAME=value, NAME= or NAME -> no value
 *   GETENVLIST                     pam_getenvlist -> one value for each variable
 *   KEEP         text   value      keep it on this PAM handle, bound to PAM_USER -> no value;
 *                                  PAM_USER_UNKNOWN where that is not set
 *   TAKE                           what was kept, which is then gone -> one value, absent
 *                                  if there is none or it belongs to another user
 *   FAIL_DELAY   number usec       pam_fail_delay, in microseconds -> no value
 *   FINISH       number code       the PAM code that the call returns; no REPLY; nothing
 *                                  after it is read
 *
 * Every value of a reply may be absent: what PAM has as NULL.  Values that do
 * not fit into a message are answered PAM_BUF_ERR; an item that is unknown or
 * no string, PAM_BAD_ITEM.  Anything else is a broken peer: unknown types,
 * styles and PAM codes, counts out of their range, fields too short or left
 * over, an absent text where none is said to be.
 *
 * The password leaves the host only on `collect` and `local` lines: elsewhere
 * GET_AUTHTOK, and GET_ITEM or SET_ITEM of PAM_AUTHTOK or PAM_OLDAUTHTOK, are
 * answered PAM_PERM_DENIED, and an answer to CONVERSE that is the password is absent.
 */
#ifndef PAM_TOTP_WIRE_H
#define PAM_TOTP_WIRE_H

#define WIRE_VERSION 1
#define WIRE_MAX_MESSAGE 65536
#define WIRE_MAX_MESSAGES 32
#define WIRE_MAX_REQUESTS 1000
#define WIRE_ABSENT 0xffffffffu

enum wire_function {
	FUNCTION_AUTHENTICATE = 1,
	FUNCTION_ACCT_MGMT = 2,
};

enum wire_type {
	WIRE_CALL = 1,
	WIRE_REPLY = 2,

	WIRE_CONVERSE = 16,
	WIRE_GET_ITEM = 17,
	WIRE_SET_ITEM = 18,
	WIRE_GET_USER = 19,
	WIRE_GET_AUTHTOK = 20,
	WIRE_GETENV = 21,
	WIRE_PUTENV = 22,
	WIRE_GETENVLIST = 23,
	WIRE_KEEP = 24,
	WIRE_TAKE = 25,
	WIRE_FAIL_DELAY = 26,
	WIRE_FINISH = 32,
};

#endif
