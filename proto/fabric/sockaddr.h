/* SPDX-License-Identifier: BSD-3-Clause */
/* Numeric addresses: text to sockaddr and back.  No name is ever looked up. */
#ifndef IOPMEM_FABRIC_SOCKADDR_H
#define IOPMEM_FABRIC_SOCKADDR_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* @address: IPv4, IPv6 or IPv6%scope. */
int sockaddr_parse(const char *address, uint16_t port, struct sockaddr_storage *ss,
		   socklen_t *len, struct iopmem_err *err);
/* The IPv6 wildcard, or with @family AF_INET the IPv4 one. */
void sockaddr_any(int family, uint16_t port, struct sockaddr_storage *ss, socklen_t *len);
uint16_t sockaddr_port(const struct sockaddr_storage *ss);

#endif
