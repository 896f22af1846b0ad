/* SPDX-License-Identifier: BSD-3-Clause */
/* What OPEN and CREATE share once the path is an O_PATH descriptor. */
#ifndef IOPMEM_SERVER_OPEN_H
#define IOPMEM_SERVER_OPEN_H

#include "export.h"

/* Opens pj->fd (taken over) for its call and answers it; frees @pj. */
void open_finish(struct path_job *pj, uint32_t access);

#endif
