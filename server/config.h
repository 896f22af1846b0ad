/* SPDX-License-Identifier: BSD-3-Clause */
/* Configuration: command line and INI file say the same. */
#ifndef IOPMEM_SERVER_CONFIG_H
#define IOPMEM_SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define CONFIG_EXPORTS_MAX 64
#define CONFIG_DEFAULT_PORT 20490

enum squash { SQUASH_ROOT, SQUASH_NONE, SQUASH_ALL };

struct config_export {
	char name[65];
	char path[4097];
	char backing[16];		/* "auto", "xfs", "dir" */
	bool read_only;
	enum squash squash;
	uid_t anon_uid;
	gid_t anon_gid;
};

struct config {
	char listen[80];		/* address[:port] or [v6]:port, numeric */
	char fabric[16];		/* "auto", "tcp", "verbs" */
	char fabric_listen[80];		/* "" = the address of listen, any port */
	char state_dir[4097];
	uint32_t lease_ms;
	uint32_t recall_ms;		/* from the recall to the fence */
	uint64_t max_grant;		/* bytes of one segment */
	uint32_t max_connections;
	uint32_t fs_threads;
	int log_level;
	unsigned int nr_exports;
	struct config_export exports[CONFIG_EXPORTS_MAX];
};

void config_init(struct config *cfg);

/* Sets one option as the INI file does; @section is "server" or "export NAME". */
int config_set(struct config *cfg, const char *section, const char *name,
	       const char *value, struct iopmem_err *err);

/* NAME=PATH[,option=value...] */
int config_add_export(struct config *cfg, const char *spec, struct iopmem_err *err);

/* Errors name file and line. */
int config_load(struct config *cfg, const char *path, struct iopmem_err *err);

/* What only the whole configuration shows. */
int config_check(const struct config *cfg, struct iopmem_err *err);

/* Splits "address:port", "[v6]:port", "address"; @port is left alone without one. */
int config_split_address(const char *text, char *host, size_t host_size,
			 uint16_t *port, struct iopmem_err *err);

#endif
