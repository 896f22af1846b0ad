// SPDX-License-Identifier: BSD-3-Clause
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return value;
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *value = get(o, key);

	return value ? json_object_get_string(value) : "";
}

static size_t length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static void print_list(const char *before, struct json_object *array, const char *none)
{
	size_t i, n = length(array);

	printf("%s", before);
	for (i = 0; i < n; i++)
		printf("%s%s", i ? ", " : "",
		       json_object_get_string(json_object_array_get_idx(array, i)));
	printf("%s", n ? "" : none);
}

static void print_module(struct json_object *module)
{
	if (!*text(module, "version"))
		return;
	printf("module %s", text(module, "version"));
	if (get(module, "memory")) {
		print_list(": memory ", get(module, "memory"), "none");
		printf("; hooks: busy pages %s, swapped extents %s",
		       json_object_get_boolean(get(module, "busy_hook")) ? "on" : "off",
		       json_object_get_boolean(get(module, "swap_hook")) ? "on" : "off");
	}
	printf("\n");
}

static void print_remedy(struct json_object *o)
{
	if (*text(o, "remedy"))
		printf("            do: %s\n", text(o, "remedy"));
}

static void print_nic(struct json_object *nic)
{
	struct json_object *reasons = get(nic, "reasons");
	size_t i;

	printf("  %-8s  NIC %s (%s): %s\n", text(nic, "verdict"), text(nic, "rdma"),
	       text(nic, "function"), text(nic, "route"));
	for (i = 0; i < length(reasons); i++)
		printf("            %s\n",
		       json_object_get_string(json_object_array_get_idx(reasons, i)));
	print_remedy(nic);
}

static void print_card(struct json_object *card)
{
	struct json_object *nics = get(card, "nics");
	size_t i;

	printf("card %s: /dev/%s, BAR %s, %llu MiB, %s, in programs %s%s; %s layout(s)\n",
	       text(card, "function"), text(card, "disk"), text(card, "bar"),
	       strtoull(text(card, "size"), NULL, 10) >> 20, text(card, "cache"),
	       text(card, "cache_user"),
	       *text(card, "coherent") == '1' ? ", declared coherent" : "",
	       text(card, "layouts"));
	for (i = 0; i < length(nics); i++)
		print_nic(json_object_array_get_idx(nics, i));
}

void doctor_print(struct json_object *report)
{
	struct json_object *cards = get(report, "cards"), *findings = get(report, "findings");
	size_t i;

	print_module(get(report, "module"));
	for (i = 0; i < length(cards); i++)
		print_card(json_object_array_get_idx(cards, i));
	if (cards) {
		print_list("IOMMU: ", get(report, "iommus"), "none");
		print_list("\nsoftware NICs (the CPU copies): ", get(report, "software_nics"),
			   "none");
		printf("\n");
	}
	for (i = 0; i < length(findings); i++) {
		struct json_object *o = json_object_array_get_idx(findings, i);

		printf("  %-8s  %s\n", text(o, "verdict"), text(o, "text"));
		print_remedy(o);
	}
	printf("verdict: %s\n", text(report, "verdict"));
}
