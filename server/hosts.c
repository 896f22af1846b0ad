// SPDX-License-Identifier: BSD-3-Clause
#include "hosts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define RULES_MAX 64
#define ADDRESSES_MAX 16		/* of one name */

struct address {
	int family;
	uint8_t bytes[16];
};

struct addresses {
	struct address a[ADDRESSES_MAX];
	unsigned int n;
};

struct hosts {
	unsigned int n;
	struct host_rule rules[RULES_MAX];
	struct addresses now[RULES_MAX];	/* loop thread */
	struct addresses fresh[RULES_MAX];	/* hosts_resolve() */
};

static unsigned int bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

static struct address address_of(const struct sockaddr *sa)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	struct address a = { .family = sa->sa_family };

	if (sa->sa_family == AF_INET) {
		memcpy(a.bytes, &in4->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		a.family = AF_INET;
		memcpy(a.bytes, in6->sin6_addr.s6_addr + 12, 4);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(a.bytes, &in6->sin6_addr, 16);
	}
	return a;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	return !memcmp(a, b, whole) &&
	       (!rest || !((a[whole] ^ b[whole]) & (0xff << (8 - rest) & 0xff)));
}

/* ---- rules ---- */

static bool parse_option(struct host_rule *r, const char *text)
{
	if (!strcmp(text, "rw"))
		r->read_only = false;
	else if (!strcmp(text, "ro"))
		r->read_only = true;
	else if (!strcmp(text, "secure"))
		r->secure = true;
	else if (!strcmp(text, "root_squash"))
		r->squash = HOST_SQUASH_ROOT;
	else if (!strcmp(text, "no_root_squash"))
		r->squash = HOST_SQUASH_NONE;
	else if (!strcmp(text, "all_squash"))
		r->squash = HOST_SQUASH_ALL;
	else
		return false;
	return true;
}

/* "24" or, of IPv4, "255.255.255.0". */
static bool parse_prefix(struct host_rule *r, const char *text)
{
	struct in_addr mask;
	unsigned long v;
	char *end;

	if (r->family == AF_INET && strchr(text, '.')) {
		if (inet_pton(AF_INET, text, &mask) != 1)
			return false;
		v = ntohl(mask.s_addr);
		for (r->prefix = 0; v & 0x80000000UL; v = v << 1 & 0xffffffffUL)
			r->prefix++;
		return !v;
	}
	v = strtoul(text, &end, 10);
	r->prefix = (unsigned int)v;
	return isdigit((unsigned char)*text) && !*end && v <= bits_of(r->family);
}

static bool is_name(const char *text)
{
	const char *p;

	for (p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.' && *p != '_')
			return false;
	/* What looks like an address but is none is a mistake, not a name. */
	return *text && strspn(text, "0123456789.") != strlen(text);
}

/* @host is cut off from its options, @slash from its prefix (or NULL). */
static bool parse_host(struct host_rule *r, const char *host, const char *slash)
{
	if (!strcmp(host, "*") && !slash) {
		r->any = true;
		return true;
	}
	if (inet_pton(AF_INET, host, r->net) == 1)
		r->family = AF_INET;
	else if (inet_pton(AF_INET6, host, r->net) == 1)
		r->family = AF_INET6;
	if (r->family) {
		r->prefix = bits_of(r->family);
		return !slash || parse_prefix(r, slash);
	}
	if (slash || !is_name(host) || strlen(host) >= sizeof(r->name))
		return false;
	strcpy(r->name, host);
	return true;
}

static bool parse_rule(struct host_rule *r, char *text)
{
	char *host = text, *rest = text, *slash, *option, *save = NULL;

	if (*text == '[') {
		host = text + 1;
		rest = strchr(host, ']');
		if (!rest)
			return false;
		*rest++ = '\0';
		if (*rest && *rest != '/' && *rest != ':')
			return false;
	}
	option = strchr(rest, ':');
	if (option)
		*option++ = '\0';
	slash = strchr(rest, '/');
	if (slash)
		*slash++ = '\0';
	if (!parse_host(r, host, slash))
		return false;
	if (option && !*option)
		return false;
	for (option = option ? strtok_r(option, ":", &save) : NULL; option;
	     option = strtok_r(NULL, ":", &save))
		if (!parse_option(r, option))
			return false;
	return true;
}

int hosts_parse(const char *text, struct hosts **hosts, struct iopmem_err *err)
{
	struct hosts *h = calloc(1, sizeof(*h));
	char *copy = strdup(text), *word, *save = NULL, rule[300];
	int rc = 0;

	if (!h || !copy)
		rc = err_set(err, ENOMEM, "hosts");
	for (word = rc ? NULL : strtok_r(copy, ",; \t", &save); word && !rc;
	     word = strtok_r(NULL, ",; \t", &save)) {
		snprintf(rule, sizeof(rule), "%s", word);
		if (h->n == RULES_MAX)
			rc = err_msg(err, EINVAL, "hosts: more than %d rules", RULES_MAX);
		else if (strlen(word) >= sizeof(rule) || !parse_rule(&h->rules[h->n], word))
			rc = err_msg(err, EINVAL, "hosts: '%s' is not ADDRESS[/PREFIX][:OPTION...] or "
				     "NAME[:OPTION...]", rule);
		else
			h->n++;
	}
	free(copy);
	if (rc || !h->n) {
		free(h);
		h = NULL;
	}
	if (!rc)
		*hosts = h;
	return rc;
}

void hosts_free(struct hosts *hosts)
{
	free(hosts);
}

/* ---- names ---- */

bool hosts_have_names(const struct hosts *hosts)
{
	unsigned int i;

	for (i = 0; hosts && i < hosts->n; i++)
		if (hosts->rules[i].name[0])
			return true;
	return false;
}

static void resolve_one(const char *name, struct addresses *out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	int rc = getaddrinfo(name, NULL, &hints, &list);

	if (rc)
		return log_warn("hosts: '%s': %s; %s", name, gai_strerror(rc), out->n ?
				"it keeps the addresses it had" : "it matches nobody");
	out->n = 0;
	for (ai = list; ai && out->n < ADDRESSES_MAX; ai = ai->ai_next)
		out->a[out->n++] = address_of(ai->ai_addr);
	freeaddrinfo(list);
}

void hosts_resolve(struct hosts *hosts)
{
	unsigned int i;

	for (i = 0; i < hosts->n; i++)
		if (hosts->rules[i].name[0])
			resolve_one(hosts->rules[i].name, &hosts->fresh[i]);
}

static bool has(const struct addresses *list, const struct address *a)
{
	unsigned int i;

	for (i = 0; i < list->n; i++)
		if (!memcmp(&list->a[i], a, sizeof(*a)))
			return true;
	return false;
}

/* In any order: name servers turn it round. */
static bool same_addresses(const struct addresses *a, const struct addresses *b)
{
	unsigned int i;

	for (i = 0; i < a->n; i++)
		if (!has(b, &a->a[i]))
			return false;
	return a->n == b->n;
}

bool hosts_adopt(struct hosts *hosts)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; i < hosts->n; i++)
		changed |= !same_addresses(&hosts->now[i], &hosts->fresh[i]);
	memcpy(hosts->now, hosts->fresh, sizeof(hosts->now));
	return changed;
}

static const struct addresses *addresses_of(const struct hosts *hosts, const char *name)
{
	unsigned int i;

	for (i = 0; i < hosts->n; i++)
		if (!strcmp(hosts->rules[i].name, name) && hosts->now[i].n)
			return &hosts->now[i];
	return NULL;
}

void hosts_inherit(struct hosts *hosts, const struct hosts *old)
{
	const struct addresses *had;
	unsigned int i;

	for (i = 0; i < hosts->n; i++) {
		if (!hosts->rules[i].name[0] || hosts->now[i].n)
			continue;
		had = addresses_of(old, hosts->rules[i].name);
		if (!had)
			continue;
		log_info("hosts: '%s' keeps the addresses it had", hosts->rules[i].name);
		hosts->now[i] = *had;
		hosts->fresh[i] = *had;
	}
}

static bool matches(const struct host_rule *r, const struct addresses *names,
		    const struct address *peer)
{
	unsigned int i;

	if (r->any)
		return true;
	if (!r->name[0])
		return r->family == peer->family && same_prefix(r->net, peer->bytes, r->prefix);
	for (i = 0; i < names->n; i++)
		if (names->a[i].family == peer->family &&
		    !memcmp(names->a[i].bytes, peer->bytes, bits_of(peer->family) / 8))
			return true;
	return false;
}

const struct host_rule *hosts_find(const struct hosts *hosts, const struct sockaddr_storage *peer)
{
	struct address a = address_of((const struct sockaddr *)peer);
	unsigned int i;

	for (i = 0; i < hosts->n; i++)
		if (matches(&hosts->rules[i], &hosts->now[i], &a))
			return &hosts->rules[i];
	return NULL;
}
