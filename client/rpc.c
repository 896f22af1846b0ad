// SPDX-License-Identifier: BSD-3-Clause
#include "rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gss.h"
#include "wire.h"

#define CRED_GROUPS_MAX 16	/* AUTH_SYS, RFC 5531 appendix A */

/*
 * clnt_vc_create() wants libtirpc's one AUTH_NONE and makes it if there is none, which two threads
 * find at once: it looks before it locks (seen with 1.3.3).
 */
static void make_authnone(void)
{
	authnone_create();
}

static pthread_once_t authnone_once = PTHREAD_ONCE_INIT;

void channel_init(struct rpc_channel *ch, const struct rpc_target *target)
{
	pthread_once(&authnone_once, make_authnone);
	memset(ch, 0, sizeof(*ch));
	pthread_mutex_init(&ch->lock, NULL);
	pthread_mutex_init(&ch->fd_lock, NULL);
	ch->target = target;
	ch->fd = -1;
}

/* ---- SIGPIPE ---- */

struct sigpipe_guard {
	sigset_t old;
	bool was_pending;
};

static void sigpipe_block(struct sigpipe_guard *g)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &g->old);
	sigpending(&pending);
	g->was_pending = sigismember(&pending, SIGPIPE) == 1;
}

static void sigpipe_restore(const struct sigpipe_guard *g)
{
	const struct timespec now = { 0, 0 };
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigpending(&pending);
	if (!g->was_pending && sigismember(&pending, SIGPIPE) == 1)
		while (sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}

/* ---- connecting ---- */

/* A channel that is aborted takes no new socket. */
static int publish_fd(struct rpc_channel *ch, int fd)
{
	bool aborted;

	pthread_mutex_lock(&ch->fd_lock);
	aborted = ch->aborted && fd >= 0;
	if (!aborted)
		ch->fd = fd;
	pthread_mutex_unlock(&ch->fd_lock);
	return aborted ? -ECANCELED : 0;
}

static void close_channel(struct rpc_channel *ch)
{
	struct sigpipe_guard guard;

	if (!ch->clnt)
		return;
	publish_fd(ch, -1);
	sigpipe_block(&guard);
	if (ch->target->sec == URL_SEC_SYS) {
		auth_destroy(ch->clnt->cl_auth);
	} else {
		gss_auth_free(ch->clnt->cl_auth);
	}
	clnt_destroy(ch->clnt);		/* closes the socket */
	sigpipe_restore(&guard);
	ch->clnt = NULL;
}

void channel_fini(struct rpc_channel *ch)
{
	close_channel(ch);
	pthread_mutex_destroy(&ch->lock);
	pthread_mutex_destroy(&ch->fd_lock);
}

void channel_abort(struct rpc_channel *ch)
{
	pthread_mutex_lock(&ch->fd_lock);
	ch->aborted = true;
	if (ch->fd >= 0)
		shutdown(ch->fd, SHUT_RDWR);
	pthread_mutex_unlock(&ch->fd_lock);
}

static AUTH *make_cred(void)
{
	gid_t groups[NGROUPS_MAX > 65536 ? 65536 : NGROUPS_MAX];
	char host[256] = "localhost";
	int n = getgroups((int)(sizeof(groups) / sizeof(groups[0])), groups);

	gethostname(host, sizeof(host) - 1);
	if (n < 0)
		n = 0;
	if (n > CRED_GROUPS_MAX)
		n = CRED_GROUPS_MAX;
	return authunix_create(host, geteuid(), getegid(), n, groups);
}

static int wait_connected(int fd, uint32_t timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int n, cause = 0;

	do
		n = poll(&pfd, 1, (int)timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len))
		return -errno;
	return -cause;
}

/* Returns a connected, blocking socket or -errno. */
static int connect_one(const struct addrinfo *ai, uint32_t timeout_ms)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000 + 1 };
	int fd, one = 1, ret = 0;

	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen))
		ret = errno == EINPROGRESS ? wait_connected(fd, timeout_ms) : -errno;
	if (!ret && fcntl(fd, F_SETFL, 0) < 0)
		ret = -errno;
	if (ret) {
		close(fd);
		return ret;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

static int make_auth(struct rpc_channel *ch, CLIENT *clnt, AUTH **auth, struct iopmem_err *err)
{
	struct sigpipe_guard guard;
	int ret;

	if (ch->target->sec == URL_SEC_SYS) {
		*auth = make_cred();
		return *auth ? 0 : -ENOMEM;
	}
	sigpipe_block(&guard);
	ret = gss_auth(clnt, ch->target->host, ch->target->sec, auth, err);
	sigpipe_restore(&guard);
	return ret;
}

static int make_clnt(struct rpc_channel *ch, int fd, const struct addrinfo *ai,
		     struct iopmem_err *err)
{
	struct netbuf nb = {
		.maxlen = ai->ai_addrlen, .len = ai->ai_addrlen, .buf = ai->ai_addr,
	};
	struct sigpipe_guard guard;
	AUTH *auth;
	CLIENT *clnt;
	int ret;

	getnameinfo(ai->ai_addr, ai->ai_addrlen, ch->peer, sizeof(ch->peer), NULL, 0,
		    NI_NUMERICHOST);
	sigpipe_block(&guard);
	clnt = clnt_vc_create(fd, &nb, IOPMEM_PROGRAM, IOPMEM_V1, 0, 0);
	sigpipe_restore(&guard);
	if (!clnt) {
		close(fd);
		return -ENOMEM;
	}
	clnt_control(clnt, CLSET_FD_CLOSE, NULL);
	ret = make_auth(ch, clnt, &auth, err);
	if (ret) {
		clnt_destroy(clnt);
		return ret;
	}
	auth_destroy(clnt->cl_auth);
	clnt->cl_auth = auth;
	ch->clnt = clnt;
	if (publish_fd(ch, fd)) {
		close_channel(ch);
		return -ECANCELED;
	}
	return 0;
}

static int resolve_error(int rc)
{
	switch (rc) {
	case EAI_SYSTEM:
		return errno ? errno : EIO;
	case EAI_MEMORY:
		return ENOMEM;
	case EAI_AGAIN:
		return EAGAIN;
	default:
		return EHOSTUNREACH;
	}
}

int channel_connect(struct rpc_channel *ch, uint32_t timeout_ms, struct iopmem_err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	const char *host = ch->target->host;
	const char *fmt = strchr(host, ':') ? "connect to [%s]:%u" : "connect to %s:%u";
	struct iopmem_err cause = { 0 };
	struct addrinfo *list, *ai;
	int ret = -EHOSTUNREACH, fd = -1, rc;
	char port[8];

	if (ch->clnt)
		return 0;
	snprintf(port, sizeof(port), "%u", ch->target->port);
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc)
		return err_msg(err, resolve_error(rc), "resolve '%s': %s", host, gai_strerror(rc));
	for (ai = list; ai; ai = ai->ai_next) {
		fd = connect_one(ai, timeout_ms);
		if (fd >= 0)
			break;
		ret = fd;
	}
	if (fd >= 0)
		ret = make_clnt(ch, fd, ai, &cause);
	freeaddrinfo(list);
	if (ret && cause.code)
		return err_msg(err, -ret, "%s:%u: %s", host, ch->target->port, cause.text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (ret)
		err_set(err, -ret, fmt, host, ch->target->port);
#pragma GCC diagnostic pop
	return ret;
}

/* ---- calls ---- */

static int clnt_stat_errno(enum clnt_stat st, int sys)
{
	switch (st) {
	case RPC_TIMEDOUT:
		return -ETIMEDOUT;
	case RPC_CANTSEND:
	case RPC_CANTRECV:
		return sys == ETIMEDOUT ? -ETIMEDOUT : -ECONNRESET;
	case RPC_VERSMISMATCH:
	case RPC_PROGUNAVAIL:
	case RPC_PROGVERSMISMATCH:
	case RPC_PROCUNAVAIL:
		return -EPROTONOSUPPORT;
	case RPC_AUTHERROR:
		return -EACCES;
	case RPC_SYSTEMERROR:
		return -EREMOTEIO;
	default:
		return -EBADMSG;
	}
}

int channel_call(struct rpc_channel *ch, uint32_t proc, xdrproc_t xargs, void *args,
	     xdrproc_t xres, void *res, uint32_t timeout_ms, struct iopmem_err *err)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000,
			      .tv_usec = (timeout_ms % 1000) * 1000L };
	struct sigpipe_guard guard;
	struct rpc_err cause = { 0 };
	enum clnt_stat st;
	bool aborted;
	int ret;

	ret = channel_connect(ch, timeout_ms, err);
	if (ret)
		return ret;
	sigpipe_block(&guard);
	st = clnt_call(ch->clnt, proc, xargs, args, xres, res, tv);
	sigpipe_restore(&guard);
	if (st == RPC_SUCCESS)
		return 0;
	clnt_geterr(ch->clnt, &cause);
	close_channel(ch);
	pthread_mutex_lock(&ch->fd_lock);
	aborted = ch->aborted;
	pthread_mutex_unlock(&ch->fd_lock);
	ret = aborted ? -ECANCELED : clnt_stat_errno(st, cause.re_errno);
	return err_msg(err, -ret, "%s:%u: %s", ch->target->host, ch->target->port,
		       clnt_sperrno(st));
}
