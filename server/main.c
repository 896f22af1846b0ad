// SPDX-License-Identifier: BSD-3-Clause
/* iopmem-server: command line, start-up in order, the loop, shutdown in order. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "attr_watch.h"
#include "backing.h"
#include "base/log.h"
#include "dispatch.h"
#include "export.h"
#include "gss.h"
#include "journal.h"
#include "known.h"
#include "metrics_http.h"
#include "options.h"
#include "probe.h"
#include "reload.h"
#include "server.h"
#include "signals.h"

#define NOFILE_MAX 65536

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

static void on_fabric_event(void *arg, enum fabric_event ev, uint64_t clientid)
{
	static const char *const what[] = {
		[FABRIC_PEER_CONNECTED] = "connected",
		[FABRIC_PEER_DISCONNECTED] = "disconnected",
		[FABRIC_PEER_VIOLATION] = "used a key it does not have, connection ended",
	};

	if (clientid == PROBE_CLIENTID)
		return;
	if (ev == FABRIC_PEER_VIOLATION) {
		metrics_add(&((struct server *)arg)->metrics, METRIC_FABRIC_VIOLATIONS);
		log_warn("fabric: client %08x %s", (unsigned int)clientid, what[ev]);
	} else
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

static bool any_on_demand(const struct server *srv)
{
	unsigned int i;

	for (i = 0; i < srv->cfg.nr_exports; i++)
		if (!strcmp(srv->exports[i].info.memory, "odp"))
			return true;
	return false;
}

/* Before the exports, which choose their memory by it.  A fabric that cannot start says so itself. */
static void ask_demand(struct server *srv)
{
	struct iopmem_err err = { 0 };

	if (!strcmp(srv->cfg.fabric, "tcp") || fabric_demand("verbs", &srv->demand, &err))
		fabric_demand("tcp", &srv->demand, &err);
}

static int open_fabric_as(struct server *srv, const char *provider, struct iopmem_err *err)
{
	struct fabric_server_attr attr = { .provider = provider, .event = on_fabric_event, .arg = srv };
	const char *text = srv->cfg.fabric_listen[0] ? srv->cfg.fabric_listen : srv->cfg.listen;
	char host[64];
	int rc;

	rc = config_split_address(text, host, sizeof(host), &attr.port, err);
	if (rc)
		return rc;
	if (!srv->cfg.fabric_listen[0])
		attr.port = 0;
	/* All addresses: each client reaches the fabric where it reached us. */
	if (any_on_demand(srv))
		attr.demand = &srv->demand;
	attr.address = strcmp(host, "0.0.0.0") && strcmp(host, "::") ? host : NULL;
	rc = fabric_server_open(&attr, &srv->fabric, err);
	if (rc)
		return rc;
	fabric_server_info(srv->fabric, &srv->fabric_info);
	rc = probe_exports(srv, err);
	if (rc)
		fabric_server_close(srv->fabric);
	return rc;
}

/* In the log, and in "iopmemctl status". */
static void say_why(struct server *srv, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say_why(struct server *srv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(srv->fabric_why, sizeof(srv->fabric_why), fmt, ap);
	va_end(ap);
	log_info("fabric auto: %s", srv->fabric_why);
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
		snprintf(srv->fabric_why, sizeof(srv->fabric_why), "asked for by name");
		return open_fabric_as(srv, srv->cfg.fabric, err);
	}
	rc = -EOPNOTSUPP;
	if (other)
		say_why(srv, "tcp, because export '%s' (backing %s) has no memory a NIC can register",
			other->cfg->name, other->info.kind);
	else if ((rc = open_fabric_as(srv, "verbs", &why)))
		say_why(srv, "tcp, because verbs cannot start: %s", why.text);
	else
		say_why(srv, "verbs, because an RDMA device is there");
	return rc ? open_fabric_as(srv, "tcp", err) : 0;
}

static int start(struct server *srv, const struct options *options, struct iopmem_err *err)
{
	bool made = false;
	int rc;

	rc = make_state_dir(srv->cfg.state_dir, &made, err);
	if (!rc) {
		ask_demand(srv);
		rc = exports_open(srv, err);
	}
	if (rc)
		goto err_state_dir;
	if (exports_want_gss(srv))
		rc = gss_open(srv->cfg.keytab, err);
	if (rc)
		goto err_exports;
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
	rc = attr_watch_open(srv, err);
	if (!rc)
		rc = admin_open(srv, err);
	if (rc)
		goto err_fabric;
	rc = metrics_http_open(srv, err);
	if (rc)
		goto err_admin;
	rc = dispatch_open(srv, &srv->port, err);
	if (!rc)		/* last: what is refused leaves nothing behind */
		rc = handle_key_load(srv->cfg.state_dir, srv->handle_key, err);
	if (!rc)
		rc = known_open(srv, err);
	if (!rc)
		rc = reload_open(srv, options, err);
	if (!rc)
		rc = signals_start(srv, err);
	if (rc)
		goto err_http;
	log_info("serving %u export(s) on %s (port %u), fabric %s on port %u, lease %u ms, recall %u ms",
		 srv->cfg.nr_exports, srv->cfg.listen, srv->port, srv->fabric_info.provider,
		 srv->fabric_info.port, srv->cfg.lease_ms, srv->cfg.recall_ms);
	return 0;

err_http:
	reload_close(srv);
	metrics_http_close(srv);
err_admin:
	admin_close(srv);
err_fabric:
	attr_watch_close(srv->attr_watch);
	pool_free(srv->teardown_pool);
	pool_free(srv->fs_pool);
	loop_free(srv->loop);
	fabric_server_close(srv->fabric);
err_exports:
	gss_close();
	known_close(srv->known);
	exports_close(srv);
err_state_dir:
	if (made)
		rmdir(srv->cfg.state_dir);	/* only if nothing is in it */
	return rc;
}

/*
 * Descriptors: a connection takes one here and one at the fabric.  A file takes its own,
 * on xfs a layout's, and one while it is looked up.
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
	static struct options options;
	struct iopmem_err err = { 0 };
	size_t i;

	options_parse(&options, argc, argv, &srv.cfg);
	if (config_check(&srv.cfg, &err)) {
		fprintf(stderr, "iopmem-server: %s\n", err.text);
		return 1;
	}
	if (options.check_only) {
		config_print(&srv.cfg, stdout);
		return 0;
	}
	journal_open();
	log_set_level((enum log_level)srv.cfg.log_level);
	while (getrandom(srv.instance, sizeof(srv.instance), 0) != sizeof(srv.instance))
		;
	server_new_write_verifier(&srv);
	for (i = 0; i < sizeof(srv.instance); i++)
		snprintf(srv.instance_text + 2 * i, 3, "%02x", srv.instance[i]);
	umask(0);		/* modes are the callers', who applied theirs */
	signals_block();
	if (raise_limits(&srv, &err) || start(&srv, &options, &err)) {
		fprintf(stderr, "iopmem-server: %s\n", err.text);
		return 1;
	}
	server_run(&srv);
	loop_run(srv.loop);
	metrics_http_close(&srv);
	admin_close(&srv);
	/* I22: every way a segment ends has gone through one place, and nothing is left. */
	if (srv.usage.segments || srv.usage.regions || srv.usage.bytes)
		log_error("left behind: %u segments, %u regions, %llu bytes", srv.usage.segments,
			  srv.usage.regions, (unsigned long long)srv.usage.bytes);
	dispatch_close();
	pool_free(srv.teardown_pool);
	pool_free(srv.fs_pool);
	reload_close(&srv);
	attr_watch_close(srv.attr_watch);
	fabric_server_close(srv.fabric);
	gss_close();
	known_close(srv.known);
	exports_close(&srv);
	log_info("stopped");
	return 0;
}
