/* SPDX-License-Identifier: BSD-3-Clause */
/* Lease time: CLOCK_BOOTTIME, so that a suspend counts and a set clock does not. */
#ifndef IOPMEM_BASE_CLOCK_H
#define IOPMEM_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void);
uint64_t clock_us(void);

/* Tests only: clock_ms() jumps ahead by @ms. */
void clock_step(uint64_t ms);

#endif
