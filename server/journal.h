/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log as entries of the journal with fields, where standard error is the journal ($JOURNAL_STREAM);
 * else it stays plain text.
 */
#ifndef IOPMEM_SERVER_JOURNAL_H
#define IOPMEM_SERVER_JOURNAL_H

/* Before any other thread. */
void journal_open(void);

#endif
