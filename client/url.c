// SPDX-License-Identifier: BSD-3-Clause
#include "url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char scheme[] = "iopmem://";

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes %XX of @in[0..n) into @out (@size bytes with the NUL). */
static int decode(const char *in, size_t n, char *out, size_t size)
{
	size_t i, o = 0;

	for (i = 0; i < n; i++) {
		int c = (unsigned char)in[i];

		if (c == '%') {
			if (n - i < 3 || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0)
				return -EINVAL;
			c = hex(in[i + 1]) * 16 + hex(in[i + 2]);
			if (!c)
				return -EINVAL;
			i += 2;
		}
		if (o + 1 >= size)
			return -ENAMETOOLONG;
		out[o++] = (char)c;
	}
	out[o] = '\0';
	return 0;
}

static int parse_port(const char *p, size_t n, uint16_t *port)
{
	unsigned long v = 0;
	size_t i;

	if (!n || n > 5)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(p[i] - '0');
	}
	if (!v || v > 65535)
		return -EINVAL;
	*port = (uint16_t)v;
	return 0;
}

static int copy(const char *p, size_t n, char *out, size_t size)
{
	if (!n)
		return -EINVAL;
	if (n >= size)
		return -ENAMETOOLONG;
	memcpy(out, p, n);
	out[n] = '\0';
	return 0;
}

/* [p, p + n): host, host:port, [v6] or [v6]:port */
static int parse_authority(const char *p, size_t n, struct url *u)
{
	const char *host = p, *colon;
	size_t host_len;

	u->port = URL_DEFAULT_PORT;
	if (n && *p == '[') {
		const char *close = memchr(p, ']', n);

		if (!close)
			return -EINVAL;
		host = p + 1;
		host_len = (size_t)(close - host);
		colon = close + 1 == p + n ? NULL : close + 1;
		if (colon && *colon != ':')
			return -EINVAL;
	} else {
		colon = memchr(p, ':', n);
		if (colon && memchr(colon + 1, ':', (size_t)(p + n - colon - 1)))
			return -EINVAL;	/* IPv6 without brackets */
		host_len = colon ? (size_t)(colon - p) : n;
	}
	if (memchr(host, '@', host_len) || memchr(host, '%', host_len))
		return -EINVAL;
	if (colon && parse_port(colon + 1, (size_t)(p + n - colon - 1), &u->port))
		return -EINVAL;
	return copy(host, host_len, u->host, sizeof(u->host));
}

/* Drops empty components. */
static void squeeze(char *path)
{
	char *in = path, *out = path;

	while (*in) {
		while (*in == '/')
			in++;
		if (!*in)
			break;
		if (out != path)
			*out++ = '/';
		while (*in && *in != '/')
			*out++ = *in++;
	}
	*out = '\0';
}

static const char *const secs[] = {
	[URL_SEC_SYS] = "sec=sys", [URL_SEC_KRB5] = "sec=krb5",
	[URL_SEC_KRB5I] = "sec=krb5i", [URL_SEC_KRB5P] = "sec=krb5p",
};

const char *url_sec_option(enum url_sec sec)
{
	return secs[sec];
}

/* [p, p + n): one option */
static int parse_option(const char *p, size_t n, struct url *u)
{
	size_t i;

	for (i = 0; i < sizeof(secs) / sizeof(secs[0]); i++) {
		if (strlen(secs[i]) == n && !memcmp(secs[i], p, n)) {
			u->sec = (enum url_sec)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_options(const char *p, struct url *u)
{
	size_t n;
	int ret;

	do {
		n = strcspn(p, "&");
		ret = parse_option(p, n, u);
		p += n;
	} while (!ret && *p++);
	return ret;
}

static int parse(const char *text, struct url *u)
{
	const char *p, *slash, *query;
	int ret;

	if (strncmp(text, scheme, sizeof(scheme) - 1))
		return -EINVAL;
	p = text + sizeof(scheme) - 1;
	slash = strchr(p, '/');
	if (!slash)
		return -EINVAL;
	ret = parse_authority(p, (size_t)(slash - p), u);
	if (ret)
		return ret;
	p = slash + 1;
	query = strchrnul(p, '?');
	slash = memchr(p, '/', (size_t)(query - p));
	if (!slash)
		slash = query;
	if (slash == p)
		return -EINVAL;
	ret = decode(p, (size_t)(slash - p), u->export_name, sizeof(u->export_name));
	if (ret)
		return ret;
	if (strchr(u->export_name, '/'))
		return -EINVAL;
	ret = decode(slash, (size_t)(query - slash), u->path, sizeof(u->path));
	if (ret)
		return ret;
	squeeze(u->path);
	return *query ? parse_options(query + 1, u) : 0;
}

int url_parse(const char *text, struct url *url, struct iopmem_err *err)
{
	struct url *u;
	int ret;

	if (!text)
		return err_msg(err, EINVAL, "no URL given");
	u = calloc(1, sizeof(*u));
	if (!u)
		return err_set(err, ENOMEM, "parse '%.200s'", text);
	ret = parse(text, u);
	if (ret == -EINVAL)
		err_msg(err, EINVAL, "'%.200s' is not iopmem://host[:port]/export[/path][?sec=sys|krb5|krb5i|krb5p]",
			text);
	else if (ret)
		err_set(err, -ret, "parse '%.200s'", text);
	else
		*url = *u;
	free(u);
	return ret;
}
