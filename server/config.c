// SPDX-License-Identifier: BSD-3-Clause
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void config_init(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->listen, sizeof(cfg->listen), "127.0.0.1:%d", CONFIG_DEFAULT_PORT);
	strcpy(cfg->fabric, "auto");
	strcpy(cfg->state_dir, "/var/lib/iopmem");
	cfg->lease_ms = 20000;
	cfg->recall_ms = 20000;
	cfg->max_grant = 64ULL << 20;
	cfg->max_connections = 512;
	cfg->fs_threads = 8;
	cfg->log_level = LOG_LEVEL_INFO;
}

static int copy_text(char *dst, size_t size, const char *value, const char *what,
		     struct iopmem_err *err)
{
	if (!*value || strlen(value) >= size)
		return err_msg(err, EINVAL, "%s: '%s' is empty or too long", what, value);
	strcpy(dst, value);
	return 0;
}

static int parse_u64(const char *value, uint64_t min, uint64_t max, const char *what,
		     uint64_t *out, struct iopmem_err *err)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || v < min || v > max)
		return err_msg(err, EINVAL, "%s: '%s' is not a number from %llu to %llu",
			       what, value, (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return 0;
}

static int parse_u32(const char *value, uint32_t min, uint32_t max, const char *what,
		     uint32_t *out, struct iopmem_err *err)
{
	uint64_t v;
	int rc = parse_u64(value, min, max, what, &v, err);

	if (!rc)
		*out = (uint32_t)v;
	return rc;
}

static int parse_choice(const char *value, const char *const *names, const char *what,
			int *out, struct iopmem_err *err)
{
	char list[128] = "";
	int i;

	for (i = 0; names[i]; i++) {
		if (!strcmp(value, names[i])) {
			*out = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 i ? ", " : "", names[i]);
	}
	return err_msg(err, EINVAL, "%s: '%s' is none of: %s", what, value, list);
}

static int set_export(struct config_export *e, const char *name, const char *value,
		      struct iopmem_err *err)
{
	static const char *const backings[] = { "auto", "xfs", "dir", NULL };
	static const char *const bools[] = { "no", "yes", NULL };
	static const char *const squashes[] = { "root", "none", "all", NULL };
	char what[128];
	uint32_t id;
	int i, rc;

	snprintf(what, sizeof(what), "export '%.64s': %.40s", e->name, name);
	if (!strcmp(name, "path")) {
		if (*value != '/')
			return err_msg(err, EINVAL, "%s: '%s' is not absolute", what, value);
		return copy_text(e->path, sizeof(e->path), value, what, err);
	}
	if (!strcmp(name, "backing")) {
		rc = parse_choice(value, backings, what, &i, err);
		if (!rc)
			strcpy(e->backing, backings[i]);
		return rc;
	}
	if (!strcmp(name, "read-only")) {
		rc = parse_choice(value, bools, what, &i, err);
		if (!rc)
			e->read_only = i;
		return rc;
	}
	if (!strcmp(name, "squash")) {
		rc = parse_choice(value, squashes, what, &i, err);
		if (!rc)
			e->squash = (enum squash)i;
		return rc;
	}
	if (!strcmp(name, "anon-uid") || !strcmp(name, "anon-gid")) {
		rc = parse_u32(value, 0, UINT32_MAX - 1, what, &id, err);
		if (!rc && name[5] == 'u')
			e->anon_uid = id;
		else if (!rc)
			e->anon_gid = id;
		return rc;
	}
	return err_msg(err, EINVAL, "%s: unknown option", what);
}

static int set_server(struct config *cfg, const char *name, const char *value,
		      struct iopmem_err *err)
{
	static const char *const fabrics[] = { "auto", "tcp", "verbs", NULL };
	static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
	int i, rc;

	if (!strcmp(name, "listen"))
		return copy_text(cfg->listen, sizeof(cfg->listen), value, name, err);
	if (!strcmp(name, "fabric-listen"))
		return copy_text(cfg->fabric_listen, sizeof(cfg->fabric_listen), value, name, err);
	if (!strcmp(name, "state-dir")) {
		if (*value != '/')
			return err_msg(err, EINVAL, "state-dir: '%s' is not absolute", value);
		return copy_text(cfg->state_dir, sizeof(cfg->state_dir), value, name, err);
	}
	if (!strcmp(name, "fabric")) {
		rc = parse_choice(value, fabrics, name, &i, err);
		if (!rc)
			strcpy(cfg->fabric, fabrics[i]);
		return rc;
	}
	if (!strcmp(name, "log-level"))
		return parse_choice(value, levels, name, &cfg->log_level, err);
	if (!strcmp(name, "lease-ms"))
		return parse_u32(value, 1000, 3600000, name, &cfg->lease_ms, err);
	if (!strcmp(name, "recall-ms"))
		return parse_u32(value, 100, 3600000, name, &cfg->recall_ms, err);
	if (!strcmp(name, "max-grant"))
		return parse_u64(value, 1 << 20, 1ULL << 40, name, &cfg->max_grant, err);
	if (!strcmp(name, "max-connections"))
		return parse_u32(value, 4, 3000, name, &cfg->max_connections, err);
	if (!strcmp(name, "fs-threads"))
		return parse_u32(value, 1, 256, name, &cfg->fs_threads, err);
	return err_msg(err, EINVAL, "unknown option '%s'", name);
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

int config_check(const struct config *cfg, struct iopmem_err *err)
{
	unsigned int i;

	if (!cfg->nr_exports)
		return err_msg(err, EINVAL, "no export: give --export NAME=PATH or a configuration file");
	for (i = 0; i < cfg->nr_exports; i++)
		if (!cfg->exports[i].path[0])
			return err_msg(err, EINVAL, "export '%s': has no path", cfg->exports[i].name);
	return 0;
}

int config_split_address(const char *text, char *host, size_t host_size,
			 uint16_t *port, struct iopmem_err *err)
{
	const char *end, *colon;
	uint32_t p = 0;
	int rc;

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
		rc = parse_u32(colon + 1, 0, 65535, "port", &p, err);
		if (rc)
			return rc;
		*port = (uint16_t)p;
	}
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	return 0;
}
