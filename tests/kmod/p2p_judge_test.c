// SPDX-License-Identifier: BSD-3-Clause
/* The module's judgement on described topologies: who reaches the card, how, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "p2p_judge.h"

#define RR	P2P_ACS_RR
#define RR_CR	(P2P_ACS_RR | P2P_ACS_CR)

/*
 * A way up, the nearest bridge first: "name", or "name+" with request redirect,
 * "name*" with requests and completions, "name!" with egress control.
 */
struct topology {
	const char *name;
	const char *nic[6], *card[6];		/* the last is the root bus */
	enum p2p_iommu iommu;
	bool moved, too_high, listed, guest;
	enum p2p_kernel kernel;
	enum p2p_route route;
	enum p2p_grade grade;
	const char *says[4];			/* parts of the reasons */
	const char *remedy;			/* part of it, NULL: none */
};

static const struct topology topologies[] = {
	{ "below one switch, nothing redirects",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" },
	  .route = P2P_DIRECT, .grade = P2P_GOOD,
	  .says = { "both below 02:00.0; no ACS redirect; no IOMMU" } },
	{ "the same, in a guest",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" }, .guest = true,
	  .route = P2P_DIRECT, .grade = P2P_GOOD, .says = { "as the hypervisor shows it" } },
	{ "ACS above the card",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0*", "02:00.0", "00:01.0", "0000:00" },
	  .route = P2P_REDIRECTED, .grade = P2P_DOUBTFUL,
	  .says = { "ACS of 03:00.0 has ReqRedir+ CmpltRedir+;", "not known" },
	  .remedy = "disable_acs_redir" },
	{ "ACS above both, both are named",
	  { "03:01.0+", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0!", "02:00.0", "00:01.0", "0000:00" },
	  .route = P2P_REDIRECTED, .grade = P2P_DOUBTFUL,
	  .says = { "ACS of 03:01.0 has ReqRedir+;", "ACS of 03:00.0 has EgressCtrl+;" },
	  .remedy = "disable_acs_redir" },
	{ "ACS of what is above the switch does not matter",
	  { "03:01.0", "02:00.0*", "00:01.0*", "0000:00" },
	  { "03:00.0", "02:00.0*", "00:01.0*", "0000:00" },
	  .route = P2P_DIRECT, .grade = P2P_GOOD, .says = { "no ACS redirect" } },
	{ "redirected to a root complex that passes requests",
	  { "03:01.0*", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0*", "02:00.0", "00:01.0", "0000:00" }, .listed = true,
	  .route = P2P_REDIRECTED, .grade = P2P_GOOD, .says = { "it is known that" } },
	{ "pci_p2pdma's list is the longer one",
	  { "03:01.0*", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0*", "02:00.0", "00:01.0", "0000:00" }, .kernel = P2P_KERNEL_YES,
	  .route = P2P_REDIRECTED, .grade = P2P_GOOD, .says = { "pci_p2pdma knows" } },
	{ "switches in a row: the lowest common bridge counts",
	  { "05:00.0", "04:00.0", "03:00.0", "02:00.0", "00:01.0", "0000:00" },
	  { "05:01.0", "04:00.0", "03:00.0*", "02:00.0", "00:01.0", "0000:00" },
	  .route = P2P_DIRECT, .grade = P2P_GOOD, .says = { "both below 04:00.0" } },
	{ "the card one switch lower than the NIC, ACS in between",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "05:00.0", "04:00.0", "03:00.0+", "02:00.0", "00:01.0", "0000:00" },
	  .route = P2P_REDIRECTED, .grade = P2P_DOUBTFUL,
	  .says = { "both below 02:00.0; ACS of 03:00.0" }, .remedy = "disable_acs_redir" },
	{ "two functions behind one root port",
	  { "00:01.0", "0000:00" }, { "00:01.0", "0000:00" },
	  .route = P2P_DIRECT, .grade = P2P_GOOD, .says = { "both below 00:01.0" } },
	{ "two root ports, nobody knows the root complex",
	  { "00:01.0", "0000:00" }, { "00:02.0", "0000:00" },
	  .route = P2P_ROOT_PORT, .grade = P2P_DOUBTFUL,
	  .says = { "root complex at bus 0000:00", "it is not known" }, .remedy = "PCIe switch" },
	{ "two root ports of one that passes requests",
	  { "00:01.0", "0000:00" }, { "00:02.0", "0000:00" }, .listed = true,
	  .route = P2P_ROOT_PORT, .grade = P2P_GOOD },
	{ "two root ports, pci_p2pdma has the last word",
	  { "00:01.0", "0000:00" }, { "00:02.0", "0000:00" }, .listed = true,
	  .kernel = P2P_KERNEL_NO,
	  .route = P2P_ROOT_PORT, .grade = P2P_DOUBTFUL,
	  .says = { "pci_p2pdma does not know" }, .remedy = "PCIe switch" },
	{ "both on the root bus itself",
	  { "0000:00" }, { "0000:00" }, .route = P2P_ROOT_PORT, .grade = P2P_DOUBTFUL,
	  .remedy = "PCIe switch" },
	{ "two sockets",
	  { "80:01.0", "0000:80" }, { "00:02.0", "0000:00" },
	  .route = P2P_HOST_BRIDGE, .grade = P2P_DOUBTFUL,
	  .says = { "from the host bridge at bus 0000:80 to that at bus 0000:00" },
	  .remedy = "PCIe switch" },
	{ "bridges of the same number in two domains",
	  { "0001:00:01.0", "0001:00" }, { "0000:00:01.0", "0000:00" }, .listed = true,
	  .route = P2P_HOST_BRIDGE, .grade = P2P_GOOD },
	{ "translated: goes up, whatever the switch would do",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" }, P2P_IOMMU_TRANSLATED,
	  .route = P2P_REDIRECTED, .grade = P2P_DOUBTFUL,
	  .says = { "no ACS redirect; the IOMMU translates" }, .remedy = "boot with iommu=pt" },
	{ "translated: pci_p2pdma's yes is about bus addresses",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" }, P2P_IOMMU_TRANSLATED,
	  .kernel = P2P_KERNEL_YES, .route = P2P_REDIRECTED, .grade = P2P_DOUBTFUL,
	  .says = { "it is not known" }, .remedy = "iommu=pt" },
	{ "translated and redirected",
	  { "03:01.0*", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0*", "02:00.0", "00:01.0", "0000:00" }, P2P_IOMMU_TRANSLATED,
	  .route = P2P_REDIRECTED, .grade = P2P_DOUBTFUL,
	  .remedy = "iommu=pt and pci=disable_acs_redir" },
	{ "passed through",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" }, P2P_IOMMU_IDENTITY,
	  .route = P2P_DIRECT, .grade = P2P_GOOD, .says = { "IOMMU passes addresses through" } },
	{ "the IOMMU blocks",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" }, P2P_IOMMU_BLOCKED,
	  .route = P2P_BLOCKED, .grade = P2P_BAD, .says = { "reach nothing" },
	  .remedy = "translates" },
	{ "handed to a guest",
	  { "03:01.0", "02:00.0", "00:01.0", "0000:00" },
	  { "03:00.0", "02:00.0", "00:01.0", "0000:00" }, P2P_IOMMU_USER,
	  .route = P2P_UNKNOWN, .grade = P2P_DOUBTFUL, .says = { "vfio" },
	  .remedy = "IOMMU domain" },
	{ "another address on the bus",
	  { "03:01.0", "02:00.0", "0000:00" }, { "03:00.0", "02:00.0", "0000:00" },
	  .moved = true, .route = P2P_BLOCKED, .grade = P2P_BAD,
	  .says = { "another address on the bus" }, .remedy = "translates" },
	{ "another address on the bus, the IOMMU knows it",
	  { "03:01.0", "02:00.0", "0000:00" }, { "03:00.0", "02:00.0", "0000:00" },
	  P2P_IOMMU_TRANSLATED, .moved = true, .listed = true,
	  .route = P2P_REDIRECTED, .grade = P2P_GOOD },
	{ "a NIC of 32 bits, the card above 4 GiB",
	  { "03:01.0", "02:00.0", "0000:00" }, { "03:00.0", "02:00.0", "0000:00" },
	  P2P_IOMMU_IDENTITY, .too_high = true, .route = P2P_BLOCKED, .grade = P2P_BAD,
	  .says = { "above what the NIC can address" }, .remedy = "translates" },
};

static unsigned int acs_of(char mark)
{
	return mark == '+' ? RR : mark == '*' ? RR_CR : mark == '!' ? P2P_ACS_EC : 0;
}

static void describe(const char *const way[6], struct p2p_end *end)
{
	for (; way[1]; way++) {
		struct p2p_port *port = &end->ports[end->nr_ports++];
		size_t len = strcspn(*way, "+*!");

		snprintf(port->name, sizeof(port->name), "%.*s", (int)len, *way);
		/* What does not redirect is on as well. */
		port->acs_ctrl = 0x01 | 0x10 | acs_of((*way)[len]);
	}
	snprintf(end->root, sizeof(end->root), "%s", *way);
}

static void check(const struct topology *t)
{
	struct p2p_facts facts = { .iommu = t->iommu, .moved = t->moved,
				   .too_high = t->too_high, .listed = t->listed,
				   .kernel = t->kernel, .guest = t->guest };
	struct p2p_verdict v;

	describe(t->nic, &facts.nic);
	describe(t->card, &facts.card);
	p2p_judge(&facts, &v);
	print_message("%s: %s %s: %s%s%s\n", t->name, p2p_grade_name(v.grade),
		      p2p_route_name(v.route), v.reasons, v.remedy ? " -> " : "",
		      v.remedy ? v.remedy : "");
	assert_string_equal(p2p_route_name(v.route), p2p_route_name(t->route));
	assert_string_equal(p2p_grade_name(v.grade), p2p_grade_name(t->grade));
	assert_int_equal(v.len, strlen(v.reasons));
	for (size_t i = 0; i < 4 && t->says[i]; i++)
		assert_non_null(strstr(v.reasons, t->says[i]));
	assert_int_equal(!v.remedy, !t->remedy);
	if (t->remedy)
		assert_non_null(strstr(v.remedy, t->remedy));
}

static void test_topologies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(topologies) / sizeof(topologies[0]); i++)
		check(&topologies[i]);
}

/* Reasons without end are cut, not written past the buffer. */
static void test_many_reasons(void **state)
{
	struct p2p_facts facts = { .iommu = P2P_IOMMU_NONE };
	struct p2p_verdict v;

	(void)state;
	for (unsigned int i = 0; i < P2P_PORTS_MAX; i++) {
		snprintf(facts.nic.ports[i].name, P2P_NAME_SIZE, "0000:%02x:00.0", i);
		snprintf(facts.card.ports[i].name, P2P_NAME_SIZE, "0001:%02x:00.0", i);
		facts.nic.ports[i].acs_ctrl = facts.card.ports[i].acs_ctrl = 0x7f;
	}
	facts.nic.nr_ports = facts.card.nr_ports = P2P_PORTS_MAX;
	facts.card.ports[P2P_PORTS_MAX - 1] = facts.nic.ports[P2P_PORTS_MAX - 1];
	p2p_judge(&facts, &v);
	assert_int_equal(v.len, sizeof(v.reasons) - 1);
	assert_int_equal(strlen(v.reasons), v.len);
	assert_int_equal(v.route, P2P_REDIRECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topologies),
		cmocka_unit_test(test_many_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
