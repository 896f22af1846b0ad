// SPDX-License-Identifier: BSD-3-Clause
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static int from_url(const struct iopmem_client *client, const char *text, struct path *p,
		    struct iopmem_err *err)
{
	struct url *u = malloc(sizeof(*u));
	int ret;

	if (!u)
		return err_set(err, ENOMEM, "'%.250s'", text);
	ret = url_parse(text, u, err);
	if (!ret && (strcmp(u->host, client->target.host) || u->port != client->target.port ||
		     strcmp(u->export_name, client->export_name)))
		ret = err_msg(err, EXDEV, "'%.250s' is not of export '%s' of %s:%u", text,
			      client->export_name, client->target.host, client->target.port);
	if (!ret) {
		p->own = p->rel = strdup(u->path);
		if (!p->own)
			ret = err_set(err, ENOMEM, "'%.250s'", text);
	}
	free(u);
	return ret;
}

int path_get(const struct iopmem_client *client, const char *text, struct path *p,
	     struct iopmem_err *err)
{
	union { const char *in; char *out; } rel = { .in = text };

	*p = (struct path){ 0 };
	if (!client || !text)
		return err_msg(err, EINVAL, "no %s given", client ? "path" : "client");
	if (!strncmp(text, "iopmem://", 9))
		return from_url(client, text, p, err);
	if (strlen(text) > IOPMEM_PATH_MAX)
		return err_set(err, ENAMETOOLONG, "'%.200s...'", text);
	p->rel = rel.out;
	return 0;
}

void path_put(struct path *p)
{
	free(p->own);
}
