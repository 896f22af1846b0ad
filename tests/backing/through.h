/* SPDX-License-Identifier: BSD-3-Clause */
/* I/O through the server on any backing: one test for all of them. */
#ifndef IOPMEM_TESTS_BACKING_THROUGH_H
#define IOPMEM_TESTS_BACKING_THROUGH_H

struct rig;

/* Assumes: the export is open. */
void through_the_server(struct rig *rig);

#endif
