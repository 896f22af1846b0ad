// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "iopmem-server " IOPMEM_VERSION;

enum { OPT_CHECK = 256, OPT_FIRST };

/* Long options are the INI file's names of section [server]. */
static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "read an INI file; what follows on the command line wins", 0 },
	{ "check-config", OPT_CHECK, NULL, 0,
	  "print the configuration as an INI file, or what is wrong with it, and end", 0 },
	{ "export", 'e', "NAME=PATH[,OPTION=VALUE...]", 0,
	  "export a directory; options: backing=auto|xfs|dir, read-only=no|yes, "
	  "hosts='RULE RULE...', sec=sys:krb5:krb5i:krb5p, secure=no|yes, "
	  "squash=root|none|all, anon-uid=N, anon-gid=N, memory=auto|pin|odp|dmabuf", 0 },
	{ "listen", OPT_FIRST + 0, "ADDRESS[:PORT]", 0, "numeric; default 127.0.0.1:20490", 0 },
	{ "fabric", OPT_FIRST + 1, "auto|tcp|verbs", 0,
	  "auto: verbs when there is an RDMA device and every export has memory for it", 0 },
	{ "fabric-listen", OPT_FIRST + 2, "ADDRESS[:PORT]", 0,
	  "default: the address of --listen, any port", 0 },
	{ "state-dir", OPT_FIRST + 3, "DIR", 0, "what must survive; default /var/lib/iopmem", 0 },
	{ "lease-ms", OPT_FIRST + 4, "MS", 0, "a client silent for so long is gone; default 20000", 0 },
	{ "recall-ms", OPT_FIRST + 5, "MS", 0, "from a recall to the fence; default 20000", 0 },
	{ "recall-max-ms", OPT_FIRST + 11, "MS", 0,
	  "the same of a client that makes progress; default twice recall-ms, at most 40000", 0 },
	{ "hold-ms", OPT_FIRST + 26, "MS", 0,
	  "a layout is not recalled for another client before; default 20", 0 },
	{ "courtesy-ms", OPT_FIRST + 12, "MS", 0,
	  "a client whose lease is over is kept so long, unless somebody wants what it holds; "
	  "default 600000", 0 },
	{ "max-grant", OPT_FIRST + 6, "BYTES", 0, "of one layout segment; default 64 MiB", 0 },
	{ "max-connections", OPT_FIRST + 7, "N", 0, "default 512", 0 },
	{ "max-clients", OPT_FIRST + 13, "N", 0, "default 1024", 0 },
	{ "max-regions", OPT_FIRST + 14, "N", 0,
	  "memory regions of all clients; clients are asked to give some back when nine tenths "
	  "are out; default 1048576", 0 },
	{ "client-opens", OPT_FIRST + 15, "N", 0, "of one client; default 4096", 0 },
	{ "client-segments", OPT_FIRST + 16, "N", 0, "of layouts of one client; default 65536", 0 },
	{ "client-regions", OPT_FIRST + 17, "N", 0, "memory regions of one client; default 65536", 0 },
	{ "client-bytes", OPT_FIRST + 18, "BYTES", 0, "leased by one client; default 1 TiB", 0 },
	{ "client-calls", OPT_FIRST + 19, "N", 0, "of one client in progress; default 64", 0 },
	{ "client-events", OPT_FIRST + 20, "N", 0, "a client has not taken yet; default 65536", 0 },
	{ "client-tombstones", OPT_FIRST + 21, "N", 0,
	  "fenced layouts of one client that are remembered; default 1024", 0 },
	{ "fs-threads", OPT_FIRST + 8, "N", 0, "helpers for file-system work; default 8", 0 },
	{ "probe", OPT_FIRST + 10, "require|warn|off", 0,
	  "NICs write and read each card before they serve: a failure ends verbs (require, the "
	  "default), is logged (warn)", 0 },
	{ "keytab", OPT_FIRST + 22, "FILE", 0, "keys of iopmem/HOST for sec=krb5; default: the system's", 0 },
	{ "admin-socket", OPT_FIRST + 23, "PATH", 0,
	  "for iopmemctl; default " CONFIG_DEFAULT_ADMIN_SOCKET
	  ", or admin.sock in another state-dir", 0 },
	{ "admin-group", OPT_FIRST + 24, "GROUP", 0,
	  "its members may use it besides root; default none", 0 },
	{ "metrics-listen", OPT_FIRST + 25, "[ADDRESS]:PORT", 0,
	  "HTTP for Prometheus; without address on 127.0.0.1; default off", 0 },
	{ "log-level", OPT_FIRST + 9, "error|warn|info|debug", 0, "default info", 0 },
	{ 0 },
};

struct parsed {
	struct config *cfg;
	bool check_only;
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
	} else if (key == OPT_CHECK)
		p->check_only = true;
	else if (key == 'e')
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
		argp_failure(state, 1, 0, "%s", p->err.text);	/* ends, unless ARGP_NO_EXIT */
	return rc ? EINVAL : 0;
}

static const struct argp argp = {
	options, parse, NULL,
	"Leases extents of files in device memory to RDMA clients.\v"
	"The configuration file has a section [server] with the long options above and a "
	"section [export NAME] with path and the options of an export.", NULL, NULL, NULL,
};

void options_parse(struct options *o, int argc, char **argv, struct config *cfg)
{
	struct parsed p = { .cfg = cfg };
	size_t size = ((size_t)argc + 1) * sizeof(*argv);

	o->argc = argc;
	o->argv = malloc(size);
	if (!o->argv) {
		fprintf(stderr, "iopmem-server: out of memory\n");
		exit(1);
	}
	memcpy(o->argv, argv, size);
	config_init(cfg);
	argp_parse(&argp, argc, argv, 0, NULL, &p);
	o->check_only = p.check_only;
}

int options_parse_again(const struct options *o, struct config *cfg, struct iopmem_err *err)
{
	struct parsed p = { .cfg = cfg };
	size_t size = ((size_t)o->argc + 1) * sizeof(*o->argv);
	char **argv = malloc(size);
	int rc;

	if (!argv)
		return err_set(err, ENOMEM, "read the configuration");
	memcpy(argv, o->argv, size);
	config_init(cfg);
	rc = argp_parse(&argp, o->argc, argv, ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &p);
	free(argv);
	if (rc)
		return err_msg(err, rc, "%s", p.err.code ? p.err.text : strerror(rc));
	return config_check(cfg, err);
}
