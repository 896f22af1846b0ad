// SPDX-License-Identifier: BSD-3-Clause
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hosts.h"
#include "sec.h"

/* Below what the kernel gives a "dir" export (fs.lease-break-time, 45 s by default). */
#define RECALL_MAX_MS 40000

void config_init(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->listen, sizeof(cfg->listen), "127.0.0.1:%d", CONFIG_DEFAULT_PORT);
	strcpy(cfg->fabric, "auto");
	strcpy(cfg->state_dir, CONFIG_DEFAULT_STATE_DIR);
	cfg->probe = PROBE_REQUIRE;
	cfg->lease_ms = 20000;
	cfg->recall_ms = 20000;
	cfg->hold_ms = 20;
	cfg->max_grant = 64ULL << 20;
	cfg->courtesy_ms = 600000;
	cfg->max_connections = 512;
	cfg->max_clients = 1024;
	cfg->max_regions = 1 << 20;
	cfg->client_opens = 4096;
	cfg->client_segments = 65536;
	cfg->client_regions = 65536;
	cfg->client_bytes = 1ULL << 40;
	cfg->client_calls = 64;
	cfg->client_events = 65536;
	cfg->client_tombstones = 1024;
	cfg->fs_threads = 8;
	cfg->log_level = LOG_LEVEL_INFO;
}

uint32_t config_recall_max(const struct config *cfg)
{
	uint32_t max = cfg->recall_ms <= RECALL_MAX_MS / 2 ? 2 * cfg->recall_ms : RECALL_MAX_MS;

	if (cfg->recall_max_ms)
		max = cfg->recall_max_ms;
	return max > cfg->recall_ms ? max : cfg->recall_ms;
}

#define SERVER(opt, kind, field, lo, hi, names, live) \
	{ opt, kind, offsetof(struct config, field), lo, hi, names, live }
#define SERVER_TEXT(opt, kind, field) \
	SERVER(opt, kind, field, 0, sizeof(((struct config *)0)->field) - 1, NULL, false)
#define EXPORT(opt, kind, field, lo, hi, names, live) \
	{ opt, kind, offsetof(struct config_export, field), lo, hi, names, live }

static const char *const fabrics[] = { "auto", "tcp", "verbs", NULL };
static const char *const probes[] = { "require", "warn", "off", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const backings[] = { "auto", "xfs", "dir", NULL };
static const char *const memories[] = { "auto", "pin", "odp", "dmabuf", NULL };
static const char *const squashes[] = { "root", "none", "all", NULL };

const struct config_option config_server_options[] = {
	SERVER_TEXT("listen", CONFIG_TEXT, listen),
	SERVER("fabric", CONFIG_WORD, fabric, 0, 15, fabrics, false),
	SERVER_TEXT("fabric-listen", CONFIG_TEXT, fabric_listen),
	SERVER("probe", CONFIG_CHOICE, probe, 0, 0, probes, false),
	SERVER_TEXT("state-dir", CONFIG_PATH, state_dir),
	SERVER_TEXT("admin-socket", CONFIG_PATH, admin_socket),
	SERVER_TEXT("admin-group", CONFIG_TEXT, admin_group),
	SERVER_TEXT("metrics-listen", CONFIG_TEXT, metrics_listen),
	SERVER("lease-ms", CONFIG_NUMBER32, lease_ms, 1000, 3600000, NULL, true),
	SERVER("recall-ms", CONFIG_NUMBER32, recall_ms, 100, 3600000, NULL, true),
	SERVER("recall-max-ms", CONFIG_NUMBER32, recall_max_ms, 0, 3600000, NULL, true),
	SERVER("hold-ms", CONFIG_NUMBER32, hold_ms, 0, 60000, NULL, true),
	SERVER("courtesy-ms", CONFIG_NUMBER32, courtesy_ms, 0, 604800000, NULL, true),
	SERVER("max-grant", CONFIG_NUMBER64, max_grant, 1 << 20, 1ULL << 40, NULL, true),
	SERVER("max-connections", CONFIG_NUMBER32, max_connections, 4, 3000, NULL, false),
	SERVER("max-clients", CONFIG_NUMBER32, max_clients, 1, 1 << 20, NULL, true),
	SERVER("max-regions", CONFIG_NUMBER32, max_regions, 1, 1 << 30, NULL, true),
	SERVER("client-opens", CONFIG_NUMBER32, client_opens, 1, 1 << 20, NULL, true),
	SERVER("client-segments", CONFIG_NUMBER32, client_segments, 1, 1 << 30, NULL, true),
	SERVER("client-regions", CONFIG_NUMBER32, client_regions, 1, 1 << 30, NULL, true),
	SERVER("client-bytes", CONFIG_NUMBER64, client_bytes, 1 << 20, 1ULL << 60, NULL, true),
	SERVER("client-calls", CONFIG_NUMBER32, client_calls, 2, 1 << 20, NULL, true),
	SERVER("client-events", CONFIG_NUMBER32, client_events, 1, 1 << 30, NULL, true),
	SERVER("client-tombstones", CONFIG_NUMBER32, client_tombstones, 0, 1 << 20, NULL, true),
	SERVER("fs-threads", CONFIG_NUMBER32, fs_threads, 1, 256, NULL, false),
	SERVER_TEXT("keytab", CONFIG_PATH, keytab),
	SERVER("log-level", CONFIG_CHOICE, log_level, 0, 0, levels, true),
	{ 0 },
};

const struct config_option config_export_options[] = {
	EXPORT("path", CONFIG_PATH, path, 0, 4096, NULL, false),
	EXPORT("backing", CONFIG_WORD, backing, 0, 15, backings, false),
	EXPORT("memory", CONFIG_WORD, memory, 0, 7, memories, false),
	EXPORT("read-only", CONFIG_BOOL, read_only, 0, 0, NULL, true),
	EXPORT("hosts", CONFIG_TEXT, hosts, 0, 4096, NULL, true),
	EXPORT("sec", CONFIG_TEXT, sec, 0, 63, NULL, true),
	EXPORT("secure", CONFIG_BOOL, secure, 0, 0, NULL, true),
	EXPORT("squash", CONFIG_CHOICE, squash, 0, 0, squashes, true),
	EXPORT("anon-uid", CONFIG_NUMBER32, anon_uid, 0, UINT32_MAX - 1, NULL, true),
	EXPORT("anon-gid", CONFIG_NUMBER32, anon_gid, 0, UINT32_MAX - 1, NULL, true),
	{ 0 },
};

static const struct config_option *find_option(const struct config_option *o, const char *name)
{
	while (o->name && strcmp(o->name, name))
		o++;
	return o->name ? o : NULL;
}

static int set_export(struct config_export *e, const char *name, const char *value,
		      struct iopmem_err *err)
{
	const struct config_option *o = find_option(config_export_options, name);
	char what[128];

	snprintf(what, sizeof(what), "export '%.64s': %.40s", e->name, name);
	return o ? config_option_set(o, e, value, what, err) :
		   err_msg(err, EINVAL, "%s: unknown option", what);
}

static int set_server(struct config *cfg, const char *name, const char *value,
		      struct iopmem_err *err)
{
	const struct config_option *o = find_option(config_server_options, name);

	return o ? config_option_set(o, cfg, value, name, err) :
		   err_msg(err, EINVAL, "unknown option '%s'", name);
}

static struct config_export *find_export(struct config *cfg, const char *name,
					 struct iopmem_err *err)
{
	struct config_export *e;
	unsigned int i;

	for (i = 0; i < cfg->nr_exports; i++)
		if (!strcmp(cfg->exports[i].name, name))
			return &cfg->exports[i];
	if (cfg->nr_exports == CONFIG_EXPORTS_MAX) {
		err_msg(err, ENOSPC, "export '%s': more than %d exports", name,
			CONFIG_EXPORTS_MAX);
		return NULL;
	}
	if (!*name || strlen(name) >= sizeof(e->name) || strpbrk(name, "/ \t,=")) {
		err_msg(err, EINVAL, "export '%s': a name has 1 to 64 characters, none of '/,='",
			name);
		return NULL;
	}
	e = &cfg->exports[cfg->nr_exports++];
	strcpy(e->name, name);
	strcpy(e->backing, "auto");
	strcpy(e->sec, "sys");
	e->anon_uid = 65534;
	e->anon_gid = 65534;
	return e;
}

int config_set(struct config *cfg, const char *section, const char *name,
	       const char *value, struct iopmem_err *err)
{
	struct config_export *e;

	if (!strcmp(section, "server"))
		return set_server(cfg, name, value, err);
	if (strncmp(section, "export ", 7))
		return err_msg(err, EINVAL, "unknown section [%s]", section);
	e = find_export(cfg, section + 7, err);
	return e ? set_export(e, name, value, err) : -EINVAL;
}

int config_add_export(struct config *cfg, const char *spec, struct iopmem_err *err)
{
	char section[80], copy[PATH_MAX + 256];
	char *save = NULL, *word, *eq;
	int rc;

	eq = strchr(spec, '=');
	if (!eq || eq - spec > 64 || strlen(spec) >= sizeof(copy))
		return err_msg(err, EINVAL, "--export '%s': not NAME=PATH[,option=value...]", spec);
	snprintf(section, sizeof(section), "export %.*s", (int)(eq - spec), spec);
	strcpy(copy, eq + 1);
	word = strtok_r(copy, ",", &save);
	rc = config_set(cfg, section, "path", word ? word : "", err);
	while (!rc && (word = strtok_r(NULL, ",", &save))) {
		eq = strchr(word, '=');
		if (!eq)
			return err_msg(err, EINVAL, "--export '%s': '%s' is not option=value",
				       spec, word);
		*eq = '\0';
		rc = config_set(cfg, section, word, eq + 1, err);
	}
	return rc;
}

struct load {
	struct config *cfg;
	struct iopmem_err first;
	int first_line;			/* where it is */
	FILE *file;
	int line;			/* read last */
	int too_long;			/* line; 0 none */
	int read_errno;
};

static int on_option(void *user, const char *section, const char *name, const char *value)
{
	struct load *load = user;

	if (!config_set(load->cfg, section, name, value, &load->first))
		return 1;
	if (!load->first_line)
		load->first_line = load->line;
	return 0;
}

/* inih's buffer is small, and what does not fit would count as a line of its own. */
static char *read_line(char *buf, int size, void *arg)
{
	struct load *load = arg;

	if (!fgets(buf, size, load->file)) {
		load->read_errno = ferror(load->file) ? errno : 0;
		return NULL;
	}
	load->line++;
	if (strchr(buf, '\n') || feof(load->file))
		return buf;
	load->too_long = load->line;
	return NULL;
}

int config_load(struct config *cfg, const char *path, struct iopmem_err *err)
{
	struct load load = { .cfg = cfg, .file = fopen(path, "re") };
	int line;

	if (!load.file)
		return err_set(err, errno, "read configuration '%s'", path);
	line = ini_parse_stream(read_line, &load, on_option, &load);
	fclose(load.file);
	if (load.read_errno)
		return err_set(err, load.read_errno, "read configuration '%s'", path);
	if (!line && load.too_long)
		return err_msg(err, EINVAL, "%s:%d: the line is too long", path, load.too_long);
	if (line > 0)
		return err_msg(err, EINVAL, "%s:%d: %s", path, line,
			       load.first_line == line ? load.first.text : "not 'name = value'");
	if (line < 0)
		return err_msg(err, ENOMEM, "read configuration '%s': out of memory", path);
	return 0;
}

/* The name of the option is known here, nothing is open yet. */
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

static int check_export(const struct config_export *e, struct iopmem_err *err)
{
	struct iopmem_err why = { 0 };
	struct hosts *hosts = NULL;
	uint32_t mask;
	int rc;

	if (!e->path[0])
		return err_msg(err, EINVAL, "export '%s': has no path", e->name);
	rc = hosts_parse(e->hosts, &hosts, &why);
	hosts_free(hosts);
	if (!rc)
		rc = sec_parse(e->sec, &mask, &why);
	return rc ? err_msg(err, why.code, "export '%s': %s", e->name, why.text) : 0;
}

void config_metrics_address(const struct config *cfg, char *text, size_t size)
{
	snprintf(text, size, "%s%s", cfg->metrics_listen[0] == ':' ? "127.0.0.1" : "",
		 cfg->metrics_listen);
}

int config_check(const struct config *cfg, struct iopmem_err *err)
{
	char metrics[sizeof(cfg->metrics_listen) + 16];
	unsigned int i;
	int rc = 0;

	if (!cfg->nr_exports)
		return err_msg(err, EINVAL, "no export: give --export NAME=PATH or a configuration file");
	for (i = 0; i < cfg->nr_exports && !rc; i++)
		rc = check_export(&cfg->exports[i], err);
	if (!rc)
		rc = check_address("listen", cfg->listen, true, err);
	if (!rc && cfg->fabric_listen[0])
		rc = check_address("fabric-listen", cfg->fabric_listen, false, err);
	config_metrics_address(cfg, metrics, sizeof(metrics));
	if (!rc && cfg->metrics_listen[0])
		rc = check_address("metrics-listen", metrics, true, err);
	return rc;
}

void config_print(const struct config *cfg, FILE *out)
{
	const struct config_option *o;
	unsigned int i;

	fputs("[server]\n", out);
	for (o = config_server_options; o->name; o++)
		config_option_print(o, cfg, out);
	for (i = 0; i < cfg->nr_exports; i++) {
		fprintf(out, "\n[export %s]\n", cfg->exports[i].name);
		for (o = config_export_options; o->name; o++)
			config_option_print(o, &cfg->exports[i], out);
	}
}

int config_split_address(const char *text, char *host, size_t host_size,
			 uint16_t *port, struct iopmem_err *err)
{
	const char *end, *colon;
	unsigned long p;
	char *stop;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end)
			return err_msg(err, EINVAL, "address '[%s': ']' is missing", text);
		if (end[1] && end[1] != ':')
			return err_msg(err, EINVAL, "address '[%s': ':port' expected behind ']'",
				       text);
		colon = end[1] ? end + 1 : NULL;
	} else {
		colon = strrchr(text, ':');
		end = colon ? colon : text + strlen(text);
	}
	if ((size_t)(end - text) >= host_size)
		return err_msg(err, EINVAL, "address '%s': too long", text);
	if (colon) {
		p = strtoul(colon + 1, &stop, 10);
		if (colon[1] < '0' || colon[1] > '9' || *stop || p > 65535)
			return err_msg(err, EINVAL, "port: '%s' is not a number from 0 to 65535",
				       colon + 1);
		*port = (uint16_t)p;
	}
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	return 0;
}
