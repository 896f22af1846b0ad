// SPDX-License-Identifier: BSD-3-Clause
#include "bench.h"

/* Below 16 ns each has a bucket; from there on the four bits behind the leading one choose. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int log;

	if (ns < HIST_STEPS)
		return (unsigned int)ns;
	log = 63U - (unsigned int)__builtin_clzll(ns);
	return (log - 3) * HIST_STEPS + (unsigned int)((ns >> (log - 4)) & (HIST_STEPS - 1));
}

uint64_t hist_bucket_ns(unsigned int bucket)
{
	unsigned int log = bucket / HIST_STEPS + 3, step = bucket % HIST_STEPS;

	if (bucket < HIST_STEPS)
		return bucket;
	return ((uint64_t)(HIST_STEPS + step + 1) << (log - 4)) - 1;
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->count[bucket_of(ns)]++;
	if (!h->total++ || ns < h->min_ns)
		h->min_ns = ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->sum_ns += (double)ns;
}

void hist_merge(struct hist *into, const struct hist *h)
{
	unsigned int i;

	if (!h->total)
		return;
	for (i = 0; i < HIST_BUCKETS; i++)
		into->count[i] += h->count[i];
	if (!into->total || h->min_ns < into->min_ns)
		into->min_ns = h->min_ns;
	if (h->max_ns > into->max_ns)
		into->max_ns = h->max_ns;
	into->total += h->total;
	into->sum_ns += h->sum_ns;
}

uint64_t hist_quantile(const struct hist *h, double part)
{
	uint64_t want = (uint64_t)((double)h->total * part + 0.5), seen = 0;
	unsigned int i;

	if (want < 1)
		want = 1;
	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->count[i];
		if (seen >= want)
			return hist_bucket_ns(i) < h->max_ns ? hist_bucket_ns(i) : h->max_ns;
	}
	return h->max_ns;
}
