// SPDX-License-Identifier: BSD-3-Clause
/*
 * Preloaded into a server: its memory regions are over other memory than it asked for, as
 * with a NIC whose requests do not reach the card.  Everything else works.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define REMOTE_WRITE	(1U << 1)	/* IBV_ACCESS_REMOTE_WRITE */
#define ON_DEMAND	(1U << 6)	/* IBV_ACCESS_ON_DEMAND */

/* struct ibv_mr *(struct ibv_pd *, ...) */
typedef void *reg_fn(void *pd, void *addr, size_t length, uint64_t iova, unsigned int access);

__attribute__((visibility("default"))) reg_fn ibv_reg_mr_iova2;

void *ibv_reg_mr_iova2(void *pd, void *addr, size_t length, uint64_t iova, unsigned int access)
{
	reg_fn *real = (reg_fn *)dlsym(RTLD_NEXT, "ibv_reg_mr_iova2");
	void *other;

	if (!(access & REMOTE_WRITE))	/* what the process itself sends from */
		return real(pd, addr, length, iova, access);
	other = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (other == MAP_FAILED)
		return NULL;
	/* rxe of 7.3 computes pages on demand from the process's address, whatever iova says, and writes past its list. */
	if (access & ON_DEMAND)
		iova = (uintptr_t)other;
	return real(pd, other, length, iova, access);
}
