// SPDX-License-Identifier: GPL-2.0-only
/* 6.15: fsdax pages have real reference counts and cannot be pinned for long */
#include <linux/mm.h>
#include <linux/memremap.h>

bool probe(struct folio *folio);
bool probe(struct folio *folio)
{
	return folio_is_fsdax(folio);
}
