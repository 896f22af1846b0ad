// SPDX-License-Identifier: BSD-3-Clause
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic uint64_t stepped_ms;

uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 + stepped_ms;
}

uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000 + stepped_ms * 1000;
}

void clock_step(uint64_t ms)
{
	stepped_ms += ms;
}
