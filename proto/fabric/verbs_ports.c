// SPDX-License-Identifier: BSD-3-Clause
/* Where clients come in: the RDMA ports of this host, each by one of its IP addresses. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "fabric/verbs.h"

/* Not loopback, which the connection manager takes for any device, and not link-local. */
static bool usable(const struct ifaddrs *ifa, int family)
{
	const struct sockaddr_in6 *in6 = (const void *)ifa->ifa_addr;

	return ifa->ifa_addr && ifa->ifa_addr->sa_family == family &&
	       (ifa->ifa_flags & IFF_UP) && !(ifa->ifa_flags & IFF_LOOPBACK) &&
	       !(family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr));
}

/* The device and port behind an address; false when there is none. */
static bool port_of(const struct sockaddr *addr, socklen_t len, struct fabric_port *port)
{
	struct rdma_cm_id *id;
	bool found;

	if (getnameinfo(addr, len, port->address, sizeof(port->address), NULL, 0,
			NI_NUMERICHOST))
		return false;
	if (rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP))
		return false;
	found = !rdma_bind_addr(id, (struct sockaddr *)addr) && id->verbs;
	if (found) {
		snprintf(port->device, sizeof(port->device), "%s",
			 ibv_get_device_name(id->verbs->device));
		port->port = id->port_num;
	}
	rdma_destroy_id(id);
	return found;
}

static bool known(const struct fabric_port *ports, size_t n, const struct fabric_port *port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].port == port->port && !strcmp(ports[i].device, port->device))
			return true;
	return false;
}

int verbs_ports(const struct fabric_server *base, struct fabric_port *ports, size_t room,
		struct iopmem_err *err)
{
	const struct verbs_server *server = (const struct verbs_server *)base;
	static const int families[] = { AF_INET, AF_INET6 };
	struct ifaddrs *list;
	size_t n = 0;

	if (getifaddrs(&list))
		return err_set(err, errno, "fabric verbs: list the interfaces");
	for (size_t f = 0; f < 2; f++) {
		socklen_t len = f ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

		for (struct ifaddrs *ifa = list; ifa && n < room; ifa = ifa->ifa_next)
			if (usable(ifa, families[f]) && port_of(ifa->ifa_addr, len, &ports[n]) &&
			    (!server->address[0] || !strcmp(server->address, ports[n].address)) &&
			    !known(ports, n, &ports[n]))
				n++;
	}
	freeifaddrs(list);
	return (int)n;
}
