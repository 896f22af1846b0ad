/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can a NIC reach the memory of a card?  A judgement over a described topology
 * that looks at no device, so that a test can describe any.
 */
#ifndef IOPMEM_P2P_JUDGE_H
#define IOPMEM_P2P_JUDGE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif

#define P2P_PORTS_MAX	16
#define P2P_NAME_SIZE	20

/* Bits of the ACS control register that send peers' traffic up. */
#define P2P_ACS_RR	0x04	/* request redirect */
#define P2P_ACS_CR	0x08	/* completion redirect */
#define P2P_ACS_EC	0x20	/* egress control */

/* What becomes of the addresses that the NIC puts on the bus. */
enum p2p_iommu {
	P2P_IOMMU_NONE,
	P2P_IOMMU_IDENTITY,
	P2P_IOMMU_TRANSLATED,
	P2P_IOMMU_BLOCKED,	/* the function may not DMA at all */
	P2P_IOMMU_USER,		/* handed to a program or a guest (vfio) */
};

/* pci_p2pdma's opinion. */
enum p2p_kernel {
	P2P_KERNEL_SILENT,	/* not compiled in */
	P2P_KERNEL_NO,
	P2P_KERNEL_YES,
};

/**
 * struct p2p_port - a bridge above a function
 * @name:	its address
 * @acs_ctrl:	its ACS control register, 0 without that capability
 */
struct p2p_port {
	char name[P2P_NAME_SIZE];
	unsigned int acs_ctrl;
};

/**
 * struct p2p_end - a function's way to the root complex
 * @root:	its root bus
 * @nr_ports:	bridges above the function
 * @ports:	them, the nearest first
 */
struct p2p_end {
	char root[P2P_NAME_SIZE];
	unsigned int nr_ports;
	struct p2p_port ports[P2P_PORTS_MAX];
};

/**
 * struct p2p_facts - a NIC and a card
 * @nic:	where the NIC is
 * @card:	where the memory is
 * @iommu:	what is between the NIC and memory
 * @moved:	the BAR's address on the bus is not the CPU's
 * @too_high:	the BAR ends above what the NIC can address
 * @listed:	the root complexes are known to pass peer-to-peer requests
 * @kernel:	pci_p2pdma's opinion on the two
 * @guest:	a hypervisor shows this topology
 */
struct p2p_facts {
	struct p2p_end nic;
	struct p2p_end card;
	enum p2p_iommu iommu;
	bool moved;
	bool too_high;
	bool listed;
	enum p2p_kernel kernel;
	bool guest;
};

/* The way that a request of the NIC takes to the card. */
enum p2p_route {
	P2P_DIRECT,		/* turns round in a switch */
	P2P_REDIRECTED,		/* could, but is sent up to the root complex */
	P2P_ROOT_PORT,		/* from one root port to another */
	P2P_HOST_BRIDGE,	/* from one host bridge to another */
	P2P_BLOCKED,		/* does not arrive */
	P2P_UNKNOWN,		/* not ours to know */
};

enum p2p_grade {
	P2P_GOOD,
	P2P_DOUBTFUL,		/* only a probe tells */
	P2P_BAD,
};

/**
 * struct p2p_verdict - what comes of it
 * @route:	the way
 * @grade:	does it work?
 * @reasons:	text
 * @len:	of it
 * @remedy:	what to do, or NULL
 */
struct p2p_verdict {
	enum p2p_route route;
	enum p2p_grade grade;
	char reasons[400];
	size_t len;
	const char *remedy;
};

const char *p2p_route_name(enum p2p_route route);
const char *p2p_grade_name(enum p2p_grade grade);
void p2p_judge(const struct p2p_facts *facts, struct p2p_verdict *verdict);

#endif /* IOPMEM_P2P_JUDGE_H */
