/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which hosts may use an export: rules HOST[:OPTION...], separated by commas, semicolons or
 * blanks.  The first one that matches counts; where there are rules and none matches, no.
 *
 *   HOST     *, 10.0.0.0/8, 10.0.0.0/255.0.0.0, 192.0.2.5, [2001:db8::]/32, [::1], host.name
 *   OPTION   rw (default), ro, root_squash, no_root_squash, all_squash, secure
 */
#ifndef IOPMEM_SERVER_HOSTS_H
#define IOPMEM_SERVER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum host_squash { HOST_SQUASH_EXPORT, HOST_SQUASH_ROOT, HOST_SQUASH_NONE, HOST_SQUASH_ALL };

struct host_rule {
	bool read_only;
	bool secure;			/* source port below 1024 only */
	enum host_squash squash;
	/* private to hosts.c */
	char name[256];			/* "": a network */
	bool any;
	int family;
	uint8_t net[16];
	unsigned int prefix;
};

struct hosts;

/* 0 and @hosts (NULL when @text has no rule), or -EINVAL naming the rule. */
int hosts_parse(const char *text, struct hosts **hosts, struct iopmem_err *err);
void hosts_free(struct hosts *hosts);

/*
 * Addresses of the names.  hosts_resolve() may wait for a name server and runs on a helper
 * thread, one at a time; hosts_adopt() then makes what it found count, and says whether that
 * differs from before.  A name that cannot be resolved keeps the addresses it had, and by
 * hosts_inherit() those that it had in @old, which @hosts take the place of.
 */
bool hosts_have_names(const struct hosts *hosts);
void hosts_resolve(struct hosts *hosts);
bool hosts_adopt(struct hosts *hosts);
void hosts_inherit(struct hosts *hosts, const struct hosts *old);

/* The rule for @peer; NULL: none.  IPv4 in IPv6 counts as IPv4. */
const struct host_rule *hosts_find(const struct hosts *hosts, const struct sockaddr_storage *peer);

#endif
