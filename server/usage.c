// SPDX-License-Identifier: BSD-3-Clause
#include "usage.h"

#include "base/log.h"
#include "client.h"
#include "layout_table.h"

static void count(struct usage *u, const struct segment *seg, bool more)
{
	if (more) {
		u->segments++;
		u->regions += seg->region;
		u->bytes += range_len(seg->range);
	} else {
		u->segments--;
		u->regions -= seg->region;
		u->bytes -= range_len(seg->range);
	}
}

void usage_add(struct client *c, const struct segment *seg)
{
	count(&c->usage, seg, true);
	count(&c->srv->usage, seg, true);
}

void usage_remove(struct client *c, const struct segment *seg)
{
	count(&c->usage, seg, false);
	count(&c->srv->usage, seg, false);
}

static bool refuse(const struct client *c, const char *what, uint64_t limit)
{
	log_info("client %s: no more layouts: %s is %llu", c->name, what,
		 (unsigned long long)limit);
	return true;
}

bool usage_full(const struct client *c, uint64_t bytes)
{
	const struct config *cfg = &c->srv->cfg;

	if (c->usage.segments >= cfg->client_segments)
		return refuse(c, "client-segments", cfg->client_segments);
	if (c->usage.regions >= cfg->client_regions)
		return refuse(c, "client-regions", cfg->client_regions);
	if (bytes > cfg->client_bytes || c->usage.bytes > cfg->client_bytes - bytes)
		return refuse(c, "client-bytes", cfg->client_bytes);
	if (c->srv->usage.regions >= cfg->max_regions)
		return refuse(c, "max-regions", cfg->max_regions);
	return false;
}
