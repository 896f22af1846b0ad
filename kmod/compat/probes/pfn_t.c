// SPDX-License-Identifier: GPL-2.0-only
/* until 6.17: typed pfns */
#include <linux/pfn_t.h>

pfn_t probe(phys_addr_t phys);
pfn_t probe(phys_addr_t phys)
{
	return phys_to_pfn_t(phys, PFN_DEV | PFN_MAP);
}
