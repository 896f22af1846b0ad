// SPDX-License-Identifier: BSD-3-Clause
/* iopmem-server: command line, start-up in order, the loop, shutdown in order. */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backing.h"
#include "base/log.h"
#include "dispatch.h"
#include "export.h"
#include "server.h"

const char *argp_program_version = "iopmem-server " IOPMEM_VERSION;

#define NOFILE_MAX 65536

enum { OPT_FIRST = 256 };

/* Long options are the INI file's names of section [server]. */
static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "read an INI file; what follows on the command line wins", 0 },
	{ "export", 'e', "NAME=PATH[,OPTION=VALUE...]", 0,
	  "export a directory; options: backing=auto|xfs|dir, read-only=no|yes, "
	  "squash=root|none|all, anon-uid=N, anon-gid=N", 0 },
	{ "listen", OPT_FIRST + 0, "ADDRESS[:PORT]", 0, "numeric; default 127.0.0.1:20490", 0 },
	{ "fabric", OPT_FIRST + 1, "auto|tcp|verbs", 0,
	  "auto: verbs when there is an RDMA device and every export has memory for it", 0 },
	{ "fabric-listen", OPT_FIRST + 2, "ADDRESS[:PORT]", 0,
	  "default: the address of --listen, any port", 0 },
	{ "state-dir", OPT_FIRST + 3, "DIR", 0, "what must survive; default /var/lib/iopmem", 0 },
	{ "lease-ms", OPT_FIRST + 4, "MS", 0, "a client silent for so long is gone; default 20000", 0 },
	{ "recall-ms", OPT_FIRST + 5, "MS", 0, "from a recall to the fence; default 20000", 0 },
	{ "max-grant", OPT_FIRST + 6, "BYTES", 0, "of one layout segment; default 64 MiB", 0 },
	{ "max-connections", OPT_FIRST + 7, "N", 0, "default 512", 0 },
	{ "fs-threads", OPT_FIRST + 8, "N", 0, "helpers for file-system work; default 8", 0 },
	{ "log-level", OPT_FIRST + 9, "error|warn|info|debug", 0, "default info", 0 },
	{ 0 },
};

struct parsed {
	struct config *cfg;
	unsigned int from_file;		/* exports before the first --export */
	struct iopmem_err err;
};

/* It replaces a configuration file's export of that name, not another --export's. */
static int add_export(struct parsed *p, const char *spec)
{
	size_t len = strcspn(spec, "=");
	unsigned int i;

	for (i = p->from_file; i < p->cfg->nr_exports; i++)
		if (strlen(p->cfg->exports[i].name) == len &&
		    !strncmp(p->cfg->exports[i].name, spec, len))
			return err_msg(&p->err, EEXIST, "--export '%s': there is an export of that name", spec);
	return config_add_export(p->cfg, spec, &p->err);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parsed *p = state->input;
	const struct argp_option *o;
	int rc = 0;

	if (key == 'c') {
		rc = config_load(p->cfg, arg, &p->err);
		p->from_file = p->cfg->nr_exports;
	} else if (key == 'e')
		rc = add_export(p, arg);
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "unexpected argument '%s'", arg);
	else {
		for (o = options; o->name && o->key != key; o++)
			;
		if (!o->name || key < OPT_FIRST)
			return ARGP_ERR_UNKNOWN;
		rc = config_set(p->cfg, "server", o->name, arg, &p->err);
	}
	if (rc)
		argp_failure(state, 1, 0, "%s", p->err.text);
	return 0;
}

static const struct argp argp = {
	options, parse, NULL,
	"Leases extents of files in device memory to RDMA clients.\v"
	"The configuration file has a section [server] with the long options above and a "
	"section [export NAME] with path and the options of an export.", NULL, NULL, NULL,
};

/* ---- signals ---- */

struct stopper {
	struct job job;
	struct server *srv;
};

static void stop_done(struct job *job)
{
	server_stop(((struct stopper *)job)->srv);
	free(job);
}

static void *signal_thread(void *arg)
{
	struct server *srv = arg;
	struct stopper *s;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	for (;;) {
		if (sigwait(&set, &sig))
			continue;
		s = calloc(1, sizeof(*s));
		if (!s)
			continue;
		log_info("signal %d", sig);
		s->job.done = stop_done;
		s->srv = srv;
		loop_post(srv->loop, &s->job);
	}
	return NULL;
}

/* Before any thread: all inherit the mask. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	backing_block_signals();
}

/* ---- start-up ---- */

static int make_state_dir(const char *path, bool *made, struct iopmem_err *err)
{
	struct stat st;

	*made = !mkdir(path, 0700);
	if (!*made && errno != EEXIST)
		return err_set(err, errno, "make the state directory '%s'", path);
	if (!stat(path, &st) && !S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "use the state directory '%s'", path);
	if (access(path, W_OK | X_OK))
		return err_set(err, errno, "use the state directory '%s'", path);
	return 0;
}

/* Before anything is opened: the name of the option is known here. */
static int check_address(const char *option, const char *text, bool numeric,
			 struct iopmem_err *err)
{
	struct iopmem_err why = { 0 };
	unsigned char address[16];
	uint16_t port;
	char host[64];

	if (config_split_address(text, host, sizeof(host), &port, &why))
		return err_msg(err, why.code, "%s '%s': %s", option, text, why.text);
	if (numeric && inet_pton(AF_INET, host, address) != 1 &&
	    inet_pton(AF_INET6, host, address) != 1)
		return err_msg(err, EINVAL, "%s '%s': not a numeric address", option, text);
	return 0;
}

static void on_fabric_event(void *arg, enum fabric_event ev, uint64_t clientid)
{
	static const char *const what[] = {
		[FABRIC_PEER_CONNECTED] = "connected",
		[FABRIC_PEER_DISCONNECTED] = "disconnected",
		[FABRIC_PEER_VIOLATION] = "used a key it does not have, connection ended",
	};

	(void)arg;
	if (ev == FABRIC_PEER_VIOLATION)
		log_warn("fabric: client %08x %s", (unsigned int)clientid, what[ev]);
	else
		log_info("fabric: client %08x %s", (unsigned int)clientid, what[ev]);
}

static const struct export *export_without_addr(const struct server *srv)
{
	unsigned int i;

	for (i = 0; i < srv->cfg.nr_exports; i++)
		if (!srv->exports[i].info.has_addr || strcmp(srv->exports[i].info.kind, "xfs"))
			return &srv->exports[i];
	return NULL;
}

static int open_fabric_as(struct server *srv, const char *provider, struct iopmem_err *err)
{
	struct fabric_server_attr attr = { .provider = provider, .event = on_fabric_event };
	const char *text = srv->cfg.fabric_listen[0] ? srv->cfg.fabric_listen : srv->cfg.listen;
	char host[64];
	int rc;

	rc = config_split_address(text, host, sizeof(host), &attr.port, err);
	if (rc)
		return rc;
	if (!srv->cfg.fabric_listen[0])
		attr.port = 0;
	/* All addresses: each client reaches the fabric where it reached us. */
	attr.address = strcmp(host, "0.0.0.0") && strcmp(host, "::") ? host : NULL;
	return fabric_server_open(&attr, &srv->fabric, err);
}

/* A fabric asked for by name never falls back; "auto" says what it chose and why. */
static int open_fabric(struct server *srv, struct iopmem_err *err)
{
	const struct export *other = export_without_addr(srv);
	struct iopmem_err why = { 0 };
	int rc;

	if (strcmp(srv->cfg.fabric, "auto")) {
		if (!strcmp(srv->cfg.fabric, "verbs") && other)
			return err_msg(err, EINVAL, "fabric verbs: export '%s' (backing %s) has no memory a NIC can register",
				       other->cfg->name, other->info.kind);
		rc = open_fabric_as(srv, srv->cfg.fabric, err);
	} else {
		rc = -EOPNOTSUPP;
		if (other)
			log_info("fabric auto: tcp, because export '%s' (backing %s) has no memory a NIC can register",
				 other->cfg->name, other->info.kind);
		else if ((rc = open_fabric_as(srv, "verbs", &why)))
			log_info("fabric auto: tcp, because verbs cannot start: %s", why.text);
		else
			log_info("fabric auto: verbs, because an RDMA device is there");
		if (rc)
			rc = open_fabric_as(srv, "tcp", err);
	}
	if (!rc)
		fabric_server_info(srv->fabric, &srv->fabric_info);
	return rc;
}

static int start(struct server *srv, struct iopmem_err *err)
{
	pthread_t thread;
	bool made = false;
	uint16_t port;
	int rc;

	rc = check_address("listen", srv->cfg.listen, true, err);
	if (!rc && srv->cfg.fabric_listen[0])
		rc = check_address("fabric-listen", srv->cfg.fabric_listen, false, err);
	if (!rc)
		rc = make_state_dir(srv->cfg.state_dir, &made, err);
	if (!rc)
		rc = exports_open(srv, err);
	if (rc)
		goto err_state_dir;
	rc = open_fabric(srv, err);
	if (rc)
		goto err_exports;
	srv->loop = loop_new();
	srv->fs_pool = srv->loop ? pool_new(srv->loop, "fs", srv->cfg.fs_threads) : NULL;
	srv->teardown_pool = srv->fs_pool ? pool_new(srv->loop, "teardown", 4) : NULL;
	if (!srv->teardown_pool) {
		rc = err_set(err, ENOMEM, "start helper threads");
		goto err_fabric;
	}
	rc = dispatch_open(srv, &port, err);
	if (rc)
		goto err_fabric;
	if (pthread_create(&thread, NULL, signal_thread, srv)) {
		rc = err_set(err, ENOMEM, "start the signal thread");
		goto err_fabric;
	}
	pthread_detach(thread);
	log_info("serving %u export(s) on %s (port %u), fabric %s on port %u, lease %u ms, recall %u ms",
		 srv->cfg.nr_exports, srv->cfg.listen, port, srv->fabric_info.provider,
		 srv->fabric_info.port, srv->cfg.lease_ms, srv->cfg.recall_ms);
	return 0;

err_fabric:
	pool_free(srv->teardown_pool);
	pool_free(srv->fs_pool);
	loop_free(srv->loop);
	fabric_server_close(srv->fabric);
err_exports:
	exports_close(srv);
err_state_dir:
	if (made)
		rmdir(srv->cfg.state_dir);	/* only if nothing is in it */
	return rc;
}

/*
 * Descriptors: what libtirpc frees behind our back starts at 80 % of the limit, and
 * its table grows with it.  A file takes its own, on xfs a layout's, and one while
 * it is looked up.
 */
static int raise_limits(struct server *srv, struct iopmem_err *err)
{
	rlim_t reserved = 2 * (rlim_t)srv->cfg.max_connections + 64;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return err_set(err, errno, "getrlimit(RLIMIT_NOFILE)");
	rl.rlim_cur = rl.rlim_max < NOFILE_MAX ? rl.rlim_max : NOFILE_MAX;
	if (setrlimit(RLIMIT_NOFILE, &rl))
		return err_set(err, errno, "raise RLIMIT_NOFILE to %llu",
			       (unsigned long long)rl.rlim_cur);
	if (rl.rlim_cur < reserved + 3)
		return err_msg(err, EMFILE, "RLIMIT_NOFILE is %llu: too low for max-connections %u, which needs %llu",
			       (unsigned long long)rl.rlim_cur, srv->cfg.max_connections,
			       (unsigned long long)reserved + 3);
	srv->max_files = (unsigned int)(rl.rlim_cur - reserved) / 3;
	return 0;
}

int main(int argc, char **argv)
{
	static struct server srv;
	struct parsed parsed = { .cfg = &srv.cfg };
	struct iopmem_err err = { 0 };

	config_init(&srv.cfg);
	argp_parse(&argp, argc, argv, 0, NULL, &parsed);
	if (config_check(&srv.cfg, &err)) {
		fprintf(stderr, "iopmem-server: %s\n", err.text);
		return 1;
	}
	log_set_level((enum log_level)srv.cfg.log_level);
	while (getrandom(srv.instance, sizeof(srv.instance), 0) != sizeof(srv.instance))
		;
	umask(0);		/* modes are the callers', who applied theirs */
	block_signals();
	if (raise_limits(&srv, &err) || start(&srv, &err)) {
		fprintf(stderr, "iopmem-server: %s\n", err.text);
		return 1;
	}
	loop_run(srv.loop);
	dispatch_close();
	pool_free(srv.teardown_pool);
	pool_free(srv.fs_pool);
	fabric_server_close(srv.fabric);
	exports_close(&srv);
	log_info("stopped");
	return 0;
}
