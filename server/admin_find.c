// SPDX-License-Identifier: BSD-3-Clause
#include "admin_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "export.h"
#include "layout.h"

struct client *admin_find_client(struct server *srv, const char *text)
{
	struct client *c, *found = NULL;
	size_t len = strlen(text);
	char id[17];

	for (c = srv->clients; c; c = c->hh.next) {
		snprintf(id, sizeof(id), "%016llx", (unsigned long long)c->id);
		if (!strcmp(text, id) || !strcmp(text, c->name))
			return c;
		/* Eight digits: there may be two, and then it names neither. */
		if (len == 8 && !strncmp(c->name, text, len)) {
			if (found)
				return NULL;
			found = c;
		}
	}
	return found;
}

struct layout *admin_find_layout(struct server *srv, const char *text)
{
	uint8_t id[12];
	struct state *st;
	unsigned int byte;
	size_t i;

	if (strlen(text) != 2 * sizeof(id) || strspn(text, "0123456789abcdef") != 2 * sizeof(id))
		return NULL;
	for (i = 0; i < sizeof(id); i++) {
		sscanf(text + 2 * i, "%2x", &byte);
		id[i] = (uint8_t)byte;
	}
	HASH_FIND(hh, srv->states, id, sizeof(id), st);
	return st && st->type == STATE_LAYOUT ? (struct layout *)st : NULL;
}

struct export *admin_need_export(struct admin_call *call)
{
	const char *name = admin_text(call, "export");
	struct export *exp = name ? export_find(call->srv, name) : NULL;

	if (!name)
		admin_error(call, EINVAL, "the request names no \"export\"");
	else if (!exp)
		admin_error(call, ENOENT, "there is no export '%.64s'", name);
	return exp;
}
