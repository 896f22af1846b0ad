/* SPDX-License-Identifier: BSD-3-Clause */
/* What OPEN, CREATE and OPEN_HANDLE share once the path is an O_PATH descriptor. */
#ifndef IOPMEM_SERVER_OPEN_H
#define IOPMEM_SERVER_OPEN_H

#include "export.h"

/* Reading or writing, perhaps SHARED, and nothing unknown. */
bool open_access_valid(uint32_t access);

/* May the caller open pj->fd for @access?  Takes its handle.  For @work. */
int open_look(struct path_job *pj, uint32_t access);

/* Opens pj->fd (taken over) for its call and answers it; frees @pj. */
void open_finish(struct path_job *pj, uint32_t access);

/* The client calls from another host than before: may that use what it has open? */
enum iopmem_status opens_admit(const struct call *call);

#endif
