/* SPDX-License-Identifier: BSD-3-Clause */
/* iopmemctl doctor: is this machine fit to serve its cards by RDMA, and why not? */
#ifndef IOPMEM_SERVER_DOCTOR_H
#define IOPMEM_SERVER_DOCTOR_H

#include <json-c/json.h>

/* Also the exit status. */
enum doctor_grade { DOCTOR_GOOD, DOCTOR_DOUBTFUL, DOCTOR_BAD, DOCTOR_NOTHING };

const char *doctor_grade_name(enum doctor_grade grade);

/*
 * Looks below @root ("" for this machine).  *@report: the caller's, NULL when memory runs out;
 * its form is in iopmemctl(8).  Returns the worst grade of all findings.
 */
enum doctor_grade doctor_examine(const char *root, struct json_object **report);

/* The report for a person, on standard output. */
void doctor_print(struct json_object *report);

#endif
