// SPDX-License-Identifier: BSD-3-Clause
/*
 * P5: what a LAYOUTGET and its LAYOUTRETURN cost, and how much memory the server has, with
 * 1 k, 10 k, ... live segments of one client on one file ("dir", tcp).  Each has a mapping of
 * its own there, so vm.max_map_count is how many there can be.  Prints JSON, a line a level.
 * Assumes: nothing else runs on the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../protocol/peer.h"
#include "bench.h"

#define PAIRS 2000ULL

static struct rig rig;

/* Behind @label at the beginning of a line. */
static unsigned long number_in(const char *path, const char *label)
{
	unsigned long value = 0;
	char line[256];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, label, strlen(label))) {
			value = strtoul(line + strlen(label), NULL, 10);
			break;
		}
	fclose(f);
	return value;
}

static unsigned long server_kib(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", rig.pid);
	return number_in(path, "RssAnon:");
}

static void get(struct peer *p, iopmem_stateid *id, uint64_t n)
{
	struct reply r;

	assert_status(peer_layoutget(p, id, IOPMEM_WIRE_READ, 2 * n * PAGE, PAGE, &r), IOPMEM_OK);
}

static void bench(void **state)
{
	static const uint64_t levels[] = { 1000, 10000, 60000, 100000, 1000000 };
	unsigned long maps = number_in("/proc/sys/vm/max_map_count", ""), before;
	static const char *const more[] = { "--client-segments", "2000000", "--client-regions",
					    "2000000", "--max-regions", "4000000", NULL };
	struct rig_opts o = { .lease_ms = 600000, .more = more };
	uint64_t live = 0, start, i;
	double cpu;
	struct reply r;
	iopmem_stateid id;
	struct peer p;
	char path[128];
	size_t k;

	(void)state;
	rig_up(&rig, &o);
	rig_fill(&rig, "f", 'o', 0);
	rig_path(&rig, "f", path);
	assert_int_equal(truncate(path, (off_t)(4 * 1000000 * PAGE)), 0);
	peer_up(&p, &rig, "p");
	assert_status(peer_open(&p, "f", 1, &id), IOPMEM_OK);
	before = server_kib();
	for (k = 0; k < sizeof(levels) / sizeof(levels[0]) && levels[k] + 1000 < maps; k++) {
		for (; live < levels[k]; live++)
			get(&p, &id, live);
		start = now_ms();
		cpu = cpu_us(rig.pid);
		for (i = 0; i < PAIRS; i++) {
			get(&p, &id, 1500000 + i);
			assert_status(peer_layoutreturn(&p, &id, 2 * (1500000 + i) * PAGE, PAGE, &r),
				      IOPMEM_OK);
		}
		printf("{\"live\": %llu, \"us_a_pair\": %.1f, \"server_cpu\": %.1f, \"bytes_a_segment\": %.0f}\n",
		       (unsigned long long)live, (double)(now_ms() - start) * 1000 / PAIRS,
		       (cpu_us(rig.pid) - cpu) / PAIRS,
		       (double)(server_kib() - before) * 1024 / (double)live);
		fflush(stdout);
	}
	peer_down(&p);
	rig_stop(&rig);
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, "layouts_bench", bench, down);
}
