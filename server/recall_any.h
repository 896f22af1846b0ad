/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Regions become scarce (RFC 8881 section 20.6): clients whose lease is over end, those
 * that hold more than their share are asked to give back what they like best to, and
 * after recall-ms the server chooses.
 */
#ifndef IOPMEM_SERVER_RECALL_ANY_H
#define IOPMEM_SERVER_RECALL_ANY_H

#include "server.h"

/* After each grant: asks when nine tenths of max-regions are out. */
void recall_any_check(struct server *srv);

/* A region could not be made for want of memory or of the NIC's slots. */
void recall_any_scarce(struct server *srv);

#endif
