// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

int remote_open(const char *text, struct remote *r, struct iopmem_err *err)
{
	char url[sizeof(r->url.host) + sizeof(r->url.export_name) * 3 + 32];
	const char *p;
	size_t n;
	int ret;

	r->client = NULL;
	r->buf = NULL;
	ret = url_parse(text, &r->url, err);
	if (ret)
		return ret;
	n = (size_t)snprintf(url, sizeof(url),
			     strchr(r->url.host, ':') ? "iopmem://[%s]:%u/" : "iopmem://%s:%u/",
			     r->url.host, r->url.port);
	/* It was decoded; only these two would be taken for something else. */
	for (p = r->url.export_name; *p && n + 4 < sizeof(url); p++)
		n += (size_t)snprintf(url + n, sizeof(url) - n, *p == '%' ? "%%25" :
				      *p == '?' ? "%%3F" : "%c", *p);
	snprintf(url + n, sizeof(url) - n, "?%s", url_sec_option(r->url.sec));
	return iopmem_connect(url, NULL, &r->client, err);
}

int remote_register(struct remote *r, void *memory, size_t len, struct iopmem_err *err)
{
	return r->buf ? 0 : iopmem_buf_register(r->client, memory, len, &r->buf, err);
}

int remote_close(struct remote *r)
{
	if (r->buf)
		iopmem_buf_unregister(r->buf);
	return iopmem_disconnect(r->client);
}

int cli_fail(const char *verb, const char *what, const struct iopmem_err *err)
{
	fprintf(stderr, "iopmem: %s %s: %s\n", verb, what,
		err->code ? err->text : "unknown error");
	return 1;
}

int cli_error(struct iopmem_err *err, int error, const char *what, const char *name)
{
	if (err && !err->code) {
		err->code = error;
		snprintf(err->text, sizeof(err->text), "%s '%.300s': %s", what, name,
			 strerror(error));
	}
	return -error;
}
