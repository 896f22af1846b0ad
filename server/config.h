/* SPDX-License-Identifier: BSD-3-Clause */
/* Configuration: command line and INI file say the same. */
#ifndef IOPMEM_SERVER_CONFIG_H
#define IOPMEM_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config_option.h"

#define CONFIG_EXPORTS_MAX 64
#define CONFIG_DEFAULT_PORT 20490
#define CONFIG_DEFAULT_METRICS_PORT 20491
#define CONFIG_DEFAULT_STATE_DIR "/var/lib/iopmem"
#define CONFIG_DEFAULT_ADMIN_SOCKET "/run/iopmem/admin.sock"

/* What becomes of a fabric whose NIC does not reach an export's card. */
enum probe_mode { PROBE_REQUIRE, PROBE_WARN, PROBE_OFF };

enum squash { SQUASH_ROOT, SQUASH_NONE, SQUASH_ALL };

struct config_export {
	char name[65];
	char path[4097];
	char backing[16];		/* "auto", "xfs", "dir" */
	char memory[8];			/* of xfs: "auto", "pin", "odp", "dmabuf" */
	bool read_only;
	char hosts[4097];		/* hosts.h; "": everybody */
	char sec[64];			/* sec.h */
	bool secure;			/* source ports below 1024 only */
	enum squash squash;
	uid_t anon_uid;
	gid_t anon_gid;
};

struct config {
	char listen[80];		/* address[:port] or [v6]:port, numeric */
	char fabric[16];		/* "auto", "tcp", "verbs" */
	char fabric_listen[80];		/* "" = the address of listen, any port */
	enum probe_mode probe;
	char state_dir[4097];
	char admin_socket[4097];	/* "" = by the state directory */
	char admin_group[64];		/* may use it; "" = none */
	char metrics_listen[80];	/* of HTTP; "" = none */
	uint32_t lease_ms;
	uint32_t recall_ms;		/* from the recall to the fence */
	uint32_t hold_ms;		/* from a grant to its recall for another client */
	uint32_t recall_max_ms;		/* the same of a client that makes progress; 0: config_recall_max() */
	uint32_t courtesy_ms;		/* an expired client is kept so long, unless somebody minds */
	uint64_t max_grant;		/* bytes of one segment */
	uint32_t max_connections;
	uint32_t max_clients;
	uint32_t max_regions;		/* memory regions of all clients */
	uint32_t client_opens;		/* of one client, like those that follow */
	uint32_t client_segments;
	uint32_t client_regions;
	uint64_t client_bytes;		/* leased */
	uint32_t client_calls;		/* in progress */
	uint32_t client_events;		/* not acknowledged */
	uint32_t client_tombstones;	/* of fenced layouts */
	uint32_t fs_threads;
	char keytab[4097];		/* "": the system's */
	int log_level;
	unsigned int nr_exports;
	struct config_export exports[CONFIG_EXPORTS_MAX];
};

/* The options of [server] in struct config, of [export NAME] in struct config_export; a last one without name. */
extern const struct config_option config_server_options[];
extern const struct config_option config_export_options[];

void config_init(struct config *cfg);

/* When a recall ends in a fence at the latest: recall-max-ms, or twice recall-ms up to 40 s. */
uint32_t config_recall_max(const struct config *cfg);

/* Sets one option as the INI file does; @section is "server" or "export NAME". */
int config_set(struct config *cfg, const char *section, const char *name,
	       const char *value, struct iopmem_err *err);

/* NAME=PATH[,option=value...] */
int config_add_export(struct config *cfg, const char *spec, struct iopmem_err *err);

/* Errors name file and line. */
int config_load(struct config *cfg, const char *path, struct iopmem_err *err);

/* What only the whole configuration shows. */
int config_check(const struct config *cfg, struct iopmem_err *err);

/* As an INI file. */
void config_print(const struct config *cfg, FILE *out);

/* metrics_listen with an address: ":port" means the loopback. */
void config_metrics_address(const struct config *cfg, char *text, size_t size);

/* Splits "address:port", "[v6]:port", "address"; @port is left alone without one. */
int config_split_address(const char *text, char *host, size_t host_size,
			 uint16_t *port, struct iopmem_err *err);

#endif
